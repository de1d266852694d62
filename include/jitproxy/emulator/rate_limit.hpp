// A fixed window of one minute, announced in X-RateLimit-* fields (protocol.md, section 2).
#pragma once
#include <cstdint>

#include "jitproxy/base/clock.hpp"
#include "jitproxy/emulator/message.hpp"

namespace jitproxy::emulator {

class rate_limit {
  public:
    explicit rate_limit(std::int64_t per_minute) : limit_(per_minute) {}  // 0: no limit, no fields
    // Counts one call; false where it is one too many.
    bool admit(wall_time now);
    void announce(reply& r, wall_time now) const;
    [[nodiscard]] std::int64_t retry_after(wall_time now) const;  // seconds, at least 1
    void reset() { used_ = 0; }

  private:
    std::int64_t limit_;
    std::int64_t used_ = 0;
    wall_time window_start_{};
};

}  // namespace jitproxy::emulator
