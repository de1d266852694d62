#include "jitproxy/lumoauth/transport.hpp"

#include <boost/asio/ip/udp.hpp>

#include "fixture.hpp"

using namespace jitproxy;
using lumoauth::transport;
using lumoauth::transport_options;
using lumoauth::wire_answer;
using lumoauth::wire_request;

namespace {

transport_options options_for(std::string const& url) {
    transport_options o;
    o.at = *lumoauth::parse_location(url, "t", "", true);
    o.user_agent = "test";
    return o;
}

wire_request get(std::string target, bool repeatable = true) {
    wire_request r;
    r.method = "GET";
    r.target = std::move(target);
    r.repeatable = repeatable;
    return r;
}

result<wire_answer> sent(boost::asio::io_context& io, transport& t, wire_request r) {
    return test::outcome<wire_answer>(io, [&](auto done) { t.send(std::move(r), std::move(done)); });
}

// A name server that hears everything and says nothing.
struct silent_name_server {
    explicit silent_name_server(boost::asio::io_context& io)
        : socket(io, {boost::asio::ip::address_v4::loopback(), 0}) {}
    [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(socket.local_endpoint().port()); }
    boost::asio::ip::udp::socket socket;
};

}  // namespace

TEST_CASE("status, the fields that are needed and the body come back as they were sent") {
    boost::asio::io_context io;
    test::server as{io};
    transport t{io, options_for(as.url())};
    as.script.push_back({test::reply(418, "short and stout", "retry-after:  7 \r\nx-ratelimit-reset: 99\r\n")});
    auto const a = sent(io, t, get("/a?b=c"));
    REQUIRE(a.has_value());
    CHECK(a->status == 418);
    CHECK(a->retry_after == "7");
    CHECK(a->rate_limit_reset == "99");
    CHECK(a->body == "short and stout");
    CHECK(as.requests[0].line() == "GET /a?b=c HTTP/1.1");
    CHECK(as.requests[0].has("User-Agent: test"));
    CHECK(as.requests[0].has("Accept-Encoding: identity"));
}

TEST_CASE("a name that no server answers for ends at the deadline") {
    boost::asio::io_context io;
    silent_name_server const names{io};
    auto o = options_for("https://as.example");
    o.name_servers = names.address();
    o.timeout = milliseconds{150};
    transport t{io, o};
    auto const a = sent(io, t, get("/"));
    REQUIRE(a.has_error());
    CHECK(a.error().code == errc::as_unreachable);
    CHECK(a.error().detail.find("https://as.example:443") != std::string::npos);
}

TEST_CASE("gone while a name is looked up: nothing is called back and nothing lingers") {
    boost::asio::io_context io;
    silent_name_server const names{io};
    auto o = options_for("https://as.example");
    o.name_servers = names.address();
    o.timeout = std::chrono::hours{1};
    bool called = false;
    {
        transport t{io, o};
        t.send(get("/"), [&](auto) { called = true; });
        io.poll();
    }
    io.restart();
    io.run();  // comes to an end
    CHECK_FALSE(called);
}

TEST_CASE("a connection that has rested too long is not used") {
    boost::asio::io_context io;
    test::server as{io};
    auto o = options_for(as.url());
    for (int i = 0; i < 4; ++i) as.script.push_back({test::reply(200)});

    SECTION("for anything") {
        o.surely_alive = o.longest_rest = milliseconds{-1};
        transport t{io, o};
        CHECK(sent(io, t, get("/1")).has_value());
        CHECK(sent(io, t, get("/2")).has_value());
        CHECK(as.connections == 2);
    }
    SECTION("for what must not be sent twice") {
        o.surely_alive = milliseconds{-1};
        transport t{io, o};
        CHECK(sent(io, t, get("/1")).has_value());
        CHECK(sent(io, t, get("/2", false)).has_value());
        CHECK(as.connections == 2);
        CHECK(sent(io, t, get("/3")).has_value());
        CHECK(as.connections == 2);
    }
}

TEST_CASE("no more connections rest than may be open") {
    boost::asio::io_context io;
    test::server as{io};
    auto o = options_for(as.url());
    o.connections = 2;
    o.surely_alive = milliseconds{-1};
    transport t{io, o};
    for (int i = 0; i < 5; ++i) {
        as.script.push_back({test::reply(200)});
        CHECK(sent(io, t, get("/", false)).has_value());
    }
    io.restart();
    while (io.poll() > 0) io.restart();
    CHECK(as.connections == 5);
    CHECK(as.open() == 2);
}
