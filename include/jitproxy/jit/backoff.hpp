// Growing pauses between attempts.
#pragma once
#include <algorithm>

#include "jitproxy/base/clock.hpp"

namespace jitproxy::jit {

class backoff {
  public:
    backoff(milliseconds first, milliseconds longest, unsigned percent = 200)
        : first_(first), longest_(longest), next_(first), percent_(percent) {}

    // The pause before the next attempt. What the other side asked for (Retry-After, in seconds; 0: nothing) wins where
    // it is longer.
    milliseconds next(int retry_after = 0) {
        auto const pause = next_;
        next_ = std::min(longest_, milliseconds(next_.count() * percent_ / 100));
        return std::max<milliseconds>(pause, seconds(retry_after));
    }
    void reset() { next_ = first_; }

  private:
    milliseconds first_;
    milliseconds longest_;
    milliseconds next_;
    unsigned percent_;
};

}  // namespace jitproxy::jit
