// Timers and answers that end with their owner.
#pragma once
#include <algorithm>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "jitproxy/base/clock.hpp"

namespace jitproxy::jit {

// One timer; arming it again replaces what it waited for, and destruction cancels it.
class timer {
  public:
    explicit timer(scheduler& clock) : clock_(&clock) {}
    ~timer() { cancel(); }
    timer(timer const&) = delete;
    timer& operator=(timer const&) = delete;

    void arm(milliseconds delay, std::function<void()> callback) {
        cancel();
        id_ = clock_->call_after(std::max(delay, milliseconds(0)), [this, callback = std::move(callback)] {
            id_ = 0;
            callback();  // may destroy this timer
        });
    }
    void cancel() {
        if (id_ != 0) clock_->cancel(std::exchange(id_, 0));
    }
    [[nodiscard]] bool armed() const noexcept { return id_ != 0; }

  private:
    scheduler* clock_;
    scheduler::timer_id id_ = 0;
};

// Answers for callers, or what has time: handed over in order, never from within the call that posts it, and `delay`
// after the first of them at the latest. What is still in it when it is destroyed is not delivered.
class outbox {
  public:
    explicit outbox(scheduler& clock, milliseconds delay = milliseconds(0)) : delay_(delay), timer_(clock) {}

    void post(std::function<void()> answer) {
        waiting_.push_back(std::move(answer));
        if (!timer_.armed()) timer_.arm(delay_, [this] { deliver(); });
    }
    void deliver() {  // all of it now
        if (waiting_.empty()) return;
        timer_.cancel();
        // An answer may destroy the outbox: it is not touched once the first one has been given.
        auto const batch = std::exchange(waiting_, {});
        std::weak_ptr<int> const alive = alive_;
        for (auto const& answer : batch) {
            if (alive.expired()) return;
            answer();
        }
    }

  private:
    milliseconds delay_;
    std::vector<std::function<void()>> waiting_;
    std::shared_ptr<int> alive_ = std::make_shared<int>(0);
    timer timer_;
};

// Wraps a callback so that it does nothing once `owner` is gone.
template <class Owner, class Function>
auto while_alive(std::shared_ptr<Owner> const& owner, Function function) {
    return [weak = std::weak_ptr<Owner>(owner), function = std::move(function)]<class... A>(A&&... a) {
        if (auto const alive = weak.lock()) function(std::forward<A>(a)...);
    };
}

}  // namespace jitproxy::jit
