#include "jitproxy/net/socket_owner.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "catch.hpp"

using namespace jitproxy;

namespace {

class owned_fd {
  public:
    explicit owned_fd(int n) : n_(n) { REQUIRE(n >= 0); }
    ~owned_fd() { reset(); }
    owned_fd(owned_fd const&) = delete;
    owned_fd& operator=(owned_fd const&) = delete;
    [[nodiscard]] int get() const { return n_; }
    void reset() {
        if (n_ >= 0) ::close(n_);
        n_ = -1;
    }

  private:
    int n_;
};

union any_address {
    sockaddr plain;
    sockaddr_in v4;
    sockaddr_in6 v6;
};

socklen_t sockaddr_of(any_address& a, int family, char const* text, std::uint16_t port) {
    std::memset(&a, 0, sizeof a);
    if (family == AF_INET) {
        a.v4.sin_family = AF_INET;
        a.v4.sin_port = htons(port);
        inet_pton(AF_INET, text, &a.v4.sin_addr);
        return sizeof a.v4;
    }
    a.v6.sin6_family = AF_INET6;
    a.v6.sin6_port = htons(port);
    inet_pton(AF_INET6, text, &a.v6.sin6_addr);
    return sizeof a.v6;
}

struct tcp_server {
    owned_fd socket;
    std::uint16_t port = 0;

    explicit tcp_server(int family, char const* text) : socket(::socket(family, SOCK_STREAM, 0)) {
        any_address a{};
        auto size = sockaddr_of(a, family, text, 0);
        int const off = 0;
        if (family == AF_INET6) ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
        REQUIRE(::bind(socket.get(), &a.plain, size) == 0);
        REQUIRE(::listen(socket.get(), 8) == 0);
        REQUIRE(::getsockname(socket.get(), &a.plain, &size) == 0);
        port = ntohs(family == AF_INET ? a.v4.sin_port : a.v6.sin6_port);
    }
    [[nodiscard]] int accept() const { return ::accept(socket.get(), nullptr, nullptr); }
};

int dial(int family, char const* text, std::uint16_t port) {
    int const s = ::socket(family, SOCK_STREAM, 0);
    any_address a{};
    auto const size = sockaddr_of(a, family, text, port);
    return ::connect(s, &a.plain, size) == 0 ? s : -1;
}

bool ipv6_here() {
    owned_fd const s(::socket(AF_INET6, SOCK_STREAM, 0));
    any_address a{};
    auto const size = sockaddr_of(a, AF_INET6, "::1", 0);
    return ::bind(s.get(), &a.plain, size) == 0;
}

}  // namespace

TEST_CASE("the user at the other end of a loopback connection") {
    struct direction {
        int listens;
        char const* at;
        int connects;
        char const* to;
    };
    auto const w = GENERATE(
        direction{AF_INET, "127.0.0.1", AF_INET, "127.0.0.1"}, direction{AF_INET6, "::1", AF_INET6, "::1"},
        direction{AF_INET6, "::", AF_INET, "127.0.0.1"}, direction{AF_INET6, "::", AF_INET6, "::ffff:127.0.0.1"},
        direction{AF_INET, "127.0.0.1", AF_INET6, "::ffff:127.0.0.1"});
    if (w.listens == AF_INET6 && !ipv6_here()) return;
    CAPTURE(w.at, w.to);
    tcp_server const l(w.listens, w.at);
    owned_fd const client(dial(w.connects, w.to, l.port));
    owned_fd const server(l.accept());
    auto const owner = net::owner_of_peer(server.get());
    REQUIRE(owner.has_value());
    CHECK(*owner == getuid());
    ::shutdown(client.get(), SHUT_WR);  // it has ended its side, and is there all the same
    CHECK(net::owner_of_peer(server.get()).has_value());
}

TEST_CASE("a client of another user is told apart") {
    if (getuid() != 0) return;  // only root can act as another
    constexpr uid_t other = 65534;
    tcp_server const l(AF_INET, "127.0.0.1");
    auto const child = ::fork();
    if (child == 0) {
        if (::setuid(other) != 0) ::_exit(1);
        int const s = dial(AF_INET, "127.0.0.1", l.port);
        char byte = 0;
        ::_exit(s >= 0 && ::read(s, &byte, 1) == 0 ? 0 : 2);  // until the other side ends it
    }
    {
        owned_fd const server(l.accept());
        auto const owner = net::owner_of_peer(server.get());
        REQUIRE(owner.has_value());
        CHECK(*owner == other);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("a client that has gone belongs to nobody, least of all to root") {
    tcp_server const l(AF_INET, "127.0.0.1");
    owned_fd client(dial(AF_INET, "127.0.0.1", l.port));
    owned_fd const server(l.accept());
    client.reset();  // FIN_WAIT2: the kernel knows it yet, without its owner
    auto const owner = net::owner_of_peer(server.get());
    REQUIRE(owner.has_error());
    CHECK(owner.error().code == errc::user_denied);
}

TEST_CASE("a listener on the port of a client that has gone is not taken for it") {
    tcp_server const l(AF_INET, "127.0.0.1");
    bool bound = false;
    for (int i = 0; i != 50 && !bound; ++i) {  // connections of others to other places may have the same port
        owned_fd client(dial(AF_INET, "127.0.0.1", l.port));
        any_address a{};
        socklen_t size = sizeof a;
        REQUIRE(::getsockname(client.get(), &a.plain, &size) == 0);
        owned_fd const server(l.accept());
        linger const at_once{1, 0};
        ::setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        client.reset();  // a reset: nothing is left of it
        owned_fd const thief(::socket(AF_INET, SOCK_STREAM, 0));
        int const on = 1;
        ::setsockopt(thief.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        bound = ::bind(thief.get(), &a.plain, size) == 0 && ::listen(thief.get(), 1) == 0;
        if (bound) CHECK(net::owner_of_peer(server.get()).has_error());
    }
    CHECK(bound);
}

TEST_CASE("what is no TCP connection has no owner") {
    int pair[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    owned_fd const a(pair[0]);
    owned_fd const b(pair[1]);
    CHECK(net::owner_of_peer(a.get()).has_error());
}
