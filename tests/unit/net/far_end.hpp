// The two ends of connections in one thread: `here` runs what is tested, with injected time; `listener` and `far_end`
// are the origin, byte by byte. Nothing blocks: what is waited for is polled together with the far ends.
#pragma once
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "jitproxy/net/deadline.hpp"
#include "jitproxy/net/endpoint.hpp"
#include "jitproxy/net/upstreams.hpp"

namespace jitproxy::net::test {

using boost::asio::ip::make_address;

// How many sockets of TCP this process has.
inline std::size_t open_streams() {
    std::size_t n = 0;
    for (int fd = 0; fd < 1024; ++fd) {
        int type = 0;
        socklen_t size = sizeof(type);
        if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM) ++n;
    }
    return n;
}

class far_end {
  public:
    enum class state { open, ended, broken };  // ended: properly, with close_notify where there is TLS

    far_end(int fd, SSL_CTX* tls) : fd_(fd), ssl_(tls != nullptr ? SSL_new(tls) : nullptr, SSL_free) {
        ::fcntl(fd_, F_SETFL, ::fcntl(fd_, F_GETFL) | O_NONBLOCK);
        if (!ssl_) return;
        SSL_set_fd(ssl_.get(), fd_);
        SSL_set_accept_state(ssl_.get());
    }
    far_end(far_end const&) = delete;
    far_end& operator=(far_end const&) = delete;
    ~far_end() { close(); }

    // Takes in what has come; a handshake goes on.
    void pump() {
        char buffer[4096];
        while (fd_ >= 0 && seen == state::open && received.size() < most_received) {
            ERR_clear_error();
            auto const n = ssl_ ? SSL_read(ssl_.get(), buffer, sizeof(buffer))
                                : static_cast<int>(::recv(fd_, buffer, sizeof(buffer), 0));
            if (n > 0) {
                received.append(buffer, static_cast<std::size_t>(n));
                continue;
            }
            if (ssl_) {
                auto const why = SSL_get_error(ssl_.get(), n);
                if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return;
                seen = why == SSL_ERROR_ZERO_RETURN ? state::ended : state::broken;
            } else if (n == 0) {
                seen = state::ended;
            } else if (errno == EAGAIN) {
                return;
            } else {
                seen = state::broken;
            }
        }
    }
    // Of few bytes: they must fit into the socket's buffer.
    void send(std::string_view bytes) {
        auto const n = ssl_ ? SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()))
                            : static_cast<int>(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL));
        REQUIRE(n == static_cast<int>(bytes.size()));
    }
    [[nodiscard]] bool secured() const { return ssl_ && SSL_is_init_finished(ssl_.get()) != 0; }
    [[nodiscard]] SSL* tls() const { return ssl_.get(); }
    [[nodiscard]] int fd() const { return fd_; }
    void end() {  // properly
        if (ssl_) SSL_shutdown(ssl_.get());
        ::shutdown(fd_, SHUT_WR);
    }
    void close() {
        if (fd_ >= 0) ::close(fd_);
        fd_ = -1;
    }
    void reset() {
        linger const now{1, 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
        close();
    }

    std::string received;
    std::size_t most_received = std::string::npos;  // less: a peer that stops reading
    state seen = state::open;

  private:
    int fd_;
    std::unique_ptr<SSL, void (*)(SSL*)> ssl_;
};

