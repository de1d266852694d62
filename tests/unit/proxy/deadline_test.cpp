// Every deadline, by an injected clock; and nobody else notices.
#include "catch.hpp"
#include "rig.hpp"

using namespace jitproxy::proxy::test;
using jitproxy::seconds;

namespace {

constexpr std::string_view fine = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

// Another client is served while the slow one is waited for.
void others_are_served(rig& r) {
    auto client = r.client();
    client.send(r.get("/other"));
    auto site = r.site.accept();
    CHECK(site.read_head().starts_with("GET /other "));
    site.send(fine);
    CHECK(client.read_head().starts_with("HTTP/1.1 200 "));
}

}  // namespace

TEST_CASE("a request head that does not end: 408") {
    rig r;
    auto slow = r.client();
    slow.send("GET http://h/ HTTP/1.1\r\nHo");
    others_are_served(r);
    r.advance(seconds(31));
    CHECK(slow.read_head().starts_with("HTTP/1.1 408 "));
    CHECK(slow.read_to_end().find("client_timeout") != std::string::npos);
}

TEST_CASE("a head that arrives byte by byte has no more time than another") {
    rig r;
    auto slow = r.client();
    slow.send("GET http://h/ HTTP/1.1\r\nH");
    others_are_served(r);  // so the time of the head has begun
    r.advance(seconds(16));
    CHECK(slow.silent(150));
    slow.send("o");
    r.advance(seconds(16));
    CHECK(slow.read_head().starts_with("HTTP/1.1 408 "));
}

