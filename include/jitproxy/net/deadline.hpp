// Deadlines without a timer each: an entry is a time in a list that its worker looks through at every tick. Setting one
// costs a store. A tick comes every 100 ms, so a deadline is that much coarse.
#pragma once
#include <boost/intrusive/list.hpp>

#include "jitproxy/base/clock.hpp"
#include "jitproxy/net/waker.hpp"

namespace jitproxy::net {

inline constexpr milliseconds tick_length{100};

class deadlines;

// Owned by a connection; leaves the list by itself when destroyed.
class deadline : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
  public:
    deadline(deadlines& list, waker& target);
    // The connection's coroutine is woken once this much time has passed; a later call replaces an earlier one.
    void expires_after(milliseconds span) noexcept;
    void never() noexcept { at_ = steady_time::max(); }
    // Now, whatever time was set: for who ends what the connection is doing. Wakes nobody.
    void expire() noexcept;
    // True from the tick on that found it passed, until it is set anew.
    [[nodiscard]] bool expired() const noexcept { return expired_; }
    [[nodiscard]] deadlines& list() const noexcept { return list_; }

  private:
    friend class deadlines;
    deadlines& list_;
    waker& target_;
    steady_time at_ = steady_time::max();
    bool expired_ = false;
};

class deadlines {
  public:
    explicit deadlines(steady_time now) : now_(now) {}
    // The worker's idea of now: the time of the last tick.
    [[nodiscard]] steady_time now() const noexcept { return now_; }
    void tick(steady_time now);

  private:
    friend class deadline;
    steady_time now_;
    boost::intrusive::list<deadline, boost::intrusive::constant_time_size<false>> entries_;
};

}  // namespace jitproxy::net
