#include "jitproxy/net/readiness.hpp"

#include <sys/epoll.h>

#include <array>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <system_error>
#include <utility>

namespace jitproxy::net {

namespace {

constexpr int edges_at_once = 64;
constexpr std::uint32_t all_edges = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;  // and EPOLLERR, EPOLLHUP unasked

int make_set() {
    int const set = ::epoll_create1(EPOLL_CLOEXEC);
    if (set < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
    return set;
}

}  // namespace

boost::asio::execution_context::id readiness::id;

readiness::readiness(boost::asio::execution_context& context)
    : service(context), set_(static_cast<boost::asio::io_context&>(context).get_executor(), make_set()) {
    await_edges();
}

void readiness::shutdown() {
    boost::system::error_code ignored;
    set_.close(ignored);
    forgotten_.clear();
    put_off_.clear();
}

result<watch_ptr> readiness::add(int descriptor) {
    watch_ptr w(new watch);
    epoll_event wanted{};
    wanted.events = all_edges;
    wanted.data.ptr = w.get();
    if (::epoll_ctl(set_.native_handle(), EPOLL_CTL_ADD, descriptor, &wanted) != 0)
        return make_error(errc::limit_reached, "a socket cannot be watched: " + std::generic_category().message(errno) +
                                                   "; the system's limit is fs.epoll.max_user_watches");
    return w;
}

void readiness::put_off(watch_ptr const& w) {
    w->readable = false;
    put_off_.push_back(w);
    if (put_off_.size() > 1) return;
    boost::asio::post(set_.get_executor(), [this] {
        for (auto const& each : std::exchange(put_off_, {})) {
            each->readable = true;
            each->tell();
        }
    });
}

void readiness::forget(watch_ptr w) {
    w->target = nullptr;
    if (dispatching_) forgotten_.push_back(std::move(w));
}

void readiness::await_edges() {
    set_.async_wait(set_descriptor::wait_read, [this](boost::system::error_code ec) {
        if (ec) return;
        dispatch();
        await_edges();
    });
}

void readiness::dispatch() {
    std::array<epoll_event, edges_at_once> edges;  // NOLINT: filled by the kernel
    int const count = ::epoll_wait(set_.native_handle(), edges.data(), edges_at_once, 0);
    dispatching_ = true;
    for (int i = 0; i < count; ++i) {
        auto const& edge = edges[static_cast<std::size_t>(i)];
        auto& w = *static_cast<watch*>(edge.data.ptr);
        if ((edge.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) w.ended = true;
        if ((edge.events & (EPOLLHUP | EPOLLERR)) != 0) w.broken = true;
        if ((edge.events & EPOLLIN) != 0 || w.ended) w.readable = true;
        if ((edge.events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) w.writable = true;
        w.tell();
    }
    dispatching_ = false;
    forgotten_.clear();
}

}  // namespace jitproxy::net
