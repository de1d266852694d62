// A clock that moves when told.
#pragma once
#include <algorithm>
#include <functional>
#include <map>
#include <utility>

#include "jitproxy/base/clock.hpp"

namespace jitproxy::test {

class manual_clock final : public scheduler {
  public:
    [[nodiscard]] steady_time now() const override { return now_; }
    [[nodiscard]] wall_time wall_now() const override {
        return wall_start_ + std::chrono::duration_cast<wall_time::duration>(now_ - start_);
    }
    timer_id call_after(milliseconds delay, std::function<void()> callback) override {
        timers_.emplace(std::pair(now_ + delay, ++last_), std::move(callback));
        return last_;
    }
    void cancel(timer_id id) override {
        std::erase_if(timers_, [&](auto const& t) { return t.first.second == id; });
    }
    // Runs what is due now, and what that makes due.
    void settle() { advance(milliseconds(0)); }
    void advance(milliseconds by) {
        auto const until = now_ + by;
        while (!timers_.empty() && timers_.begin()->first.first <= until) {
            auto node = timers_.extract(timers_.begin());
            now_ = std::max(now_, node.key().first);
            node.mapped()();
        }
        now_ = until;
    }
    [[nodiscard]] std::size_t timers() const { return timers_.size(); }

  private:
    steady_time start_ = steady_time{} + std::chrono::hours(1000);
    steady_time now_ = start_;
    wall_time wall_start_ = wall_time{} + std::chrono::hours(24 * 365 * 50);
    timer_id last_ = 0;
    std::map<std::pair<steady_time, timer_id>, std::function<void()>> timers_;
};

}  // namespace jitproxy::test
