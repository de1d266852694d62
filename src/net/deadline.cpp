#include "jitproxy/net/deadline.hpp"

namespace jitproxy::net {

deadline::deadline(deadlines& list, waker& target) : list_(list), target_(target) {
    list.entries_.push_back(*this);
}

void deadline::expires_after(milliseconds span) noexcept {
    at_ = list_.now() + span;
    expired_ = false;
}

void deadline::expire() noexcept {
    never();
    expired_ = true;
}

void deadlines::tick(steady_time now) {
    now_ = now;
    // A woken coroutine may end its connection, and with it any number of entries: begin again after each one.
    for (auto entry = entries_.begin(); entry != entries_.end();) {
        if (entry->at_ > now) {
            ++entry;
            continue;
        }
        entry->at_ = steady_time::max();
        entry->expired_ = true;
        entry->target_.wake();
        entry = entries_.begin();
    }
}

}  // namespace jitproxy::net
