#include "jitproxy/base/log_line.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "jitproxy/base/clock.hpp"
#include "jitproxy/base/encoding.hpp"

namespace jitproxy::log {
namespace {

constexpr std::string_view name_of(level l) noexcept {
    switch (l) {
        case level::debug:
            return "debug";
        case level::info:
            return "info";
        case level::warning:
            return "warning";
        default:
            return "error";
    }
}

constexpr char priority_of(level l) noexcept {  // syslog(3)
    switch (l) {
        case level::debug:
            return '7';
        case level::info:
            return '6';
        case level::warning:
            return '4';
        default:
            return '3';
    }
}

void append_escape(std::string& out, char const* pattern, unsigned value) {
    char text[8];
    std::snprintf(text, sizeof text, pattern, value);
    out += text;
}

constexpr bool is_plain(char c) noexcept {  // stands for itself everywhere
    return c >= 0x20 && c < 0x7f && c != '\\' && c != '"';
}

// Text as it may stand on one line of a terminal or in a JSON string. C1 controls (U+0080..U+009F) are controls to a
// terminal as well, and U+2028 and U+2029 end a line for some readers.
void append_escaped(std::string& out, std::string_view text, bool for_json) {
    while (!text.empty()) {
        std::size_t plain = 0;
        while (plain != text.size() && is_plain(text[plain])) ++plain;
        out.append(text.substr(0, plain));
        text.remove_prefix(plain);
        if (text.empty()) return;
        auto const c = static_cast<unsigned char>(text.front());
        std::size_t const length = utf8_length(text);
        if (length == 0) {
            if (for_json)
                out += "\\ufffd";
            else
                append_escape(out, "\\x%02x", c);
            text.remove_prefix(1);
            continue;
        }
        std::string_view const character = text.substr(0, length);
        text.remove_prefix(length);
        if (c == '\n') {
            out += "\\n";
        } else if (c == '\r') {
            out += "\\r";
        } else if (c == '\t') {
            out += "\\t";
        } else if (c < 0x20 || c == 0x7F) {
            append_escape(out, for_json ? "\\u%04x" : "\\x%02x", c);
        } else if (c == 0xC2 && static_cast<unsigned char>(character[1]) < 0xA0) {
            append_escape(out, "\\u%04x", static_cast<unsigned char>(character[1]));
        } else if (character == "\xE2\x80\xA8" || character == "\xE2\x80\xA9") {
            append_escape(out, "\\u%04x", 0x2000U + static_cast<unsigned char>(character[2]) - 0x80U);
        } else if (c == '\\' || (c == '"' && for_json)) {
            out.append(1, '\\').append(character);
        } else {
            out += character;
        }
    }
}

void append_json(std::string& out, std::string_view text) {
    out += '"';
    append_escaped(out, text, true);
    out += '"';
}

// Quoted where it would not be one word.
void append_text_value(std::string& out, std::string_view text) {
    if (!text.empty() && text.find_first_of(" \"=\\") == text.npos) {
        append_escaped(out, text, false);
        return;
    }
    out += '"';
    for (std::size_t quote; (quote = text.find('"')) != text.npos; text.remove_prefix(quote + 1)) {
        append_escaped(out, text.substr(0, quote), false);
        out += "\\\"";
    }
    append_escaped(out, text, false);
    out += '"';
}

// A field of journald's native protocol. A value with a line end goes in the binary form: the name alone, its length as
// 64 bits, the lowest byte first, and the value.
void append_journal_value(std::string& out, std::string_view value) {
    if (value.find('\n') == value.npos) {
        out.append(1, '=').append(value).append(1, '\n');
        return;
    }
    out += '\n';
    for (unsigned shift = 0; shift != 64; shift += 8) out += static_cast<char>(value.size() >> shift & 0xff);
    out.append(value).append(1, '\n');
}

void append_journal_name(std::string& out, std::string_view key) {
    out += "JITPROXY_";
    for (char const c : key) out += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

std::string_view write_digits(char (&into)[24], std::uint64_t n) {
    return {into, static_cast<std::size_t>(std::to_chars(into, into + sizeof into, n).ptr - into)};
}

}  // namespace

void line::stamp(std::chrono::system_clock::time_point written) {
    auto const whole = std::chrono::floor<std::chrono::seconds>(written);
    auto const second = std::chrono::system_clock::to_time_t(whole);
    if (second != second_) {
        second_ = second;
        stamp_ = format_rfc3339(whole);
        stamp_.replace(stamp_.size() - 1, 1, ".000Z");
    }
    auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(written - whole).count();
    for (auto place = stamp_.size() - 2; place != stamp_.size() - 5; --place, ms /= 10)
        stamp_[place] = static_cast<char>('0' + ms % 10);
}

void line::begin(format form, level l, std::string_view message, std::chrono::system_clock::time_point written) {
    form_ = form;
    stamp(written);
    text_.clear();
    datagram_.clear();
    if (form_ == format::json) {
        text_.append("{\"time\":\"").append(stamp_).append("\",\"level\":\"").append(name_of(l));
        text_ += "\",\"message\":";
        append_json(text_, message);
        return;
    }
    text_.append(stamp_).append(1, ' ').append(name_of(l)).append(1, ' ');
    message_at_ = text_.size();
    append_escaped(text_, message, false);
    if (form_ == format::journald)
        datagram_.append("PRIORITY=").append(1, priority_of(l)).append("\nSYSLOG_IDENTIFIER=jitproxy\n");
}

void line::add(std::string_view key, std::string_view value) {
    if (form_ == format::json) {
        text_ += ',';
        append_json(text_, key);
        text_ += ':';
        append_json(text_, value);
        return;
    }
    text_.append(1, ' ').append(key).append(1, '=');
    append_text_value(text_, value);
    if (form_ != format::journald) return;
    append_journal_name(datagram_, key);
    append_journal_value(datagram_, value);
}

void line::add_bare(std::string_view key, std::string_view value) {
    if (form_ != format::json) return add(key, value);
    text_ += ',';
    append_json(text_, key);
    text_.append(1, ':').append(value);
}

void line::add_count(std::string_view key, std::uint64_t n) {
    char digits[24];
    add_bare(key, write_digits(digits, n));
}

void line::add_milliseconds(std::string_view key, std::chrono::microseconds duration) {
    auto const us = static_cast<std::uint64_t>(std::max<std::int64_t>(duration.count(), 0));
    char digits[24];
    auto const whole = write_digits(digits, us / 1000);
    char* end = digits + whole.size();
    *end++ = '.';
    for (std::uint64_t place = 100; place != 0; place /= 10) *end++ = static_cast<char>('0' + us % 1000 / place % 10);
    add_bare(key, {digits, static_cast<std::size_t>(end - digits)});
}

void line::end() {
    if (form_ == format::json) text_ += '}';
    // The message holds the fields too, as `journalctl` shows nothing else unless it is told to.
    if (form_ == format::journald) datagram_.append("MESSAGE=").append(text_, message_at_, text_.npos).append(1, '\n');
}

}  // namespace jitproxy::log
