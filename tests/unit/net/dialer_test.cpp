// Connecting, on real sockets: RFC 8305 with injected time.
#include "jitproxy/net/dialer.hpp"

#include "catch.hpp"
#include "dns_server.hpp"
#include "far_end.hpp"

namespace net = jitproxy::net;
using namespace jitproxy::net::test;
using jitproxy::errc;
using jitproxy::milliseconds;
using jitproxy::seconds;

namespace {

struct dialling : here {
    dns_server names{io};
    net::upstream_options options;
    std::optional<net::upstreams> from;
    std::optional<seeker> who;

    explicit dialling(std::vector<std::string> const& reachable = {"127.0.0.0/8", "::1"}) {
        net::resolver_options resolving;
        resolving.servers = names.address();
        from.emplace(io, buffers, options, resolving);
        from->set_reach({rules_for({}, reachable), nullptr});
        who.emplace(*this);
    }
    void give(std::vector<std::string> const& addresses) {
        std::vector<record> records;
        records.reserve(addresses.size());
        for (auto const& a : addresses) records.push_back(a_record("many.test", a));
        names.host("many.test", records);
    }
    // Until the first attempt has begun: it has a socket.
    void await_attempt() {
        auto const without = open_streams();
        run_until([&] { return open_streams() > without; });
    }
    void start(std::uint16_t port) { who->start(*from, to_origin(jitproxy::http::scheme::http, "many.test", port)); }
};

std::string remote_of(net::endpoint& stream) {
    return stream.remote_address().value().address().to_string();
}

// A port where nobody listens, on any address of loopback.
std::uint16_t closed_port() {
    return listener().port();
}

}  // namespace

