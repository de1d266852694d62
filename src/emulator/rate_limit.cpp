#include "jitproxy/emulator/rate_limit.hpp"

#include <algorithm>

namespace jitproxy::emulator {

namespace {
constexpr seconds window{60};
}

bool rate_limit::admit(wall_time now) {
    if (limit_ <= 0) return true;
    if (now >= window_start_ + window || used_ == 0) {
        window_start_ = now;
        used_ = 0;
    }
    if (used_ >= limit_) return false;
    ++used_;
    return true;
}

void rate_limit::announce(reply& r, wall_time now) const {
    if (limit_ <= 0) return;
    auto const reset = std::chrono::ceil<seconds>((std::max(window_start_ + window, now)).time_since_epoch()).count();
    r.fields.push_back({"X-RateLimit-Limit", std::to_string(limit_)});
    r.fields.push_back({"X-RateLimit-Remaining", std::to_string(std::max<std::int64_t>(0, limit_ - used_))});
    r.fields.push_back({"X-RateLimit-Reset", std::to_string(reset)});
}

std::int64_t rate_limit::retry_after(wall_time now) const {
    return std::max<std::int64_t>(1, std::chrono::ceil<seconds>(window_start_ + window - now).count());
}

}  // namespace jitproxy::emulator
