// Remembers how long the authorization server wants to be left alone, for all callers together: after a 429 further
// calls to the same endpoint would only be refused again and lengthen the wait.
#pragma once
#include <algorithm>
#include <array>
#include <optional>

#include "jitproxy/base/clock.hpp"
#include "jitproxy/lumoauth/wire.hpp"

namespace jitproxy::lumoauth {

class rate_memory {
  public:
    // A server that asks for a day because its clock is wrong must not silence the proxy for a day.
    static constexpr seconds longest{std::chrono::minutes{5}};

    void refused(endpoint e, seconds wait, steady_time now) noexcept {
        auto& until = until_[static_cast<std::size_t>(e)];
        until = std::max(until, now + std::min(wait, longest));
    }

    // The time that is left, rounded up; nullopt where calls are welcome.
    [[nodiscard]] std::optional<seconds> left(endpoint e, steady_time now) const noexcept {
        auto const until = until_[static_cast<std::size_t>(e)];
        if (until <= now) return std::nullopt;
        return std::chrono::ceil<seconds>(until - now);
    }

  private:
    std::array<steady_time, endpoint_count> until_{};
};

}  // namespace jitproxy::lumoauth
