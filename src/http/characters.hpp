// Character classes of RFC 9110 5.6.2 and 5.5, as one table look-up each. Private to this room.
#pragma once
#include <array>
#include <cstdint>
#include <string_view>

namespace jitproxy::http::detail {

enum : std::uint8_t {
    token_char = 1,   // tchar
    value_char = 2,   // field-content, SP and HT: all but controls; obs-text included
    target_char = 4,  // visible characters and obs-text: what a request target may hold here
    hex_char = 8,
};

constexpr std::array<std::uint8_t, 256> make_classes() {
    std::array<std::uint8_t, 256> classes{};
    for (unsigned c = 0; c < 256; ++c) {
        bool const digit = c >= '0' && c <= '9';
        bool const letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        std::uint8_t value = 0;
        if (digit || letter) value |= token_char;
        for (char const t : std::string_view{"!#$%&'*+-.^_`|~"})
            if (c == static_cast<unsigned char>(t)) value |= token_char;
        if (c == '\t' || (c >= 0x20 && c != 0x7F)) value |= value_char;
        if (c > 0x20 && c != 0x7F) value |= target_char;
        if (digit || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')) value |= hex_char;
        classes[c] = value;
    }
    return classes;
}
inline constexpr auto classes = make_classes();

[[nodiscard]] constexpr bool is(char c, std::uint8_t wanted) noexcept {
    return (classes[static_cast<unsigned char>(c)] & wanted) != 0;
}
[[nodiscard]] constexpr bool is_space(char c) noexcept {  // OWS
    return c == ' ' || c == '\t';
}
[[nodiscard]] constexpr std::string_view trim(std::string_view text) noexcept {
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
}

}  // namespace jitproxy::http::detail
