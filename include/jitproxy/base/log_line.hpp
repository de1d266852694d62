// One line of the log while it is made. It keeps its memory, so that whoever writes many lines makes them in one object
// of its own without an allocation each. Used by one thread at a time.
#pragma once
#include <chrono>
#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>

namespace jitproxy::log {

enum class level : std::uint8_t { debug, info, warning, error, off };
enum class format : std::uint8_t {
    text,      // for people: time level message key=value …
    json,      // one object a line
    journald,  // a datagram in journald's native protocol: MESSAGE, PRIORITY and a field JITPROXY_KEY for each key
};

class line {
  public:
    // Of `written`: the time that a text or JSON line shows. What was added before is forgotten.
    void begin(format form, level l, std::string_view message,
               std::chrono::system_clock::time_point written = std::chrono::system_clock::now());
    // Keys are of lower-case letters, digits and "_". Control characters are escaped where the line is for people or
    // JSON; journald gets values as they are.
    void add(std::string_view key, std::string_view value);
    void add_bare(std::string_view key, std::string_view value);  // a number or truth value: JSON shows it unquoted
    void add_count(std::string_view key, std::uint64_t n);
    void add_milliseconds(std::string_view key, std::chrono::microseconds duration);  // "1.204"
    void end();

    // After end(): the line without its line end, or the datagram.
    [[nodiscard]] std::string_view record() const noexcept { return form_ == format::journald ? datagram_ : text_; }
    // The same as a line for stderr: for text and JSON record(), for journald a text line.
    [[nodiscard]] std::string_view text() const noexcept { return text_; }
    [[nodiscard]] format form() const noexcept { return form_; }

  private:
    void stamp(std::chrono::system_clock::time_point written);

    format form_ = format::text;
    std::string text_;
    std::size_t message_at_ = 0;  // in text_: behind time and level
    std::string datagram_;
    std::string stamp_;        // "2026-01-01T00:00:00.000Z"
    std::time_t second_ = -1;  // that it stands for
};

}  // namespace jitproxy::log
