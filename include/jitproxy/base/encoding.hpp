// Encodings that cross the wire.
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace jitproxy {

// Decodes RFC 4648 base64 in the standard and the URL-safe alphabet, with or without padding; nullopt otherwise.
[[nodiscard]] std::optional<std::string> decode_base64(std::string_view text);
[[nodiscard]] std::string encode_base64(std::string_view bytes);     // standard alphabet, padded
[[nodiscard]] std::string encode_base64url(std::string_view bytes);  // URL-safe, no padding
[[nodiscard]] std::string percent_encode(std::string_view segment);  // all but RFC 3986 unreserved
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text);
[[nodiscard]] std::string hex(std::string_view bytes);
[[nodiscard]] std::string sha256(std::string_view bytes);  // 32 raw bytes

// Length of the well-formed UTF-8 sequence at the front of a text that is not empty (RFC 3629); 0 where there is none.
[[nodiscard]] std::size_t utf8_length(std::string_view text) noexcept;
// Malformed bytes become U+FFFD; what is longer than `most` bytes is cut between characters and ends with "...".
[[nodiscard]] std::string to_utf8(std::string_view text, std::size_t most);

[[nodiscard]] std::string to_lower(std::string_view ascii);
[[nodiscard]] bool iequals(std::string_view a, std::string_view b) noexcept;  // ASCII, locale-free

}  // namespace jitproxy
