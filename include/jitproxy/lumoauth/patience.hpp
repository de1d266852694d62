// What is done about an authorization server in trouble, for all callers together: how long it wants to be left alone
// (429, Retry-After), and whether it is up at all. What may be sent again, and when, is the caller's to decide.
#pragma once
#include <functional>
#include <optional>
#include <string>

#include "jitproxy/base/error.hpp"
#include "jitproxy/lumoauth/circuit.hpp"
#include "jitproxy/lumoauth/rate_memory.hpp"
#include "jitproxy/lumoauth/wire.hpp"

namespace jitproxy::lumoauth {

// These tell of the server itself; other errors of the one call.
[[nodiscard]] bool is_trouble(errc code) noexcept;

class patience {
  public:
    // Called when the circuit opens, with the last failure, and when it closes.
    using change_function = std::function<void(bool down, std::string const& why)>;

    patience(circuit::limits limits, change_function changed) : circuit_(limits), changed_(std::move(changed)) {}

    // nullopt: the call may be made, and its end must be told. Errors: as_rate_limited, as_down. What closes things
    // (completion, revocation) is never held back by the circuit: it has pauses of its own, and must not be late.
    [[nodiscard]] std::optional<error> refuses(endpoint e, steady_time now);
    void heard(endpoint e, wire_answer const& answer, wall_time wall_now, steady_time now);
    // nullopt: it succeeded.
    void ended(std::optional<error> const& failed, steady_time now);

  private:
    rate_memory rates_;
    circuit circuit_;
    change_function changed_;
    std::string last_failure_;
};

}  // namespace jitproxy::lumoauth
