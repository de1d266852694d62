#include "jitproxy/net/dialer.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

namespace jitproxy::net {

namespace {

// 0: established; EINPROGRESS: not yet; else why not.
int state_of(endpoint& stream) {
    int const fd = stream.native_handle();
    int code = 0;
    socklen_t size = sizeof(code);
    if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) != 0) return errno;
    if (code != 0) return code;
    sockaddr_storage peer{};
    size = sizeof(peer);
    if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0) return 0;
    return errno == ENOTCONN ? EINPROGRESS : errno;
}

error error_of(int code) {
    auto const text = boost::system::error_code(code, boost::system::system_category()).message();
    switch (code) {
        case ECONNREFUSED:
            return make_error(errc::connection_refused, text);
        case ETIMEDOUT:
            return make_error(errc::connection_timeout, text);
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM:
            return make_error(errc::limit_reached, "no socket: " + text);
        default:
            return make_error(errc::unreachable, text);
    }
}

}  // namespace

dialer::dialer(boost::asio::io_context& io, buffer_pool& buffers, policy::address_guard const& guard,
               std::uint16_t port, waker& user, deadline& limit)
    : io_(io), buffers_(buffers), guard_(guard), port_(port), user_(user), limit_(limit), pause_(limit.list(), user) {}

std::optional<result<endpoint_ptr>> dialer::advance() {
    if (auto stream = established()) return result<endpoint_ptr>(std::move(stream));
    for (;;) {
        auto const step = schedule_.next(limit_.list().now());
        if (step.what == attempt_schedule::action::give_up) return result<endpoint_ptr>(schedule_.failure());
        if (step.what == attempt_schedule::action::wait) {
            if (step.pause)
                pause_.expires_after(*step.pause);
            else
                pause_.never();
            break;
        }
        if (auto const allowed = guard_.check(step.to); !allowed) {
            schedule_.failed(step.attempt, allowed.error());
            continue;
        }
        auto begun = begin(step.to);
        if (!begun) {
            schedule_.failed(step.attempt, begun.error());
            continue;
        }
        under_way_.push_back({step.attempt, std::move(*begun)});
        if (auto stream = established()) return result<endpoint_ptr>(std::move(stream));
    }
    if (limit_.expired()) return result<endpoint_ptr>(schedule_.out_of_time());
    return std::nullopt;
}

endpoint_ptr dialer::established() {
    for (auto a = under_way_.begin(); a != under_way_.end();) {
        auto const code = state_of(*a->stream);
        if (code == 0) {
            auto winner = std::move(a->stream);
            under_way_.clear();
            return winner;
        }
        if (code == EINPROGRESS) {
            a->stream->wait_write();
            ++a;
            continue;
        }
        schedule_.failed(a->number, error_of(code));
        a = under_way_.erase(a);
    }
    return nullptr;
}

result<endpoint_ptr> dialer::begin(boost::asio::ip::address const& to) {
    boost::asio::ip::tcp::endpoint const where(to, port_);
    int const fd = ::socket(where.protocol().family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
    if (fd < 0) return error_of(errno);
    auto stream = std::make_unique<endpoint>(io_, fd, buffers_);
    stream->set_waker(&user_);
    // A signal does not end it: it goes on in the background.
    if (::connect(fd, where.data(), static_cast<socklen_t>(where.size())) != 0 && errno != EINPROGRESS &&
        errno != EINTR)
        return error_of(errno);
    return stream;
}

}  // namespace jitproxy::net
