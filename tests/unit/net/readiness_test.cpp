#include "jitproxy/net/readiness.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <utility>

#include "catch.hpp"
#include "jitproxy/net/task.hpp"

using namespace jitproxy::net;

namespace {

// One end that is watched and one that acts; whoever waits says what happens when it is woken.
struct pair {
    explicit pair(boost::asio::io_context& io) : set(readiness::of(io)) {
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
        watched = *set.add(ends[0]);
        watched->target = &wakes;
        root.start();
    }
    pair(pair const&) = delete;
    pair& operator=(pair const&) = delete;
    ~pair() {
        close();
        ::close(ends[1]);
    }
    task<> run() {
        for (;;) {
            co_await wakes.wait();
            ++woken;
            if (then) then();
        }
    }
    void send() const { REQUIRE(::send(ends[1], "x", 1, MSG_NOSIGNAL) == 1); }
    ssize_t read() {
        char bytes[8];
        auto const n = ::recv(ends[0], bytes, sizeof(bytes), 0);
        if (n != 0) watched->drained();
        return n;
    }
    void close() {
        if (ends[0] < 0) return;
        ::close(std::exchange(ends[0], -1));
        set.forget(watched);
    }

    readiness& set;
    int ends[2]{};
    watch_ptr watched;
    waker wakes;
    int woken = 0;
    std::function<void()> then;
    task<> root = run();
};

void settle(boost::asio::io_context& io) {
    for (int i = 0; i != 5; ++i) {
        io.restart();
        io.poll();
    }
}

}  // namespace

TEST_CASE("readiness: a wait for data ends once, however much comes, and the next only with more") {
    boost::asio::io_context io;
    pair p(io);
    CHECK(p.read() == -1);
    p.watched->wait_read();
    settle(io);
    CHECK(p.woken == 0);
    p.send();
    p.send();
    settle(io);
    CHECK(p.woken == 1);
    CHECK(p.read() == 2);
    p.watched->wait_read();
    settle(io);
    CHECK(p.woken == 1);
    p.send();
    settle(io);
    CHECK(p.woken == 2);
}

TEST_CASE("readiness: a wait for what is there already ends at once") {
    boost::asio::io_context io;
    pair p(io);
    CHECK(p.read() == -1);
    p.send();
    settle(io);
    CHECK(p.woken == 0);  // nobody had asked
    p.watched->wait_read();
    CHECK(p.woken == 1);
    CHECK(p.read() == 1);
}

TEST_CASE("readiness: a wait for room ends when the peer has read") {
    boost::asio::io_context io;
    pair p(io);
    char const much[4096] = {};
    while (::send(p.ends[0], much, sizeof(much), MSG_NOSIGNAL) > 0) {
    }
    settle(io);
    p.watched->writable = false;
    p.watched->wait_write();
    settle(io);
    CHECK(p.woken == 0);
    char sink[4096];
    while (::recv(p.ends[1], sink, sizeof(sink), 0) > 0) {
    }
    settle(io);
    CHECK(p.woken == 1);
    CHECK(p.watched->writable);
}

TEST_CASE("readiness: an end that came with the last bytes is not forgotten when these are read") {
    boost::asio::io_context io;
    pair p(io);
    p.send();
    ::shutdown(p.ends[1], SHUT_WR);
    settle(io);
    CHECK(p.read() == 1);
    p.watched->wait_read();
    CHECK(p.woken == 1);
    CHECK(p.read() == 0);
}

TEST_CASE("readiness: who is closed while edges are told is not told any more") {
    boost::asio::io_context io;
    pair a(io);
    pair b(io);
    for (auto* p : {&a, &b}) {
        CHECK(p->read() == -1);
        p->watched->wait_read();
    }
    auto const close_the_other = [](pair& other) {
        other.close();
        other.watched.reset();
    };
    a.then = [&] { close_the_other(b); };
    b.then = [&] { close_the_other(a); };
    a.send();
    b.send();
    settle(io);
    CHECK(a.woken + b.woken == 1);
}

TEST_CASE("readiness: nobody is woken for one that nobody waits for") {
    boost::asio::io_context io;
    pair p(io);
    CHECK(p.read() == -1);
    p.watched->wait_read();
    p.watched->target = nullptr;
    p.send();
    settle(io);
    CHECK(p.woken == 0);
}
