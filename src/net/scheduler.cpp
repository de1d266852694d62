#include "jitproxy/net/scheduler.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <optional>
#include <unordered_map>
#include <utility>

namespace jitproxy::net {

struct asio_scheduler::impl {
    explicit impl(boost::asio::io_context& context) : io(context) {}

    struct entry {
        std::optional<boost::asio::steady_timer> timer;  // none where there is nothing to wait for
        std::function<void()> callback;
    };
    boost::asio::io_context& io;
    timer_id last = 0;
    std::unordered_map<timer_id, entry> due;

    // What decides is whether the entry is still there, not the timer's error: a timer that expired before it was
    // cancelled reports success.
    void fire(timer_id id) {
        auto node = due.extract(id);
        if (!node.empty()) node.mapped().callback();
    }
};

asio_scheduler::asio_scheduler(boost::asio::io_context& io) : impl_(std::make_shared<impl>(io)) {}

asio_scheduler::~asio_scheduler() {
    auto const dropped = std::exchange(impl_->due, {});  // callbacks may own what uses this scheduler
}

steady_time asio_scheduler::now() const {
    return std::chrono::steady_clock::now();
}

wall_time asio_scheduler::wall_now() const {
    return std::chrono::system_clock::now();
}

scheduler::timer_id asio_scheduler::call_after(milliseconds delay, std::function<void()> callback) {
    auto const id = ++impl_->last;
    auto& timer = impl_->due.emplace(id, impl::entry{{}, std::move(callback)}).first->second.timer;
    auto fire = [weak = std::weak_ptr{impl_}, id](auto...) {
        if (auto const self = weak.lock()) self->fire(id);
    };
    if (delay <= milliseconds{0}) {
        boost::asio::post(impl_->io, std::move(fire));
    } else {
        timer.emplace(impl_->io, delay);
        timer->async_wait(std::move(fire));
    }
    return id;
}

void asio_scheduler::cancel(timer_id id) {
    auto const dropped = impl_->due.extract(id);  // destroyed last: its callback may own what called this
}

}  // namespace jitproxy::net
