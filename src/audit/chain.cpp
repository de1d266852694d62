#include "jitproxy/audit/chain.hpp"

#include <charconv>

#include "jitproxy/base/encoding.hpp"
#include "jitproxy/base/json.hpp"

namespace jitproxy::audit {
namespace {

constexpr std::size_t kept_size = 256;  // a record of the head file, padded: a newer one covers the older

bool is_hash(std::string_view text) {
    return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::uint64_t number(json::object const& o, std::string_view name) {
    auto const n = int_member(o, name).value_or(0);
    return n > 0 ? static_cast<std::uint64_t>(n) : 0;
}

}  // namespace

std::string hash_of(std::string_view bytes) {
    return hex(sha256(bytes));
}

result<head> parse_head(std::string_view text) {
    head out;
    auto const colon = std::min(text.find(':'), text.size());
    auto const [end, failed] = std::from_chars(text.data(), text.data() + colon, out.seq);
    auto const hash = colon == text.size() ? std::string_view{} : text.substr(colon + 1);
    if (failed != std::errc{} || end != text.data() + colon || out.seq == 0 || !is_hash(hash))
        return make_error(errc::bad_argument,
                          "a head is SEQ:HASH, a line's number and its SHA-256 in 64 hexadecimal digits");
    out.hash = hash;
    return out;
}

std::optional<line_facts> read_line(std::string_view line) {
    auto const parsed = parse_json_object(line, errc::storage, {.bytes = 2 * longest_line});
    if (!parsed) return std::nullopt;
    line_facts out;
    out.seq = number(*parsed, "seq");
    out.time = string_member(*parsed, "time").value_or("");
    out.event = string_member(*parsed, "event").value_or("");
    out.prev = string_member(*parsed, "prev").value_or("");
    if (out.seq == 0 || out.event.empty() || !is_hash(out.prev)) return std::nullopt;
    if (auto const* data = parsed->if_contains("data"); out.event == torn_event && data && data->is_object()) {
        out.torn_bytes = number(data->get_object(), "bytes");
        out.torn_hash = string_member(data->get_object(), "sha256").value_or("");
    }
    return out;
}

std::filesystem::path head_file(std::filesystem::path const& trail) {
    return trail.string() + ".head";
}

std::optional<kept_head> parse_kept_head(std::string_view text) {
    auto const parsed = parse_json_object(text.substr(0, text.find('\n')), errc::storage);
    if (!parsed) return std::nullopt;
    kept_head out;
    out.head.seq = number(*parsed, "seq");
    out.head.hash = string_member(*parsed, "hash").value_or("");
    out.inode = number(*parsed, "inode");
    out.size = number(*parsed, "size");
    if (!is_hash(out.head.hash)) return std::nullopt;
    return out;
}

std::string to_text(kept_head const& kept) {
    auto text = json::serialize(
        json::object{{"seq", kept.head.seq}, {"hash", kept.head.hash}, {"inode", kept.inode}, {"size", kept.size}});
    text.resize(kept_size - 1, ' ');
    return text + '\n';
}

}  // namespace jitproxy::audit
