// Time is an input. Deadlines use the steady clock; what the AS says uses the wall clock.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace jitproxy {

using steady_time = std::chrono::steady_clock::time_point;
using wall_time = std::chrono::system_clock::time_point;
using milliseconds = std::chrono::milliseconds;
using seconds = std::chrono::seconds;

// RFC 3339, in UTC with whole seconds; parsing accepts any offset and fractions.
[[nodiscard]] std::string format_rfc3339(wall_time t);
[[nodiscard]] std::optional<wall_time> parse_rfc3339(std::string_view text);
// "500ms", "10s", "5m", "2h", "1d"; nullopt where it is none of these or overflows.
[[nodiscard]] std::optional<milliseconds> parse_duration(std::string_view text);
[[nodiscard]] std::string format_duration(milliseconds d);  // the shortest of the above

// Time and timers as a port: the process's own (net) or a test's.
class scheduler {
  public:
    using timer_id = std::uint64_t;  // never 0
    virtual ~scheduler() = default;
    [[nodiscard]] virtual steady_time now() const = 0;
    [[nodiscard]] virtual wall_time wall_now() const = 0;
    // Calls back once on the scheduler's own thread, never from within this call.
    virtual timer_id call_after(milliseconds delay, std::function<void()> callback) = 0;
    virtual void cancel(timer_id id) = 0;  // unknown and 0 are ignored
};

}  // namespace jitproxy
