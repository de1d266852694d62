// The log front: one line an event, levels, key=value fields. It waits for no reader (stderr_sink.hpp).
#pragma once
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

#include "jitproxy/base/log_line.hpp"

namespace jitproxy::log {

// A field's value is text or a number. There is no way to pass a secret: it has no string conversion.
struct field {
    std::string_view key;
    std::string value;
    bool bare = false;  // a number or truth value: JSON writes it without quotes
    field(std::string_view k, std::string_view v) : key(k), value(v) {}
    field(std::string_view k, char const* v) : key(k), value(v) {}
    field(std::string_view k, std::string const& v) : key(k), value(v) {}
    template <class N>
    requires std::is_arithmetic_v<N> field(std::string_view k, N n) : key(k), value(text_of(n)), bare(true) {}

  private:
    static std::string text_of(bool b) { return b ? "true" : "false"; }
    static std::string text_of(double d);  // not finite: "null"
    template <class N>
    static std::string text_of(N n) {
        if constexpr (std::is_floating_point_v<N>)
            return text_of(static_cast<double>(n));
        else
            return std::to_string(n);
    }
};

void configure(level minimum, format form);  // stderr; before threads start, and again at reload
// Where datagrams for journald go; any thread, and never blocks. False: it could not take this one, which is written to
// stderr as text then. nullptr: nowhere.
void set_journal(bool (*take)(std::string_view datagram) noexcept);
[[nodiscard]] bool enabled(level l) noexcept;
[[nodiscard]] format current_format() noexcept;
// Control characters in message and values are escaped: one call is one line.
void write(level l, std::string_view message, std::initializer_list<field> fields = {});

// A line that was made elsewhere, in the current format, whose level is enabled.
void write(line const& l);
// A line as it is, without time and level, on stderr in every format: what a start says of itself.
void announce(std::string_view text);

inline void debug(std::string_view m, std::initializer_list<field> f = {}) {
    write(level::debug, m, f);
}
inline void info(std::string_view m, std::initializer_list<field> f = {}) {
    write(level::info, m, f);
}
inline void warning(std::string_view m, std::initializer_list<field> f = {}) {
    write(level::warning, m, f);
}
inline void error(std::string_view m, std::initializer_list<field> f = {}) {
    write(level::error, m, f);
}

// Tests: takes every line or datagram (after formatting, without newline) instead of stderr or the journal; nullptr
// puts them back.
void capture(void (*sink)(std::string_view line));

}  // namespace jitproxy::log
