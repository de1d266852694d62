// How everything that happens to a connection resumes its one coroutine: sockets that become ready, deadlines, answers from the
// control thread. The coroutine looks at the state of things after each wake-up, so spurious ones do no harm.
#pragma once
#include <coroutine>
#include <utility>

namespace jitproxy::net {

class waker {
  public:
    waker() = default;
    waker(waker const&) = delete;
    waker& operator=(waker const&) = delete;

    // On the connection's thread, at the top of an event handler: may run the coroutine before it returns. Called while the
    // coroutine runs it makes the next wait() return at once.
    void wake() {
        if (auto waiting = std::exchange(waiting_, {}))
            waiting.resume();
        else
            signalled_ = true;
    }

    struct awaiter {
        waker& self;
        bool await_ready() const noexcept { return std::exchange(self.signalled_, false); }
        void await_suspend(std::coroutine_handle<> h) const noexcept { self.waiting_ = h; }
        void await_resume() const noexcept {}
    };
    [[nodiscard]] awaiter wait() noexcept { return {*this}; }

  private:
    std::coroutine_handle<> waiting_;
    bool signalled_ = false;
};

}  // namespace jitproxy::net
