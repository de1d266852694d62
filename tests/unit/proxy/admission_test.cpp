#include "jitproxy/proxy/admission.hpp"

#include "catch.hpp"
#include "rig.hpp"

using jitproxy::proxy::admission;
using namespace jitproxy::proxy::test;

TEST_CASE("there are as many connections as there may be, and a place given back is free again") {
    admission places(2, 9);
    auto first = places.enter();
    auto second = places.enter();
    REQUIRE((first && second));
    CHECK_FALSE(places.enter().has_value());
    second.reset();
    CHECK(places.enter().has_value());
}

TEST_CASE("a session has its own limit; a connection counts in the session that it serves now") {
    admission places(9, 1);
    auto one = places.enter();
    auto two = places.enter();
    REQUIRE((one && two));
    CHECK(places.move(*one, "a"));
    CHECK(places.move(*one, "a"));  // and only once
    CHECK_FALSE(places.move(*two, "a"));
    CHECK(two->session_id().empty());
    CHECK(places.move(*two, "b"));
    CHECK_FALSE(places.move(*two, "a"));
    CHECK(two->session_id() == "b");  // a refused move changes nothing
    CHECK(places.move(*one, ""));
    CHECK(places.move(*two, "a"));
    two.reset();
    CHECK(places.move(*one, "a"));
}

TEST_CASE("new limits count from the next connection on") {
    admission places(2, 2);
    auto one = places.enter();
    auto two = places.enter();
    REQUIRE((one && two));
    CHECK((places.move(*one, "a") && places.move(*two, "a")));
    places.set_most(1, 1);
    CHECK_FALSE(places.enter().has_value());
    one.reset();
    CHECK_FALSE(places.enter().has_value());  // the other one stays
    places.set_most(3, 3);
    auto three = places.enter();
    REQUIRE(three.has_value());
    CHECK(places.move(*three, "a"));
}

TEST_CASE("a place that was handed on is given back once") {
    admission places(1, 1);
    {
        auto first = places.enter();
        REQUIRE(first);
        CHECK(places.move(*first, "a"));
        auto const owner = std::move(*first);
        CHECK(owner.session_id() == "a");
        first.reset();
        CHECK_FALSE(places.enter().has_value());
    }
    auto again = places.enter();
    REQUIRE(again);
    CHECK(places.move(*again, "a"));
}

TEST_CASE("a connection over the limit is answered 503 before it has said anything, and the others go on") {
    rig_options options;
    options.limits.connections = 1;
    rig r(options);
    auto first = r.client();
    first.send("GET " + r.url("/") + " HTTP/1.1\r\nHost: x\r\n\r\n");
    auto site = r.site.accept();
    (void)site.read_head();
    {
        auto second = r.client();
        auto const head = second.read_head();
        CHECK(head.starts_with("HTTP/1.1 503 "));
        CHECK(head.find("Retry-After: 5\r\n") != std::string::npos);
        CHECK(head.find("Connection: close\r\n") != std::string::npos);
        CHECK(head.find("error=connection_limit_reached") != std::string::npos);
        CHECK(second.read_to_end().find("[limits] connections") != std::string::npos);
    }
    site.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    CHECK(first.read_head().starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(first.read(2) == "ok");
}

TEST_CASE("each connection over the limit counts once, whether it is told so or closed without a word") {
    rig_options options;
    options.limits.connections = 0;
    rig r(options);
    std::vector<peer> refused;  // they stay: after 64 nobody is told any more
    for (int i = 0; i != 70; ++i) refused.push_back(r.client());
    CHECK(refused.front().read_head().starts_with("HTTP/1.1 503 "));
    CHECK(refused.back().gone());
    auto const n = r.counters();
    CHECK(n.error_codes == std::map<jitproxy::errc, std::uint64_t>{{jitproxy::errc::limit_reached, 70}});
    for (auto const& [api, of] : n.apis)
        for (auto const requests : of.requests) CHECK(requests == 0);
}

TEST_CASE("a session at its limit of connections is answered 503; another session is served") {
    rig_options options;
    options.limits.session_connections = 1;
    rig r(options);
    auto const busy = r.open_session();
    auto const other = r.open_session();
    auto const request = [&r](std::string const& credentials) {
        return "GET " + r.url("/") + " HTTP/1.1\r\nHost: x\r\n" + credentials + "\r\n";
    };
    auto first = r.client();
    first.send(request(busy));
    auto site = r.site.accept();
    (void)site.read_head();
    auto second = r.client();
    second.send(request(busy));
    CHECK(second.read_head().starts_with("HTTP/1.1 503 "));
    auto third = r.client();
    third.send(request(other));
    (void)r.site.accept().read_head();
}
