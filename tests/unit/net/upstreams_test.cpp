// The pool of connections to origins, without TLS.
#include "jitproxy/net/upstreams.hpp"

#include "catch.hpp"
#include "far_end.hpp"

namespace net = jitproxy::net;
using namespace jitproxy::net::test;
using jitproxy::errc;
using jitproxy::milliseconds;
using jitproxy::http::scheme;
using state = far_end::state;

namespace {

struct connected {
    net::endpoint_ptr stream;
    std::unique_ptr<far_end> origin;
};

struct pool : here {
    listener site;
    net::upstream_options options;
    std::optional<net::upstreams> from;
    net::waker user;
    net::destination to = to_origin(scheme::http, "localhost", site.port());

    explicit pool(std::size_t per_origin = 64) {
        options.pool_per_origin = per_origin;
        from.emplace(io, buffers, options, net::resolver_options{});
        from->set_reach({rules_for(), nullptr});
    }
    connected connect() { return connect(to); }
    connected connect(net::destination const& where) {
        seeker who(*this);
        who.start(*from, where);
        connected made;
        made.stream = who.finish();
        made.stream->set_waker(&user);
        made.origin = accept(site);
        return made;
    }
    // Until the origin sees its connection end.
    void await_end(far_end& origin) {
        run_until([&] {
            origin.pump();
            return origin.seen != state::open;
        });
    }
    bool has_idle() { return from->take_idle(to, user) != nullptr; }
};

std::string read_all(net::endpoint& stream) {
    char bytes[256];
    auto const got = stream.try_read(bytes);
    return std::string(bytes, got.bytes);
}

}  // namespace

TEST_CASE("a connection that was given back is lent again, the youngest first") {
    pool w;
    CHECK_FALSE(w.has_idle());
    auto a = w.connect();
    auto b = w.connect();
    CHECK(w.from->connects == 2);
    CHECK(w.from->reuses == 0);
    auto const* const first = a.stream.get();
    auto const* const second = b.stream.get();
    w.from->give_back(w.to, std::move(a.stream));
    w.from->give_back(w.to, std::move(b.stream));
    auto lent = w.from->take_idle(w.to, w.user);
    CHECK(lent.get() == second);
    auto other = w.from->take_idle(w.to, w.user);
    CHECK(other.get() == first);
    CHECK_FALSE(w.has_idle());
    CHECK(w.from->connects == 2);
    CHECK(w.from->reuses == 2);
    a.origin->send("still good");
    w.settle();
    CHECK(read_all(*other) == "still good");
}

TEST_CASE("a lent connection wakes its new user") {
    struct waiting {
        net::waker wakes;
        bool woken = false;
        net::task<> root = run();
        net::task<> run() {
            co_await wakes.wait();
            woken = true;
        }
    };
    pool w;
    auto a = w.connect();
    {
        net::waker before;
        a.stream->set_waker(&before);
        a.stream->wait_read();  // armed, and still so while it rests
        w.from->give_back(w.to, std::move(a.stream));
    }
    waiting user;
    user.root.start();
    auto const lent = w.from->take_idle(w.to, user.wakes);
    REQUIRE(lent != nullptr);
    lent->wait_read();
    w.settle();
    CHECK_FALSE(user.woken);
    a.origin->send("x");
    w.run_until([&] { return user.woken; });
}

TEST_CASE("no more idle connections are kept for one origin than the limit says") {
    pool w(2);
    std::vector<connected> made;
    made.reserve(3);
    for (int i = 0; i < 3; ++i) made.push_back(w.connect());
    for (auto& c : made) w.from->give_back(w.to, std::move(c.stream));
    w.await_end(*made[2].origin);
    w.settle();
    for (auto& c : made) c.origin->pump();
    CHECK(made[0].origin->seen == state::open);
    CHECK(made[1].origin->seen == state::open);
    CHECK(w.from->take_idle(w.to, w.user) != nullptr);
    CHECK(w.from->take_idle(w.to, w.user) != nullptr);
    CHECK_FALSE(w.has_idle());
}

