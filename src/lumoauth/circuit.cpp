#include "jitproxy/lumoauth/circuit.hpp"

#include <algorithm>

namespace jitproxy::lumoauth {

std::optional<seconds> circuit::refuses(steady_time now) {
    if (!open_) return std::nullopt;
    if (now < until_) return std::chrono::ceil<seconds>(until_ - now);
    if (trying_) return seconds{1};  // its answer is awaited
    trying_ = true;
    return std::nullopt;
}

circuit::change circuit::succeeded() noexcept {
    failures_ = 0;
    pause_ = limits_.first_pause;
    trying_ = false;
    if (!open_) return change::none;
    open_ = false;
    return change::closed;
}

circuit::change circuit::failed(steady_time now, seconds wanted) {
    if (limits_.failures == 0) return change::none;
    if (open_ && !trying_) return change::none;  // began before it opened: no news
    if (!open_) {
        if (failures_ == 0 || now - first_failure_ > limits_.window) {
            failures_ = 0;
            first_failure_ = now;
        }
        if (++failures_ < limits_.failures) return change::none;
    }
    auto const news = open_ ? change::none : change::opened;
    open_ = true;
    trying_ = false;
    until_ = now + std::min(std::max(pause_, wanted), limits_.longest_pause);
    pause_ = std::min(2 * pause_, limits_.longest_pause);
    return news;
}

}  // namespace jitproxy::lumoauth
