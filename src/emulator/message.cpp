#include "jitproxy/emulator/message.hpp"

#include <algorithm>
#include <charconv>

#include "jitproxy/base/encoding.hpp"

namespace jitproxy::emulator {

namespace {

std::optional<std::string> decode_form_text(std::string_view text) {
    std::string spaced{text};
    std::replace(spaced.begin(), spaced.end(), '+', ' ');
    return percent_decode(spaced);
}

// Calls take(name, value) for each pair; false where one is malformed.
template <class Take>
bool each_pair(std::string_view text, Take take) {
    while (!text.empty()) {
        auto const end = text.find('&');
        auto const item = text.substr(0, end);
        text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
        if (item.empty()) continue;
        auto const equals = item.find('=');
        auto name = decode_form_text(item.substr(0, equals));
        auto value = decode_form_text(equals == std::string_view::npos ? std::string_view{} : item.substr(equals + 1));
        if (!name || !value || !take(std::move(*name), std::move(*value))) return false;
    }
    return true;
}

}  // namespace

std::string const* request::header(std::string_view name) const noexcept {
    for (auto const& f : fields)
        if (iequals(f.name, name)) return &f.value;
    return nullptr;
}

std::size_t request::header_count(std::string_view name) const noexcept {
    return static_cast<std::size_t>(
        std::count_if(fields.begin(), fields.end(), [&](field const& f) { return iequals(f.name, name); }));
}

std::string request::query_value(std::string_view name) const {
    auto const* value = find(query, name);
    return value ? *value : std::string{};
}

std::uint64_t request::query_number(std::string_view name, std::uint64_t otherwise) const {
    auto const* text = find(query, name);
    if (!text) return otherwise;
    std::uint64_t n = 0;
    auto const* const end = text->data() + text->size();
    auto const [at, ec] = std::from_chars(text->data(), end, n);
    return ec == std::errc{} && at == end && !text->empty() ? n : otherwise;
}

std::string request::origin() const {
    if (header_count("Host") != 1) return {};
    auto const& host = *header("Host");
    return host.empty() ? std::string{} : scheme + "://" + to_lower(host);
}

std::string request::media_type() const {
    auto const* value = header("Content-Type");
    if (!value) return {};
    auto type = to_lower(std::string_view{*value}.substr(0, value->find(';')));
    type.erase(type.find_last_not_of(" \t") + 1);
    return type;
}

void split_target(request& r) {
    std::string_view rest = r.target;
    if (auto const scheme_end = rest.find("://"); scheme_end != std::string_view::npos && !rest.starts_with('/')) {
        auto const path = rest.find('/', scheme_end + 3);
        rest = path == std::string_view::npos ? std::string_view{"/"} : rest.substr(path);
    }
    auto const mark = rest.find('?');
    r.path = std::string{rest.substr(0, mark)};
    r.query.clear();
    if (mark == std::string_view::npos) return;
    each_pair(rest.substr(mark + 1), [&](std::string name, std::string value) {
        r.query.emplace_back(std::move(name), std::move(value));
        return true;
    });
}

reply json_reply(unsigned status, json::value const& body) {
    reply r;
    r.status = status;
    r.fields.push_back({"Content-Type", "application/json"});
    r.body = json::serialize(body);
    return r;
}

reply oauth_error(unsigned status, std::string_view error, std::string_view description) {
    return json_reply(status, json::object{{"error", error}, {"error_description", description}});
}

reply api_error(unsigned status, std::string_view code, std::string_view message) {
    return json_reply(
        status,
        json::object{
            {"error", true}, {"message", message}, {"status", status}, {"code", code}, {"details", json::object{}}});
}

std::optional<pairs> parse_form(std::string_view text) {
    pairs out;
    bool const good = each_pair(text, [&](std::string name, std::string value) {
        if (find(out, name)) return false;
        out.emplace_back(std::move(name), std::move(value));
        return true;
    });
    if (!good) return std::nullopt;
    return out;
}

std::string const* find(pairs const& p, std::string_view name) noexcept {
    for (auto const& [key, value] : p)
        if (key == name) return &value;
    return nullptr;
}

std::string as_utf8(std::string_view bytes) {
    std::string out;
    out.reserve(bytes.size());
    for (char const c : bytes) {
        auto const byte = static_cast<unsigned char>(c);
        if (byte < 0x80) {
            out += c;
        } else {
            out += static_cast<char>(0xC0 | (byte >> 6));
            out += static_cast<char>(0x80 | (byte & 0x3F));
        }
    }
    return out;
}

bool is_printable(std::string_view text) noexcept {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

std::optional<std::string> bearer_of(request const& r) {
    if (r.header_count("Authorization") != 1) return std::nullopt;
    std::string_view value = *r.header("Authorization");
    constexpr std::string_view scheme = "bearer ";
    if (value.size() <= scheme.size() || !iequals(value.substr(0, scheme.size()), scheme)) return std::nullopt;
    value.remove_prefix(scheme.size());
    while (value.starts_with(' ')) value.remove_prefix(1);
    return value.empty() ? std::nullopt : std::optional<std::string>{value};
}

}  // namespace jitproxy::emulator
