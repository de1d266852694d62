// NTLM and Negotiate: the origin takes the connection for the user.
#include "catch.hpp"
#include "rig.hpp"

using namespace jitproxy::proxy::test;

namespace {
constexpr char const* nothing = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
}

TEST_CASE("a connection that was authenticated as such is that client's alone, and goes with it") {
    rig r;
    auto first = r.client();
    first.send(r.get("/"));
    auto site = r.site.accept();
    (void)site.read_head();
    site.send("HTTP/1.1 401 Who\r\nWWW-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n");
    CHECK(first.read_head().find("\r\nWWW-Authenticate: NTLM\r\n") != std::string::npos);
    first.send(r.get("/", "Authorization: NTLM bmVnb3RpYXRl\r\n"));
    CHECK(site.read_head().find("\r\nAuthorization: NTLM bmVnb3RpYXRl\r\n") != std::string::npos);
    site.send("HTTP/1.1 401 Who\r\nWWW-Authenticate: NTLM Y2hhbGxlbmdl\r\nContent-Length: 2\r\n\r\nno");
    (void)first.read_head();
    CHECK(first.read(2) == "no");
    first.send(r.get("/", "Authorization: NTLM YXV0aGVudGljYXRl\r\n"));  // on the same connection, or it is worthless
    CHECK(site.read_head().find("\r\nAuthorization: NTLM YXV0aGVudGljYXRl\r\n") != std::string::npos);
    site.send(nothing);
    (void)first.read_head();
    first.send(r.get("/mine"));
    CHECK(site.read_head().starts_with("GET /mine "));
    site.send(nothing);
    (void)first.read_head();

    auto second = r.client();
    second.send(r.get("/other"));
    auto another = r.site.accept();
    CHECK(another.read_head().starts_with("GET /other "));
    another.send(nothing);
    (void)second.read_head();
    CHECK(site.silent());

    // Nor is it for another session that speaks over the same connection of a client.
    first.send(r.get("/session", r.open_session()));
    CHECK(another.read_head().starts_with("GET /session "));  // of the pool
    another.send(nothing);
    (void)first.read_head();
    first.send(r.get("/mine"));
    CHECK(site.read_head().starts_with("GET /mine "));
    site.send(nothing);
    (void)first.read_head();
    first.close();
    CHECK(site.ended());
}

TEST_CASE("a connection from the pool that is authenticated does not come back to it") {
    rig r;
    auto client = r.client();
    client.send(r.get("/1"));
    auto site = r.site.accept();
    (void)site.read_head();
    site.send(nothing);
    (void)client.read_head();
    auto negotiating = r.client();
    negotiating.send(r.get("/2", "authorization: negotiate YII=\r\n"));
    CHECK(site.read_head().starts_with("GET /2 "));  // the pooled one
    site.send(nothing);
    (void)negotiating.read_head();
    client.send(r.get("/3"));
    auto another = r.site.accept();
    CHECK(another.read_head().starts_with("GET /3 "));
    negotiating.close();
    CHECK(site.ended());
}

TEST_CASE("a session's bearer takes the place of what would authenticate a connection") {
    rig_options o;
    o.protect = true;
    rig r(o);
    auto first = r.client();
    first.send(r.get("/1", "Authorization: Negotiate YII=\r\n"));
    auto site = r.site.accept();
    CHECK_FALSE(bearer_of(site.read_head()).empty());
    site.send(nothing);
    (void)first.read_head();
    auto second = r.client();
    second.send(r.get("/2"));
    CHECK(site.read_head().starts_with("GET /2 "));  // so it is pooled as ever
}