TEST_CASE("a connection that was idle too long is closed at the tick that finds it") {
    pool w;
    w.from->tick(w.now);
    auto old = w.connect();
    auto young = w.connect();
    w.from->give_back(w.to, std::move(old.stream));
    w.from->tick(w.now + milliseconds{100});
    w.from->give_back(w.to, std::move(young.stream));
    w.from->tick(w.now + w.options.pool_idle - milliseconds{1});
    w.settle();
    old.origin->pump();
    CHECK(old.origin->seen == state::open);
    w.from->tick(w.now + w.options.pool_idle);
    w.await_end(*old.origin);
    young.origin->pump();
    CHECK(young.origin->seen == state::open);
    w.from->tick(w.now + w.options.pool_idle + milliseconds{100});
    w.await_end(*young.origin);
    CHECK_FALSE(w.has_idle());
}

TEST_CASE("how many connections there are, and how many of them rest, is known") {
    pool w;
    w.from->tick(w.now);
    auto first = w.connect();
    auto second = w.connect();
    w.from->give_back(w.to, std::move(first.stream));
    CHECK(w.from->open_now == 2);
    CHECK(w.from->idle_now == 1);
    auto again = w.from->take_idle(w.to, w.user);
    REQUIRE(again != nullptr);
    second.stream.reset();
    CHECK(w.from->open_now == 1);
    CHECK(w.from->idle_now == 0);
    w.from->give_back(w.to, std::move(again));
    CHECK(w.from->idle_now == 1);
    w.from->tick(w.now + w.options.pool_idle);
    CHECK(w.from->idle_now == 0);
    CHECK(w.from->open_now == 0);
    auto last = w.connect();
    w.from->give_back(w.to, std::move(last.stream));
    w.from->set_reach({rules_for(), nullptr});
    CHECK(w.from->idle_now == 0);
    CHECK(w.from->open_now == 0);
    CHECK(w.from->connect_failures == 0);
}

TEST_CASE("an idle connection that is not quiet any more is never used again; an older one that is, is") {
    pool w;
    auto good = w.connect();
    auto stale = w.connect();
    auto const* const expected = good.stream.get();
    auto const fd = stale.stream->native_handle();
    w.from->give_back(w.to, std::move(good.stream));
    w.from->give_back(w.to, std::move(stale.stream));
    SECTION("ended by the origin") {
        stale.origin->end();
    }
    SECTION("reset by the origin") {
        stale.origin->reset();
    }
    SECTION("with bytes that nobody asked for") {
        stale.origin->send("HTTP/1.1 408 Request Timeout\r\n\r\n");
    }
    w.run_until([&] {
        pollfd p{fd, POLLIN, 0};
        return ::poll(&p, 1, 0) == 1;
    });
    auto const streams = open_streams();
    auto const lent = w.from->take_idle(w.to, w.user);
    CHECK(lent.get() == expected);
    CHECK(open_streams() == streams - 1);
    CHECK_FALSE(w.has_idle());
    CHECK(w.from->reuses == 1);
}

TEST_CASE("a connection is not kept with anything left in it, nor when it is closed") {
    pool w;
    auto a = w.connect();
    SECTION("unread bytes") {
        a.stream->buffer().put_back("HTTP/1.1 200");
        w.from->give_back(w.to, std::move(a.stream));
        w.await_end(*a.origin);
    }
    SECTION("closed") {
        a.stream->close();
        w.from->give_back(w.to, std::move(a.stream));
    }
    CHECK(a.stream == nullptr);
    CHECK_FALSE(w.has_idle());
}