TEST_CASE("an address that does not answer costs the attempt delay, not the whole time") {
    dialling w;
    listener dead("127.0.0.2");
    dead.jam();
    listener alive("127.0.0.1", dead.port());
    w.give({"127.0.0.2", "127.0.0.1"});
    w.start(dead.port());
    w.await_attempt();
    w.pass(milliseconds{200});
    CHECK_FALSE(w.who->outcome.has_value());
    CHECK(alive.accept() == nullptr);
    auto const streams = open_streams();  // with the one of the first attempt
    w.pass(milliseconds{100});
    auto const stream = w.who->finish();
    CHECK(remote_of(*stream) == "127.0.0.1");
    CHECK(alive.accept() != nullptr);
    CHECK(open_streams() == streams);  // the first attempt's is closed
    CHECK((::fcntl(stream->native_handle(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("an address that refuses costs nothing: the next is tried at once") {
    dialling w;
    listener alive("127.0.0.1");
    w.give({"127.0.0.2", "127.0.0.3", "127.0.0.1"});
    w.start(alive.port());
    CHECK(remote_of(*w.who->finish()) == "127.0.0.1");
}

TEST_CASE("addresses that the guard refuses are never dialled, and the others are") {
    dialling w({"127.0.0.1"});
    listener forbidden("127.0.0.2");
    listener alive("127.0.0.1", forbidden.port());
    w.give({"127.0.0.2", "127.0.0.1"});
    w.start(alive.port());
    CHECK(remote_of(*w.who->finish()) == "127.0.0.1");
    CHECK(forbidden.accept() == nullptr);
}

TEST_CASE("what is said where nothing can be reached") {
    struct row {
        std::vector<std::string> addresses;
        errc code;
        char const* detail;
    };
    auto const port = closed_port();
    auto const origin = "http://many.test:" + std::to_string(port);
    for (auto const& [addresses, code, detail] : {
             row{{"127.0.0.1"}, errc::connection_refused, ": 127.0.0.1: Connection refused"},
             row{{"127.0.0.2", "127.0.0.1"},
                 errc::connection_refused,
                 ": 127.0.0.2: Connection refused (2 addresses tried)"},
             row{{"10.0.0.1", "127.0.0.2"},
                 errc::connection_refused,
                 ": 127.0.0.2: Connection refused (2 addresses tried)"},
             row{{"10.0.0.1", "10.0.0.2"}, errc::address_denied, nullptr},
             row{{}, errc::dns_error, ": the name many.test exists, but has no address"},
         }) {
        dialling w({"127.0.0.0/8"});
        w.give(addresses);
        w.start(port);
        auto const e = w.who->fail();
        CHECK(e.code == code);
        if (detail != nullptr) CHECK(e.detail == origin + detail);
    }
}

TEST_CASE("all attempts together have the time of [timeouts] connect") {
    dialling w;
    listener dead("127.0.0.2");
    dead.jam();
    listener dead_too("127.0.0.3", dead.port());
    dead_too.jam();
    w.give({"127.0.0.2", "127.0.0.3"});
    auto const streams = open_streams();
    w.start(dead.port());
    w.await_attempt();
    w.pass(w.options.connect - milliseconds{100});
    CHECK_FALSE(w.who->outcome.has_value());
    w.pass(milliseconds{100});
    auto const e = w.who->fail();
    CHECK(e.code == errc::connection_timeout);
    CHECK(e.detail == "http://many.test:" + std::to_string(dead.port()) +
                          ": 127.0.0.2: no answer in time ([timeouts] connect) (2 addresses tried)");
    CHECK(open_streams() == streams);
}

TEST_CASE("a refusal tells more than silence") {
    dialling w;
    listener dead("127.0.0.3");
    dead.jam();
    w.give({"127.0.0.2", "127.0.0.3"});
    w.start(dead.port());
    w.run_until([&] { return w.names.questions.size() == 2; });
    w.pass(w.options.connect);
    auto const e = w.who->fail();
    CHECK(e.code == errc::connection_refused);
    CHECK(e.detail.find("127.0.0.2: Connection refused (2 addresses tried)") != std::string::npos);
}

TEST_CASE("a name server that is silent uses up the time of the whole") {
    dialling w;
    w.names.host("many.test", dns_answer{true, 0, {}});
    w.start(closed_port());
    w.run_until([&] { return w.names.questions.size() == 2; });
    w.pass(w.options.connect);
    CHECK(w.who->fail().code == errc::dns_timeout);
}

TEST_CASE("one family is dialled before the other is known, and its failure is no end while the other may come") {
    dialling w;
    listener alive("127.0.0.1");
    dns_answer good{false, 0, {a_record("many.test", "127.0.0.1")}};
    dns_answer bad{false, 0, {aaaa_record("many.test", "::1")}};  // nobody listens there
    SECTION("IPv4 answers, IPv6 does not") {
        bad.silent = true;
        w.names.on("many.test", type_a, good);
        w.names.on("many.test", type_aaaa, bad);
        w.start(alive.port());
        CHECK(remote_of(*w.who->finish()) == "127.0.0.1");
    }
    SECTION("IPv6 answers first and refuses") {
        good.held = true;
        w.names.on("many.test", type_a, good);
        w.names.on("many.test", type_aaaa, bad);
        w.start(alive.port());
        w.run_until([&] { return w.names.questions.size() == 2; });
        w.settle();
        CHECK_FALSE(w.who->outcome.has_value());
        w.names.release();
        CHECK(remote_of(*w.who->finish()) == "127.0.0.1");
    }
    SECTION("IPv4 refuses, and then there is no IPv6") {
        w.names.on("many.test", type_a, good);
        w.names.on("many.test", type_aaaa, dns_answer{false, 0, {}, false, true});
        auto const port = closed_port();
        w.start(port);
        w.run_until([&] { return w.names.questions.size() == 2; });
        w.settle();
        CHECK_FALSE(w.who->outcome.has_value());
        w.names.release();
        auto const e = w.who->fail();
        CHECK(e.code == errc::connection_refused);
        CHECK(e.detail.ends_with(": 127.0.0.1: Connection refused"));
    }
}

TEST_CASE("an end from outside is seen at once, while the name is looked up and while an address is silent") {
    dialling w;
    listener dead("127.0.0.2");
    dead.jam();
    bool const name_is_known = GENERATE(false, true);
    if (name_is_known)
        w.give({"127.0.0.2"});
    else
        w.names.host("many.test", dns_answer{true, 0, {}});
    w.start(dead.port());
    w.run_until([&] { return w.names.questions.size() == 2; });
    w.settle();
    REQUIRE_FALSE(w.who->outcome.has_value());
    w.who->limit.expire();
    w.who->wakes.wake();
    CHECK(w.who->outcome.has_value());
}

TEST_CASE("who no longer wants a connection leaves nothing behind") {
    dialling w;
    listener dead("127.0.0.2");
    dead.jam();
    w.give({"127.0.0.2", "127.0.0.3"});
    auto const streams = open_streams();
    bool const name_is_known = GENERATE(false, true);
    w.start(dead.port());
    if (name_is_known) w.await_attempt();
    w.who.reset();  // with its coroutine suspended
    w.from.reset();
    w.pass(seconds{20});
    CHECK(open_streams() == streams);
}
