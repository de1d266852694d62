// Trouble on demand: each fault hits one endpoint a number of times.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "jitproxy/emulator/message.hpp"

namespace jitproxy::emulator {

enum class fault_kind : std::uint8_t {
    delay,          // waits, then works as ever
    delay_after,    // works, then waits with the answer
    status,         // answers with that status, does nothing
    reset_before,   // resets the connection, does nothing
    reset_after,    // does the work, then resets instead of answering
    truncate,       // does the work, sends half of the answer
    malformed,      // does the work, answers with broken JSON
    wrong_type,     // does the work, answers with an HTML page and status 200
    rate_limit,     // 429 with Retry-After, does nothing
    expired_token,  // kills the bearer that came along, so that the call fails with 401
};

struct fault {
    std::string endpoint;  // its name, or "*"
    fault_kind kind = fault_kind::status;
    unsigned status = 503;
    std::uint64_t delay_ms = 0;
    std::optional<std::int64_t> retry_after;  // of status where set; of rate_limit always
    std::int64_t times = 1;                   // -1: until cleared
};

class fault_list {
  public:
    // Empty where added; else what is wrong.
    std::string add(json::object const& wanted);
    // The oldest fault for that endpoint; used up by one.
    [[nodiscard]] std::optional<fault> take(std::string_view endpoint);
    void clear() { faults_.clear(); }
    [[nodiscard]] json::array to_json() const;

  private:
    std::vector<fault> faults_;
};

// The names an endpoint may have in a fault.
[[nodiscard]] bool is_endpoint_name(std::string_view name) noexcept;

// The answer that takes the place of handling, where the fault does no work.
[[nodiscard]] std::optional<reply> answer_instead(fault const& f);
// What the fault makes of the answer after the work was done.
void spoil(fault const& f, reply& r);

}  // namespace jitproxy::emulator
