#include "jitproxy/base/clock.hpp"

#include <charconv>
#include <cstdio>
#include <limits>

namespace jitproxy {
namespace {

// Reads numbers and marks off the front of a text; every step fails quietly once one has.
class cursor {
  public:
    explicit cursor(std::string_view text) : rest_(text) {}

    int digits(std::size_t count) {
        if (rest_.size() < count) return fail();
        int value = 0;
        for (char const c : rest_.substr(0, count)) {
            if (c < '0' || c > '9') return fail();
            value = value * 10 + (c - '0');
        }
        rest_.remove_prefix(count);
        return value;
    }
    bool accept(char upper, char lower) {
        if (rest_.empty() || (rest_.front() != upper && rest_.front() != lower)) return false;
        rest_.remove_prefix(1);
        return true;
    }
    void expect(char c) {
        if (!accept(c, c)) fail();
    }
    [[nodiscard]] bool at_digit() const { return !rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9'; }
    [[nodiscard]] bool finished() const { return ok_ && rest_.empty(); }
    int fail() {
        ok_ = false;
        return 0;
    }

  private:
    std::string_view rest_;
    bool ok_ = true;
};

struct unit {
    std::string_view name;
    std::int64_t milliseconds;
};
// Largest first, for the shortest spelling.
constexpr unit units[] = {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}};

}  // namespace

std::string format_rfc3339(wall_time t) {
    using namespace std::chrono;
    auto const whole = floor<std::chrono::seconds>(t);
    auto const day = floor<days>(whole);
    year_month_day const date{day};
    hh_mm_ss const time{whole - day};
    char text[64];
    std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02dZ", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                  static_cast<int>(time.seconds().count()));
    return text;
}

std::optional<wall_time> parse_rfc3339(std::string_view text) {
    using namespace std::chrono;
    cursor in{text};
    int const year_number = in.digits(4);
    in.expect('-');
    int const month_number = in.digits(2);
    in.expect('-');
    int const day_number = in.digits(2);
    if (!in.accept('T', 't')) in.expect(' ');  // RFC 3339 5.6: a space is in use as well
    int const hour = in.digits(2);
    in.expect(':');
    int const minute = in.digits(2);
    in.expect(':');
    int const second = in.digits(2);
    nanoseconds fraction{0};
    if (in.accept('.', '.')) {
        if (!in.at_digit()) in.fail();
        for (std::int64_t scale = 100'000'000; in.at_digit(); scale /= 10)
            fraction += nanoseconds{in.digits(1) * scale};
    }
    minutes offset{0};
    if (!in.accept('Z', 'z')) {
        bool const west = in.accept('-', '-');
        if (!west) in.expect('+');
        int const hours_off = in.digits(2);
        in.expect(':');
        int const minutes_off = in.digits(2);
        if (hours_off > 23 || minutes_off > 59) return std::nullopt;
        offset = hours{hours_off} + minutes{minutes_off};
        if (west) offset = -offset;
    }
    year_month_day const date{year{year_number}, month{static_cast<unsigned>(month_number)},
                              day{static_cast<unsigned>(day_number)}};
    // 60 is a leap second; it is read as the first second of the next minute.
    if (!in.finished() || !date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
    // The system clock counts nanoseconds in 64 bits: years before 1678 and after 2261 do not fit.
    if (year_number < 1678 || year_number > 2261) return std::nullopt;
    auto const moment = sys_days{date} + hours{hour} + minutes{minute} + std::chrono::seconds{second} - offset;
    return time_point_cast<system_clock::duration>(moment) + duration_cast<system_clock::duration>(fraction);
}

std::optional<milliseconds> parse_duration(std::string_view text) {
    std::uint64_t number = 0;
    auto const [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (problem != std::errc{}) return std::nullopt;
    auto const suffix = text.substr(static_cast<std::size_t>(end - text.data()));
    // A century is enough for everybody, and sums of durations with time points cannot overflow.
    constexpr std::uint64_t longest = 36'525ULL * 86'400'000;
    for (auto const& u : units) {
        if (suffix != u.name) continue;
        if (number > longest / static_cast<std::uint64_t>(u.milliseconds)) return std::nullopt;
        return milliseconds{static_cast<std::int64_t>(number) * u.milliseconds};
    }
    return std::nullopt;
}

std::string format_duration(milliseconds d) {
    if (d.count() == 0) return "0s";
    for (auto const& u : units)
        if (d.count() % u.milliseconds == 0) return std::to_string(d.count() / u.milliseconds).append(u.name);
    return {};  // never: the last unit divides everything
}

}  // namespace jitproxy
