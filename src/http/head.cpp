#include "jitproxy/http/head.hpp"

#include <algorithm>
#include <cstring>

#include "characters.hpp"
#include "jitproxy/base/encoding.hpp"

namespace jitproxy::http {
namespace {

using detail::is;
using detail::is_space;

// What is wrong with a head; `line` counts from 1.
enum class kind : std::uint8_t { fine, malformed, bad_version, start_line_too_long, too_large };
struct problem {
    kind what = kind::fine;
    char const* text = "";
    std::size_t line = 0;
};

problem malformed(char const* text, std::size_t line) {
    return {kind::malformed, text, line};
}

// Why the byte that ended a scan may not stand there.
char const* unexpected(char const* at, char const* end) noexcept {
    if (at == end) return "cut off";
    switch (*at) {
        case '\r':
            return "CR without LF";
        case '\n':
            return "LF without CR";
        case '\0':
            return "NUL";
        default:
            return "control character";
    }
}

// Steps over CRLF.
bool take_line_end(char const*& at, char const* end) noexcept {
    if (end - at < 2 || at[0] != '\r' || at[1] != '\n') return false;
    at += 2;
    return true;
}

// Eight characters "HTTP/1.x" (RFC 9112 2.3), case-sensitive.
problem parse_version(std::string_view text, version& out) noexcept {
    auto const digit = [](char c) { return c >= '0' && c <= '9'; };
    if (text.size() != 8 || !text.starts_with("HTTP/") || !digit(text[5]) || text[6] != '.' || !digit(text[7]))
        return malformed("no HTTP version", 1);
    if (text == "HTTP/1.1")
        out = version::http_1_1;
    else if (text == "HTTP/1.0")
        out = version::http_1_0;
    else
        return {kind::bad_version, "HTTP version other than 1.0 and 1.1", 1};
    return {};
}

// All field lines and the empty line behind them, which must be the end (RFC 9112 5).
problem parse_fields(char const* at, char const* end, std::size_t most, std::vector<field>& out) {
    std::size_t line = 1;
    while (true) {
        ++line;
        if (at != end && *at == '\r') {
            if (!take_line_end(at, end)) return malformed("CR without LF", line);
            return at == end ? problem{} : malformed("something behind the head", line);
        }
        char const* const name = at;
        while (at != end && is(*at, detail::token_char)) ++at;
        if (at == end) return malformed("cut off", line);
        if (*at != ':') {
            if (at == name && is_space(*at)) return malformed("field line that begins with white space", line);
            if (is_space(*at)) return malformed("white space in or behind a field name", line);
            if (*at == '\r' || *at == '\n') return malformed("field line without a colon", line);
            return malformed("bad character in a field name", line);
        }
        if (at == name) return malformed("empty field name", line);
        std::string_view const field_name{name, static_cast<std::size_t>(at - name)};
        ++at;
        while (at != end && is_space(*at)) ++at;
        char const* const value = at;
        while (at != end && is(*at, detail::value_char)) ++at;
        char const* value_end = at;
        if (!take_line_end(at, end)) return malformed(unexpected(at, end), line);
        while (value_end != value && is_space(value_end[-1])) --value_end;
        if (out.size() == most) return {kind::too_large, "too many fields", line};
        out.push_back({field_name, {value, static_cast<std::size_t>(value_end - value)}, identify_field(field_name)});
    }
}

// method SP request-target SP HTTP-version CRLF (RFC 9112 3), with exactly one space at each place.
problem parse_request(std::string_view head, head_limits const& limits, request_head& out) {
    char const* at = head.data();
    char const* const end = at + head.size();
    auto const view = [](char const* from, char const* to) {
        return std::string_view{from, static_cast<std::size_t>(to - from)};
    };
    // The line's end is looked for within its limit only.
    auto const* line_end =
        static_cast<char const*>(std::memchr(at, '\n', std::min(head.size(), limits.start_line + 2)));
    if (line_end == nullptr && head.size() >= limits.start_line + 2)
        return {kind::start_line_too_long, "request line too long", 1};
    if (head.size() > limits.bytes) return {kind::too_large, "too many bytes", 1};

    char const* from = at;
    while (at != end && is(*at, detail::token_char)) ++at;
    out.method = view(from, at);
    if (out.method.empty() || at == end || *at != ' ') return malformed("bad method", 1);
    from = ++at;
    while (at != end && is(*at, detail::target_char)) ++at;
    out.target = view(from, at);
    if (out.target.empty() || at == end || *at != ' ') return malformed("bad request target", 1);
    from = ++at;
    while (at != end && is(*at, detail::value_char)) ++at;
    if (auto const p = parse_version(view(from, at), out.version); p.what != kind::fine) return p;
    if (!take_line_end(at, end)) return malformed(unexpected(at, end), 1);
    return parse_fields(at, end, limits.fields, out.fields);
}

// HTTP-version SP status-code SP [ reason-phrase ] CRLF (RFC 9112 4). The space behind the status code is missing in
// the answers of some servers; that has one reading only and passes.
problem parse_response(std::string_view head, head_limits const& limits, response_head& out) {
    char const* at = head.data();
    char const* const end = at + head.size();
    if (head.size() > limits.bytes) return {kind::too_large, "too many bytes", 1};
    if (head.size() < 12) return malformed("cut off", 1);
    if (auto const p = parse_version(head.substr(0, 8), out.version); p.what != kind::fine) return p;
    at += 8;
    if (*at++ != ' ') return malformed("no space before the status code", 1);
    out.status = 0;
    for (int i = 0; i < 3; ++i, ++at) {
        if (*at < '0' || *at > '9') return malformed("status code that is no number", 1);
        out.status = out.status * 10 + static_cast<unsigned>(*at - '0');
    }
    if (out.status < 100) return malformed("status code below 100", 1);
    if (at != end && *at != ' ' && *at != '\r') return malformed("status code of more than three digits", 1);
    if (at != end && *at == ' ') ++at;
    char const* const reason = at;
    while (at != end && is(*at, detail::value_char)) ++at;
    out.reason = {reason, static_cast<std::size_t>(at - reason)};
    if (!take_line_end(at, end)) return malformed(unexpected(at, end), 1);
    if (static_cast<std::size_t>(at - head.data()) > limits.start_line + 2)
        return {kind::too_large, "status line too long", 1};
    return parse_fields(at, end, limits.fields, out.fields);
}

error to_error(problem const& p, errc bad, errc version, errc line, errc large) {
    errc const codes[] = {errc::internal, bad, version, line, large};
    std::string detail = p.text;
    detail.append(" (line ").append(std::to_string(p.line)).append(" of the head)");
    return make_error(codes[static_cast<std::size_t>(p.what)], std::move(detail));
}

field const* find_in(std::vector<field> const& fields, field_id id) noexcept {
    auto const found = std::find_if(fields.begin(), fields.end(), [id](field const& f) { return f.id == id; });
    return found == fields.end() ? nullptr : &*found;
}

std::size_t count_in(std::vector<field> const& fields, field_id id) noexcept {
    return static_cast<std::size_t>(
        std::count_if(fields.begin(), fields.end(), [id](field const& f) { return f.id == id; }));
}

}  // namespace

field const* request_head::find(field_id id) const noexcept {
    return find_in(fields, id);
}
std::size_t request_head::count(field_id id) const noexcept {
    return count_in(fields, id);
}
field const* response_head::find(field_id id) const noexcept {
    return find_in(fields, id);
}
std::size_t response_head::count(field_id id) const noexcept {
    return count_in(fields, id);
}

namespace {
// An end may begin in what was looked at before.
std::size_t begin_of_search(std::string_view bytes, std::size_t from) noexcept {
    from = std::min(from, bytes.size());
    return from > 2 ? from - 2 : 0;
}
}  // namespace

std::size_t find_head_end(std::string_view bytes, std::size_t from) noexcept {
    // Ends with bare LFs are found as well: the parser refuses them at once, instead of waiting for a CRLF that a
    // sender of bare LFs never sends.
    std::size_t at = begin_of_search(bytes, from);
    while (at < bytes.size()) {
        auto const* const lf = static_cast<char const*>(std::memchr(bytes.data() + at, '\n', bytes.size() - at));
        if (lf == nullptr) return 0;
        at = static_cast<std::size_t>(lf - bytes.data()) + 1;
        if (at < bytes.size() && bytes[at] == '\n') return at + 1;
        if (at + 1 < bytes.size() && bytes[at] == '\r' && bytes[at + 1] == '\n') return at + 2;
    }
    return 0;
}

std::size_t head_search::find(std::string_view bytes) noexcept {
    auto const end = find_head_end(bytes, seen_);
    work_ += (end == 0 ? bytes.size() : end) - begin_of_search(bytes, seen_);
    seen_ = end == 0 ? bytes.size() : 0;
    return end;
}

result<void> parse_request_head(std::string_view head, head_limits const& limits, request_head& out) {
    out.fields.clear();
    auto const p = parse_request(head, limits, out);
    if (p.what == kind::fine) return {};
    return to_error(p, errc::malformed_request, errc::unsupported_version, errc::target_too_long, errc::head_too_large);
}

result<void> parse_response_head(std::string_view head, head_limits const& limits, response_head& out) {
    out.fields.clear();
    auto const p = parse_response(head, limits, out);
    if (p.what == kind::fine) return {};
    return to_error(p, errc::bad_response, errc::bad_response, errc::response_head_too_large,
                    errc::response_head_too_large);
}

bool next_list_member(std::string_view& rest, std::string_view& member) noexcept {
    while (!rest.empty()) {
        std::size_t at = 0;
        bool quoted = false;
        for (; at < rest.size(); ++at) {
            char const c = rest[at];
            if (quoted && c == '\\')
                ++at;  // the next character stands for itself (RFC 9110 5.6.4)
            else if (c == '"')
                quoted = !quoted;
            else if (c == ',' && !quoted)
                break;
        }
        at = std::min(at, rest.size());
        member = detail::trim(rest.substr(0, at));
        rest.remove_prefix(std::min(at + 1, rest.size()));
        if (!member.empty()) return true;
    }
    return false;
}

bool list_contains(std::string_view value, std::string_view wanted) noexcept {
    std::string_view member;
    while (next_list_member(value, member))
        if (iequals(member, wanted)) return true;
    return false;
}

bool is_token(std::string_view text) noexcept {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return is(c, detail::token_char); });
}

}  // namespace jitproxy::http