class listener {
  public:
    // Port 0: any.
    explicit listener(std::string const& address = "127.0.0.1", std::uint16_t port = 0)
        : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
        int const on = 1;
        ::setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        boost::asio::ip::tcp::endpoint at(make_address(address), port);
        if (::bind(fd_, at.data(), static_cast<socklen_t>(at.size())) != 0 || ::listen(fd_, 16) != 0)
            throw std::runtime_error("cannot listen on " + address);
        socklen_t size = static_cast<socklen_t>(at.capacity());
        ::getsockname(fd_, at.data(), &size);
        at_ = at;
    }
    listener(listener const&) = delete;
    listener& operator=(listener const&) = delete;
    ~listener() {
        for (int const fd : fillers_) ::close(fd);
        ::close(fd_);
    }
    [[nodiscard]] std::uint16_t port() const { return at_.port(); }

    // From now on nobody gets an answer, neither yes nor no: the queue of connections that wait to be accepted is full.
    void jam() {
        ::listen(fd_, 0);
        for (int i = 0; i < 64; ++i) {
            fillers_.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
            (void)::connect(fillers_.back(), at_.data(), static_cast<socklen_t>(at_.size()));
            pollfd p{fillers_.back(), POLLOUT, 0};
            if (::poll(&p, 1, 100) == 0) return;
        }
        throw std::runtime_error("the queue is never full");
    }
    // Null where nobody has come.
    std::unique_ptr<far_end> accept(SSL_CTX* tls = nullptr) {
        int const fd = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
        return fd < 0 ? nullptr : std::make_unique<far_end>(fd, tls);
    }

  private:
    int fd_;
    boost::asio::ip::tcp::endpoint at_;
    std::vector<int> fillers_;
};

struct here {
    boost::asio::io_context io;
    buffer_pool buffers;
    steady_time now = std::chrono::steady_clock::now();
    deadlines clock{now};
    std::vector<far_end*> ends;  // pumped while something is waited for

    // Time goes on by steps of a tick, as a worker's does.
    void pass(milliseconds span, upstreams* pool = nullptr) {
        for (auto left = span; left > milliseconds{0}; left -= tick_length) {
            settle();
            now += tick_length;
            clock.tick(now);
            if (pool != nullptr) pool->tick(now);
        }
        settle();
    }
    // Runs until `done` holds; the limit is for a defect only.
    template <class Done>
    void run_until(Done done) {
        auto const limit = std::chrono::steady_clock::now() + seconds{20};
        while (!done()) {
            REQUIRE(std::chrono::steady_clock::now() < limit);
            io.restart();
            io.run_one_for(milliseconds{1});
            for (auto* end : ends) end->pump();
        }
    }
    // All that is ready is done. What is on its way through the loopback device arrives at once, but nobody promises
    // it.
    void settle() {
        for (int i = 0; i < 20; ++i) {
            io.restart();
            io.poll();
            for (auto* end : ends) end->pump();
        }
    }
    std::unique_ptr<far_end> accept(listener& from, SSL_CTX* tls = nullptr) {
        std::unique_ptr<far_end> end;
        run_until([&] { return (end = from.accept(tls)) != nullptr; });
        return end;
    }
};

// Who wants a connection, with a coroutine of its own.
class seeker {
  public:
    explicit seeker(here& w) : limit(w.clock, wakes), world_(w) {}

    void start(upstreams& from, destination to, bool with_tls = true) {
        outcome.reset();
        root = run(from, std::move(to), with_tls);
        root.start();
    }
    endpoint_ptr finish() {
        world_.run_until([&] { return outcome.has_value(); });
        INFO((outcome->has_error() ? outcome->error() : make_error(errc::internal)));
        REQUIRE(outcome->has_value());
        return std::move(**outcome);
    }
    error fail() {
        world_.run_until([&] { return outcome.has_value(); });
        REQUIRE(outcome->has_error());
        return outcome->error();
    }

    waker wakes;
    deadline limit;
    std::optional<result<endpoint_ptr>> outcome;
    task<> root;

  private:
    task<> run(upstreams& from, destination to, bool with_tls) {
        auto got = co_await from.connect(to, with_tls, wakes, limit);
        outcome.emplace(std::move(got));
    }
    here& world_;
};

inline destination to_origin(http::scheme scheme, std::string const& host, std::uint16_t port,
                             policy::api_ptr api = nullptr) {
    destination to;
    to.scheme = scheme;
    to.authority = *http::parse_authority(host, port);
    to.api = std::move(api);
    to.origin = http::origin_of(scheme, to.authority);
    return to;
}

inline policy::rules_ptr rules_for(std::vector<policy::api> apis = {},
                                   std::vector<std::string> const& reachable = {"127.0.0.0/8", "::1"}) {
    return std::make_shared<policy::rules const>(std::move(apis), policy::egress{},
                                                 *policy::address_guard::create(reachable));
}

}  // namespace jitproxy::net::test
