// RFC 8785. One deliberate difference: integers that a double cannot hold keep all their digits. The RFC leaves them
// out (I-JSON, section 3.2.2.3), and rounding would make two different needs look like one.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <vector>

#include "jitproxy/base/json.hpp"

namespace jitproxy {
namespace {

void write_string(std::string& out, std::string_view text) {  // section 3.2.2.2
    out += '"';
    for (char const c : text) {
        switch (c) {
            case '"':
                out += "\\\"";
                break;
            case '\\':
                out += "\\\\";
                break;
            case '\b':
                out += "\\b";
                break;
            case '\t':
                out += "\\t";
                break;
            case '\n':
                out += "\\n";
                break;
            case '\f':
                out += "\\f";
                break;
            case '\r':
                out += "\\r";
                break;
            default:
                if (static_cast<unsigned char>(c) < 0x20) {
                    char escape[8];
                    std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(c));
                    out += escape;
                } else {
                    out += c;
                }
        }
    }
    out += '"';
}

// ECMA-262 Number::toString, radix 10: the shortest digits that read back as the same double, laid out by exponent.
void write_double(std::string& out, double d) {
    if (d == 0) {  // also -0
        out += '0';
        return;
    }
    if (!std::isfinite(d)) {  // the parser lets none in; RFC 8785 3.2.2.3 has no form for it
        out += "null";
        return;
    }
    if (d < 0) {
        out += '-';
        d = -d;
    }
    char text[32];
    auto const [end, problem] = std::to_chars(text, text + sizeof text, d, std::chars_format::scientific);
    std::string_view const scientific{text, static_cast<std::size_t>(end - text)};  // "d.ddde±xx"
    static_cast<void>(problem);                                                     // 32 characters always suffice
    auto const e = scientific.find('e');
    std::string digits{scientific.substr(0, 1)};
    if (e > 2) digits += scientific.substr(2, e - 2);
    int exponent = 0;
    auto const* first = scientific.data() + e + (scientific[e + 1] == '+' ? 2 : 1);
    std::from_chars(first, end, exponent);

    int const k = static_cast<int>(digits.size());
    int const n = exponent + 1;  // the decimal point stands behind the n-th digit
    if (k <= n && n <= 21) {
        out.append(digits).append(static_cast<std::size_t>(n - k), '0');
    } else if (0 < n && n <= 21) {
        out.append(digits, 0, static_cast<std::size_t>(n)).append(1, '.');
        out.append(digits, static_cast<std::size_t>(n));
    } else if (-6 < n && n <= 0) {
        out.append("0.").append(static_cast<std::size_t>(-n), '0').append(digits);
    } else {
        out.append(digits, 0, 1);
        if (k > 1) out.append(1, '.').append(digits, 1);
        out.append(n > 0 ? "e+" : "e-").append(std::to_string(std::abs(n - 1)));
    }
}

// Section 3.2.3 sorts by UTF-16 code units. UTF-8 bytes sort by code point, which differs only where one of two
// characters is beyond U+FFFF: as a surrogate pair (D800..DFFF) it goes before U+E000..U+FFFF.
bool utf16_less(std::string_view a, std::string_view b) noexcept {
    auto const [in_a, in_b] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
    if (in_b == b.end()) return false;
    if (in_a == a.end()) return true;
    auto const x = static_cast<unsigned char>(*in_a);
    auto const y = static_cast<unsigned char>(*in_b);
    // The first byte that differs is a leading byte when either is 0xEE or more; 0xF0 and up lead four bytes.
    bool const x_pair = x >= 0xF0;
    bool const y_pair = y >= 0xF0;
    if (x_pair != y_pair && (x >= 0xEE && y >= 0xEE)) return x_pair;
    return x < y;
}

void write_value(std::string& out, json::value const& v);

void write_object(std::string& out, json::object const& o) {
    std::vector<json::key_value_pair const*> members;
    members.reserve(o.size());
    for (auto const& member : o) members.push_back(&member);
    std::sort(members.begin(), members.end(),
              [](auto const* a, auto const* b) { return utf16_less(a->key(), b->key()); });
    out += '{';
    bool first = true;
    for (auto const* member : members) {
        if (!first) out += ',';
        first = false;
        write_string(out, member->key());
        out += ':';
        write_value(out, member->value());
    }
    out += '}';
}

void write_value(std::string& out, json::value const& v) {
    switch (v.kind()) {
        case json::kind::null:
            out += "null";
            break;
        case json::kind::bool_:
            out += v.get_bool() ? "true" : "false";
            break;
        case json::kind::int64:
            out += std::to_string(v.get_int64());
            break;
        case json::kind::uint64:
            out += std::to_string(v.get_uint64());
            break;
        case json::kind::double_:
            write_double(out, v.get_double());
            break;
        case json::kind::string:
            write_string(out, v.get_string());
            break;
        case json::kind::array: {
            out += '[';
            bool first = true;
            for (auto const& element : v.get_array()) {
                if (!first) out += ',';
                first = false;
                write_value(out, element);
            }
            out += ']';
            break;
        }
        case json::kind::object:
            write_object(out, v.get_object());
            break;
    }
}

}  // namespace

std::string canonical_json(json::value const& v) {
    std::string out;
    write_value(out, v);
    return out;
}

}  // namespace jitproxy