TEST_CASE("connections are kept apart by origin and by API") {
    pool w;
    auto api = [](char const* name) {
        auto a = std::make_shared<jitproxy::policy::api>();
        a->name = name;
        return a;
    };
    auto const port = w.site.port();
    std::vector<net::destination> const all = {
        to_origin(scheme::http, "localhost", port),
        to_origin(scheme::http, "localhost", port, api("one")),
        to_origin(scheme::http, "localhost", port, api("two")),
        to_origin(scheme::http, "other.localhost", port),
        to_origin(scheme::http, "127.0.0.1", port),
    };
    for (auto const& to : all) {
        auto made = w.connect(to);
        auto const* const stream = made.stream.get();
        w.from->give_back(to, std::move(made.stream));
        for (auto const& other : all)
            if (&other != &to) CHECK(w.from->take_idle(other, w.user) == nullptr);
        CHECK(w.from->take_idle(to, w.user).get() == stream);
    }
}

TEST_CASE("new rules: idle connections are closed, and none that was begun before is kept") {
    pool w;
    auto idle = w.connect();
    auto busy = w.connect();
    seeker begun(w);
    begun.start(*w.from, w.to);
    w.from->give_back(w.to, std::move(idle.stream));
    w.from->set_reach({rules_for(), nullptr});
    w.await_end(*idle.origin);
    CHECK_FALSE(w.has_idle());

    w.from->give_back(w.to, std::move(busy.stream));
    w.await_end(*busy.origin);
    w.from->give_back(w.to, begun.finish());
    CHECK_FALSE(w.has_idle());

    auto after = w.connect();
    w.from->give_back(w.to, std::move(after.stream));
    CHECK(w.has_idle());
}

TEST_CASE("a connection that would end at this proxy itself is refused") {
    pool w;
    seeker who(w);
    w.from->set_own_ports({1, w.site.port()});
    auto const host = GENERATE("localhost", "127.0.0.1", "127.0.0.2");
    // 127.0.0.2 is this machine too, whatever address the proxy listens on.
    listener second("127.0.0.2", w.site.port());
    who.start(*w.from, to_origin(scheme::http, host, w.site.port()));
    CHECK(who.fail().code == errc::loop);
    CHECK(w.from->connects == 0);
    CHECK(w.from->connect_failures == 1);
    CHECK(w.from->open_now == 0);
    w.from->set_own_ports({1});
    who.start(*w.from, to_origin(scheme::http, host, w.site.port()));
    CHECK(who.finish() != nullptr);
}

TEST_CASE("a connection that has ended is not lent, whether it is looked at or only what is known of it") {
    using stale = net::upstreams::stale;
    for (auto const one : {stale::looked_for, stale::risked}) {
        pool w;
        auto a = w.connect();
        w.from->give_back(w.to, std::move(a.stream));
        a.origin.reset();
        w.settle();  // the kernel has told
        CHECK(w.from->take_idle(w.to, w.user, one) == nullptr);
    }
}

TEST_CASE("what an origin sends unasked is found before the connection is lent") {
    using stale = net::upstreams::stale;
    for (auto const one : {stale::looked_for, stale::risked}) {
        pool w;
        auto a = w.connect();
        w.from->give_back(w.to, std::move(a.stream));
        a.origin->send("HTTP/1.1 408 Request Timeout\r\n\r\n");
        w.settle();
        CHECK(w.from->take_idle(w.to, w.user, one) == nullptr);
    }
}

TEST_CASE("a quiet connection is lent without a look where the request may be repeated") {
    pool w;
    auto a = w.connect();
    a.origin->send("x");
    w.settle();
    CHECK(read_all(*a.stream) == "x");  // drained: from here on the kernel tells
    CHECK(a.stream->seems_quiet());
    auto const* const it = a.stream.get();
    w.from->give_back(w.to, std::move(a.stream));
    CHECK(w.from->take_idle(w.to, w.user, net::upstreams::stale::risked).get() == it);
}

TEST_CASE("connections of one origin are lent for the API that they were made for alone") {
    pool w;
    auto a = w.connect();
    w.from->give_back(w.to, std::move(a.stream));
    auto other = w.to;
    auto api = std::make_shared<jitproxy::policy::api>();
    api->name = "documents";
    other.api = api;
    CHECK(w.from->take_idle(other, w.user) == nullptr);
    CHECK(w.has_idle());
}
