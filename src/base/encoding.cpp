#include "jitproxy/base/encoding.hpp"

#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace jitproxy {
namespace {

constexpr char standard_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr char url_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr std::array<std::int8_t, 256> make_values() {
    std::array<std::int8_t, 256> values{};
    values.fill(-1);
    for (int i = 0; i < 64; ++i) {
        values[static_cast<unsigned char>(standard_alphabet[i])] = static_cast<std::int8_t>(i);
        values[static_cast<unsigned char>(url_alphabet[i])] = static_cast<std::int8_t>(i);
    }
    return values;
}
constexpr auto base64_values = make_values();

std::string encode(std::string_view bytes, char const* alphabet, bool pad) {
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    std::uint32_t bits = 0;
    unsigned left = 0;
    for (char const c : bytes) {
        bits = (bits << 8) | static_cast<unsigned char>(c);
        for (left += 8; left >= 6;) {
            left -= 6;
            out += alphabet[(bits >> left) & 63];
        }
    }
    if (left > 0) out += alphabet[(bits << (6 - left)) & 63];
    while (pad && out.size() % 4 != 0) out += '=';
    return out;
}

constexpr int hex_digit(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

constexpr bool is_unreserved(char c) noexcept {  // RFC 3986 2.3
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

constexpr char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

}  // namespace

std::optional<std::string> decode_base64(std::string_view text) {
    if (text.find_first_of("+/") != text.npos && text.find_first_of("-_") != text.npos) return std::nullopt;
    if (text.size() % 4 == 0 && text.ends_with('=')) text.remove_suffix(text.ends_with("==") ? 2 : 1);
    if (text.size() % 4 == 1) return std::nullopt;
    std::string out;
    out.reserve(text.size() / 4 * 3 + 2);
    std::uint32_t bits = 0;
    unsigned left = 0;
    for (char const c : text) {
        int const value = base64_values[static_cast<unsigned char>(c)];
        if (value < 0) return std::nullopt;
        bits = (bits << 6) | static_cast<std::uint32_t>(value);
        left += 6;
        if (left >= 8) {
            left -= 8;
            out += static_cast<char>((bits >> left) & 0xFF);
        }
    }
    // RFC 4648 3.5: bits that no encoder sets would give one value several spellings.
    if ((bits & ((1U << left) - 1)) != 0) return std::nullopt;
    return out;
}

std::string encode_base64(std::string_view bytes) {
    return encode(bytes, standard_alphabet, true);
}

std::string encode_base64url(std::string_view bytes) {
    return encode(bytes, url_alphabet, false);
}

std::string percent_encode(std::string_view segment) {
    constexpr char digits[] = "0123456789ABCDEF";
    std::string out;
    out.reserve(segment.size());
    for (char const c : segment) {
        if (is_unreserved(c)) {
            out += c;
        } else {
            auto const byte = static_cast<unsigned char>(c);
            out += '%';
            out += digits[byte >> 4];
            out += digits[byte & 15];
        }
    }
    return out;
}

std::optional<std::string> percent_decode(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        if (text.size() - i < 3) return std::nullopt;
        int const high = hex_digit(text[i + 1]);
        int const low = hex_digit(text[i + 2]);
        if (high < 0 || low < 0) return std::nullopt;
        out += static_cast<char>(high * 16 + low);
        i += 2;
    }
    return out;
}

std::string hex(std::string_view bytes) {
    constexpr char digits[] = "0123456789abcdef";
    std::string out;
    out.reserve(bytes.size() * 2);
    for (char const c : bytes) {
        auto const byte = static_cast<unsigned char>(c);
        out += digits[byte >> 4];
        out += digits[byte & 15];
    }
    return out;
}

std::string sha256(std::string_view bytes) {
    std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
    SHA256(reinterpret_cast<unsigned char const*>(bytes.data()), bytes.size(), digest.data());
    return {reinterpret_cast<char const*>(digest.data()), digest.size()};
}

std::size_t utf8_length(std::string_view text) noexcept {
    auto const byte = [&](std::size_t i) -> unsigned { return static_cast<unsigned char>(text[i]); };
    auto const continues = [&](std::size_t i) { return i < text.size() && (byte(i) & 0xC0) == 0x80; };
    unsigned const first = byte(0);
    if (first < 0x80) return 1;
    if (first >= 0xC2 && first <= 0xDF) return continues(1) ? 2 : 0;
    if (first >= 0xE0 && first <= 0xEF) {
        if (!continues(1) || !continues(2)) return 0;
        if ((first == 0xE0 && byte(1) < 0xA0) || (first == 0xED && byte(1) > 0x9F)) return 0;
        return 3;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        if (!continues(1) || !continues(2) || !continues(3)) return 0;
        if ((first == 0xF0 && byte(1) < 0x90) || (first == 0xF4 && byte(1) > 0x8F)) return 0;
        return 4;
    }
    return 0;
}

std::string to_utf8(std::string_view text, std::size_t most) {
    std::string out;
    std::size_t fits = 0;  // where the text may be cut, with room for "..."
    while (!text.empty()) {
        std::size_t const length = utf8_length(text);
        out.append(length == 0 ? std::string_view{"\xEF\xBF\xBD"} : text.substr(0, length));
        text.remove_prefix(length == 0 ? 1 : length);
        if (out.size() > most) {
            out.resize(fits);
            return out.append("...", std::min<std::size_t>(3, most));
        }
        if (out.size() + 3 <= most) fits = out.size();
    }
    return out;
}

std::string to_lower(std::string_view ascii) {
    std::string out{ascii};
    for (char& c : out) c = lower(c);
    return out;
}

bool iequals(std::string_view a, std::string_view b) noexcept {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i)
        if (lower(a[i]) != lower(b[i])) return false;
    return true;
}

}  // namespace jitproxy