TEST_CASE("a client's TLS handshake that does not go on") {
    rig_options o;
    o.protect = o.intercept = true;
    rig r(o);
    auto slow = r.client();
    slow.send("CONNECT " + r.site.at() + " HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(slow.read_head().starts_with("HTTP/1.1 200 "));
    slow.send("\x16");
    others_are_served(r);
    r.advance(seconds(11));
    CHECK(slow.gone());
    CHECK(r.open_connections_become(0));
    CHECK(r.counters().error_codes == std::map<jitproxy::errc, std::uint64_t>{{jitproxy::errc::client_timeout, 1}});
}

TEST_CASE("a connection without a request is closed without a word") {
    rig r;
    auto never_spoke = r.client();
    auto kept = r.client();
    kept.send(r.get("/"));
    auto site = r.site.accept();
    (void)site.read_head();
    site.send(fine);
    (void)kept.read_head();
    CHECK(kept.read(2) == "ok");
    r.advance(seconds(301));
    CHECK(never_spoke.ended());
    CHECK(kept.ended());
}

TEST_CASE("a request body that stops coming: 408, and the origin sees no whole request") {
    rig r;
    auto slow = r.client();
    slow.send("POST " + r.url("/") + " HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n123");
    auto site = r.site.accept();
    (void)site.read_head();
    CHECK(site.read(3) == "123");
    others_are_served(r);
    r.advance(seconds(61));
    CHECK(slow.read_head().starts_with("HTTP/1.1 408 "));
    CHECK(site.ended());
}

TEST_CASE("an answer that does not come: 504") {
    rig r;
    auto client = r.client();
    client.send(r.get("/"));
    auto site = r.site.accept();
    (void)site.read_head();
    others_are_served(r);
    r.advance(seconds(61));
    auto const head = client.read_head();
    CHECK(head.starts_with("HTTP/1.1 504 "));
    CHECK(head.find("error=http_response_timeout") != std::string::npos);
    CHECK(site.ended());
}

TEST_CASE("an answer that does not come on a kept connection: the request is not sent again") {
    rig r;
    auto client = r.client();
    client.send(r.get("/1"));
    auto site = r.site.accept();
    (void)site.read_head();
    site.send(fine);
    (void)client.read_head();
    CHECK(client.read(2) == "ok");
    client.send("DELETE " + r.url("/2") + " HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(site.read_head().starts_with("DELETE /2 "));
    r.advance(seconds(61));
    CHECK(client.read_head().starts_with("HTTP/1.1 504 "));
    CHECK(site.ended());
    CHECK_FALSE(r.site.visited());
}

TEST_CASE("an answer that stops within its body: visibly broken") {
    rig r;
    auto client = r.client();
    client.send(r.get("/"));
    auto site = r.site.accept();
    (void)site.read_head();
    site.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    (void)client.read_head();
    CHECK(client.read(3) == "abc");
    r.advance(seconds(61));
    CHECK(client.reset_by_peer());
}

TEST_CASE("an origin that stops reading: 504") {
    rig r;
    auto client = r.client();
    std::string const block(1 << 20, 'x');
    client.send("POST " + r.url("/") + " HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\n\r\n");
    auto site = r.site.accept();
    (void)site.read_head();
    CHECK(client.fill_up(block) > 0);  // nobody reads
    r.advance(seconds(61));
    auto const head = client.read_head();
    CHECK(head.starts_with("HTTP/1.1 504 "));
    CHECK(head.find("error=connection_write_timeout") != std::string::npos);
}

TEST_CASE("a client that stops reading loses its connection, and the origin's is closed") {
    rig r;
    auto client = r.client();
    client.send(r.get("/"));
    auto site = r.site.accept();
    (void)site.read_head();
    site.send("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n");
    CHECK(site.fill_up(std::string(1 << 20, 'x')) > 0);
    r.advance(seconds(61));
    CHECK(r.open_connections_become(0));
    CHECK(site.gone());
}

TEST_CASE("a tunnel without a byte either way is cut") {
    rig r;
    auto client = r.client();
    client.send("CONNECT " + r.site.at() + " HTTP/1.1\r\nHost: x\r\n\r\n");
    auto site = r.site.accept();
    (void)client.read_head();
    r.advance(seconds(400));
    CHECK(client.silent(150));
    client.send("still there");
    CHECK(site.read(11) == "still there");
    r.advance(seconds(400));
    CHECK(client.silent(150));
    site.send("the beginning");
    CHECK(client.read(13) == "the beginning");
    r.advance(seconds(601));
    CHECK(client.reset_by_peer());  // neither side may take what it has for the whole
    CHECK(site.reset_by_peer());
}

TEST_CASE("a client that never closes is not waited for") {
    rig r;
    auto client = r.client();
    client.send("nonsense\r\n\r\n");
    CHECK(client.read_to_end().starts_with("HTTP/1.1 400 "));
    r.advance(seconds(3));
    CHECK(r.open_connections_become(0));
}

TEST_CASE("an origin that knows nothing of 100 (Continue): the client is told to go on") {
    rig r;
    auto client = r.client();
    client.send("PUT " + r.url("/") + " HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    auto site = r.site.accept();
    CHECK(site.read_head().find("Expect: 100-continue\r\n") != std::string::npos);
    CHECK(client.silent());
    r.advance(seconds(2));
    CHECK(client.read_head() == "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("body");
    CHECK(site.read(4) == "body");
    site.send("HTTP/1.1 100 Continue\r\n\r\n");  // too late: the client has had one
    site.send(fine);
    CHECK(client.read_head().starts_with("HTTP/1.1 200 OK\r\n"));
}

TEST_CASE("a client that goes away while the origin is silent gives its place back") {
    rig r;
    auto client = r.client();
    client.send(r.get("/slow"));
    auto site = r.site.accept();
    (void)site.read_head();
    SECTION("reset") {
        client.reset();
        CHECK(site.gone());
    }
    SECTION("closed") {
        client.close();
        r.advance(seconds(3));
        CHECK(site.gone());
    }
    SECTION("closed, with a part of its next request sent") {
        client.send("GET /ne");
        client.close();
        r.advance(seconds(3));
        CHECK(site.gone());
    }
    CHECK(r.open_connections_become(0));
}

TEST_CASE("a client that has only ended its side gets an answer that comes soon") {
    rig r;
    auto client = r.client();
    client.send(r.get("/"));
    auto site = r.site.accept();
    (void)site.read_head();
    client.end();
    CHECK(client.silent());
    site.send(fine);
    CHECK(client.read_head().starts_with("HTTP/1.1 200 "));
    CHECK(client.read(2) == "ok");
}
