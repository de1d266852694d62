// Answers from elsewhere for a waiting coroutine, the latest at a time. The coroutine may be gone when the answer
// comes.
#pragma once
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <memory>
#include <optional>
#include <utility>

#include "jitproxy/net/task.hpp"
#include "jitproxy/net/waker.hpp"

namespace jitproxy::net {

// Lives on the coroutine's side and thread.
template <class T>
class mailbox {
  public:
    explicit mailbox(waker& target) : box_(std::make_shared<box>()) { box_->target = &target; }
    ~mailbox() { box_->target = nullptr; }
    mailbox(mailbox const&) = delete;
    mailbox& operator=(mailbox const&) = delete;

    [[nodiscard]] bool full() const noexcept { return box_->value.has_value(); }
    // Leaves it empty, for another one.
    [[nodiscard]] T take() {
        T taken = std::move(*box_->value);
        box_->value.reset();
        return taken;
    }

    // A function object that delivers on this same thread.
    [[nodiscard]] auto deliver_here() {
        return [b = box_](T value) { put(*b, std::move(value)); };
    }
    // A function object for any thread: the value travels through `io`, on whose thread the coroutine runs.
    [[nodiscard]] auto deliver_through(boost::asio::io_context& io) {
        return [b = box_, &io](T value) {
            boost::asio::post(io, [b, v = std::move(value)]() mutable { put(*b, std::move(v)); });
        };
    }

  private:
    struct box {
        waker* target = nullptr;
        std::optional<T> value;
    };
    static void put(box& b, T value) {
        b.value.emplace(std::move(value));
        if (b.target != nullptr) b.target->wake();
    }
    std::shared_ptr<box> box_;
};

// Lets the worker's other connections have their turn. A relay whose two ends are both fast calls it now and then.
inline task<> breathe(boost::asio::io_context& io, waker& self) {
    mailbox<bool> turn(self);
    boost::asio::post(io, [deliver = turn.deliver_here()] { deliver(true); });
    while (!turn.full()) co_await self.wait();
}
inline constexpr unsigned turns_before_breath = 16;

}  // namespace jitproxy::net
