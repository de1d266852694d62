// CONNECT and upgrades: bytes both ways.
#include "catch.hpp"
#include "rig.hpp"

using namespace jitproxy::proxy::test;

TEST_CASE("a tunnel passes bytes both ways, those after the head too, and each side's end") {
    rig r;
    auto client = r.client();
    client.send("CONNECT " + r.site.at() + " HTTP/1.1\r\nHost: " + r.site.at() + "\r\n\r\nearly");
    auto site = r.site.accept();
    CHECK(client.read_head() == "HTTP/1.1 200 Connection established\r\n\r\n");
    CHECK(site.read(5) == "early");
    site.send("hello");
    CHECK(client.read(5) == "hello");
    client.end();
    CHECK(site.ended());
    site.send("still here");
    CHECK(client.read(10) == "still here");
    site.end();
    CHECK(client.ended());
}

TEST_CASE("a reset on one side of a tunnel is a reset on the other") {
    rig r;
    auto client = r.client();
    client.send("CONNECT " + r.site.at() + " HTTP/1.1\r\nHost: x\r\n\r\n");
    auto site = r.site.accept();
    (void)client.read_head();
    site.reset();
    CHECK(client.reset_by_peer());
}

TEST_CASE("a refused tunnel says why, and what was meant for it is no request") {
    rig_options o;
    o.deny_by_default = true;
    rig r(o);
    auto client = r.client();
    client.send("CONNECT " + r.site.at() + " HTTP/1.1\r\nHost: x\r\n\r\n");
    if (GENERATE(false, true)) client.send("OPTIONS http://x/ HTTP/1.1\r\nHost: x\r\nMax-Forwards: 0\r\n\r\n");
    auto const head = client.read_head();
    CHECK(head.starts_with("HTTP/1.1 403 "));
    CHECK(head.find("Proxy-Status: jitproxy; error=http_request_denied") != std::string::npos);
    CHECK(head.find("Connection: close\r\n") != std::string::npos);
    CHECK(client.read_to_end().find("HTTP/1.1") == std::string::npos);
    CHECK_FALSE(r.site.visited());
}

TEST_CASE("a tunnel without the credentials that it needs: asked for on the same connection") {
    rig_options o;
    o.session_required = true;
    rig r(o);
    auto client = r.client();
    std::string const connect = "CONNECT " + r.site.at() + " HTTP/1.1\r\nHost: x\r\n";
    SECTION("nothing came behind it") {
        client.send(connect + "\r\n");
        auto const head = client.read_head();
        CHECK(head.starts_with("HTTP/1.1 407 "));
        (void)client.read(std::stoul(head.substr(head.find("Content-Length: ") + 16)));
        client.send(connect + r.open_session() + "\r\n");
        CHECK(client.read_head().starts_with("HTTP/1.1 200 "));
    }
    SECTION("the tunnel's first bytes came behind it") {
        client.send(connect + "\r\nGET / HTTP/1.1\r\n\r\n");
        CHECK(client.read_head().find("Connection: close\r\n") != std::string::npos);
        CHECK(client.read_to_end().find("HTTP/1.1") == std::string::npos);
    }
}

TEST_CASE("a switch of protocols before the request was sent to its end is no answer") {
    rig r;
    auto client = r.client();
    client.send("POST " + r.url("/ws") +
                " HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\n1");
    auto site = r.site.accept();
    (void)site.read_head();
    CHECK(site.read(1) == "1");
    site.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    CHECK(client.read_head().starts_with("HTTP/1.1 502 "));
}

TEST_CASE("a protected host is refused where there is no CA: never a blind tunnel") {
    rig_options o;
    o.protect = true;
    rig r(o);  // its server has no CA
    auto client = r.client();
    client.send("CONNECT " + r.site.at() + " HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(client.read_head().substr(9, 1) == "5");
    CHECK_FALSE(r.site.visited());
}

TEST_CASE("an upgrade: the handshake passes, then bytes both ways") {
    rig r;
    auto client = r.client();
    client.send("GET " + r.url("/ws") + " HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    auto site = r.site.accept();
    auto const head = site.read_head();
    CHECK(head.find("Upgrade: websocket\r\n") != std::string::npos);
    site.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nfirst");
    CHECK(client.read_head().find("Upgrade: websocket\r\n") != std::string::npos);
    CHECK(client.read(5) == "first");
    client.send("second");
    CHECK(site.read(6) == "second");
    site.end();
    CHECK(client.ended());
}
