// How dangerous a permission is, and with that whether a human must be asked (protocol.md, section 2).
#pragma once
#include <cstdint>
#include <string_view>

#include "jitproxy/base/json.hpp"

namespace jitproxy::emulator {

enum class risk_level : std::uint8_t {
    low,       // reads: approved at once
    medium,    // writes: approved at once
    high,      // delete, admin, execute, sensitive types: a human decides
    critical,  // payment, user data, credentials, repeated denials: a human decides
};
[[nodiscard]] std::string_view name_of(risk_level level) noexcept;

inline constexpr int denials_that_escalate = 2;  // from then on everything in that task is critical

[[nodiscard]] risk_level classify(json::object const& details, int denials_in_task);
[[nodiscard]] inline bool needs_human(risk_level level) noexcept {
    return level >= risk_level::high;
}

}  // namespace jitproxy::emulator
