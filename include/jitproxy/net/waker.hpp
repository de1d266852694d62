// How everything that happens to a connection resumes its one coroutine: sockets that become ready, deadlines, answers
// from the control thread. The coroutine looks at the state of things after each wake-up, so spurious ones do no harm.
#pragma once
#include <coroutine>
#include <utility>

namespace jitproxy::net {

class waker {
  public:
    waker() = default;
    waker(waker const&) = delete;
    waker& operator=(waker const&) = delete;

    // On the connection's thread, at the top of an event handler: may run the coroutine before it returns. Called while
    // the coroutine runs it makes the next wait() return at once.
    void wake() {
        if (auto waiting = std::exchange(waiting_, {}))
            waiting.resume();
        else
            signalled_ = true;
    }

    class awaiter {
      public:
        explicit awaiter(waker& w) noexcept : self_(w) {}
        awaiter(awaiter const&) = delete;
        awaiter& operator=(awaiter const&) = delete;
        ~awaiter() {
            if (armed_) self_.waiting_ = {};  // the coroutine is destroyed while it waits
        }
        bool await_ready() const noexcept { return std::exchange(self_.signalled_, false); }
        void await_suspend(std::coroutine_handle<> h) noexcept {
            armed_ = true;
            self_.waiting_ = h;
        }
        void await_resume() noexcept { armed_ = false; }

      private:
        waker& self_;
        bool armed_ = false;
    };
    // Lives longer than the coroutine that waits.
    [[nodiscard]] awaiter wait() noexcept { return awaiter(*this); }

  private:
    std::coroutine_handle<> waiting_;
    bool signalled_ = false;
};

}  // namespace jitproxy::net
