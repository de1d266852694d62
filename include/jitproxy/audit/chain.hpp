// How the lines of an audit trail hang together: each says its number and the SHA-256 of the line before it.
//
//     {"seq":7,"time":"2026-05-04T10:00:00.123Z","event":"request.granted","session_id":"ses_…","actor":{…},
//      "data":{…},"prev":"<64 hexadecimal digits>"}
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "jitproxy/base/error.hpp"

namespace jitproxy::audit {

inline constexpr std::size_t longest_line = 512 * 1024;  // bytes; what would be longer is written without its data
inline constexpr std::string_view torn_event = "audit.torn";

// Where a trail has come to.
struct head {
    std::uint64_t seq = 0;                    // of the last line; 0: there is none
    std::string hash = std::string(64, '0');  // of its bytes without the line's end
    friend bool operator==(head const&, head const&) = default;
};
[[nodiscard]] std::string hash_of(std::string_view bytes);  // SHA-256, lower-case hexadecimal
// "SEQ:HASH", as `audit verify` prints it. Errors: bad_argument.
[[nodiscard]] result<head> parse_head(std::string_view text);

struct line_facts {
    std::uint64_t seq = 0;
    std::string time;
    std::string event;
    std::string prev;
    // Of torn_event: the bytes of an unfinished line that stand before this one.
    std::uint64_t torn_bytes = 0;
    std::string torn_hash;
};
// nullopt: no line of a trail.
[[nodiscard]] std::optional<line_facts> read_line(std::string_view line);

// The file beside a trail that its writers lock, and keep the head in: FILE.head.
[[nodiscard]] std::filesystem::path head_file(std::filesystem::path const& trail);
// What stands there, and what the trail's file was when it was written.
struct kept_head {
    audit::head head;
    std::uint64_t inode = 0;
    std::uint64_t size = 0;  // bytes
};
[[nodiscard]] std::optional<kept_head> parse_kept_head(std::string_view text);
[[nodiscard]] std::string to_text(kept_head const& kept);  // always as long

}  // namespace jitproxy::audit
