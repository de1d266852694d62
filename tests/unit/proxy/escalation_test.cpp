// The main job at wire level: what the origin and the client see when the API wants a permission.
#include <ctime>

#include "catch.hpp"
#include "rig.hpp"

using namespace jitproxy::proxy::test;
using jitproxy::jit::request_status;

namespace {

rig_options protect() {
    rig_options o;
    o.protect = true;
    return o;
}
constexpr std::string_view good = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

}  // namespace

TEST_CASE("a 403 that names what is missing becomes a 200 that the client did nothing for") {
    rig r(protect());
    auto client = r.client();
    client.send(r.get("/doc", "Authorization: Bearer the-agents-own\r\nJIT-Justification: to read it\r\n"));
    auto site = r.site.accept();
    auto first = site.read_head();
    CHECK(bearer_of(first) == "agent-1");
    CHECK(first.find("the-agents-own") == std::string::npos);
    CHECK(first.find("JIT-Justification") == std::string::npos);
    site.send(wants("doc"));
    auto second = site.read_head();  // on the same connection
    CHECK(bearer_of(second) == "scoped-1");
    site.send(good);
    auto const head = client.read_head();
    CHECK(head.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(head.find("JIT-") == std::string::npos);
    CHECK(client.read(2) == "ok");

    SECTION("the same method and URL cost no second 403") {
        client.send(r.get("/doc"));
        CHECK(bearer_of(site.read_head()) == "scoped-1");
        site.send(good);
        CHECK(client.read_head().starts_with("HTTP/1.1 200"));
        CHECK(r.as.asked == 1);
    }
    SECTION("another URL goes out with the session's own bearer") {
        (void)client.read(0);
        client.send(r.get("/other"));
        CHECK(bearer_of(site.read_head()) == "agent-1");
        site.send(good);
        CHECK(client.read_head().starts_with("HTTP/1.1 200"));
    }
    SECTION("another session never gets the grant") {
        auto const credentials = r.open_session();
        auto other = r.client();
        other.send(r.get("/doc", credentials));
        CHECK(bearer_of(site.read_head()) == "agent-1");
        site.send(good);
        CHECK(other.read_head().starts_with("HTTP/1.1 200"));
    }
}

TEST_CASE("a grant is used where its token has gone out, not where no connection could be made for it") {
    rig r(protect());
    auto client = r.client();
    client.send(r.get("/doc"));
    {
        auto site = r.site.accept();
        (void)site.read_head();
        r.site.refuse();
        auto answer = wants("doc");
        site.send(answer.insert(answer.find("\r\n") + 2, "Connection: close\r\n"));
        CHECK(client.read_head().starts_with("HTTP/1.1 502"));
    }
    CHECK(r.events_of("request.granted") == 1);
    CHECK(r.events_of("token.used") == 0);
    r.site.listen_again();
    auto again = r.client();
    again.send(r.get("/doc"));
    auto site = r.site.accept();
    CHECK(bearer_of(site.read_head()) == "scoped-1");
    CHECK(r.events_of("token.used") == 1);
    site.send(good);
    (void)again.read_head();
    (void)again.read(2);
    again.send(r.get("/doc"));
    CHECK(bearer_of(site.read_head()) == "scoped-1");
    CHECK(r.events_of("token.used") == 1);
}

TEST_CASE("a request's body is sent again byte for byte") {
    auto o = protect();
    o.limits.replay_memory = 1000;  // the larger ones go through the file
    rig r(o);
    auto client = r.client();
    std::unique_ptr<peer> site;
    for (std::size_t const size : {0, 1, 999, 1001, 300'000}) {
        INFO(size);
        std::string body(size, '\0');
        for (std::size_t i = 0; i < size; ++i) body[i] = static_cast<char>(i * 7 % 251);
        client.send("PUT " + r.url("/" + std::to_string(size)) +
                    " HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n" + body);
        if (!site) site = std::make_unique<peer>(r.site.accept());
        (void)site->read_head();
        CHECK(site->read(size) == body);
        site->send(wants("up" + std::to_string(size)));
        CHECK(bearer_of(site->read_head()).starts_with("scoped-"));
        CHECK(site->read(size) == body);
        site->send(good);
        CHECK(client.read_head().starts_with("HTTP/1.1 200"));
        CHECK(client.read(2) == "ok");
    }
}

TEST_CASE("an early 403 does not lose the rest of a body that is still on its way") {
    rig r(protect());
    auto client = r.client();
    client.send("PUT " + r.url("/up") + " HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc");
    {
        auto site = r.site.accept();
        (void)site.read_head();
        CHECK(site.read(3) == "abc");
        site.send(wants("up"));
    }
    auto site = r.site.accept();
    CHECK(bearer_of(site.read_head()) == "scoped-1");
    CHECK(site.read(3) == "abc");
    client.send("def");
    CHECK(site.read(3) == "def");
    site.send(good);
    CHECK(client.read_head().starts_with("HTTP/1.1 200"));
}

TEST_CASE("a body too large to keep passes, but cannot be sent again: the API's 403 says so") {
    auto o = protect();
    o.limits.replay_memory = 100;
    o.limits.replay_file = 1000;
    rig r(o);
    auto client = r.client();
    std::string const body(5000, 'b');
    client.send("POST " + r.url("/up") + " HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n" + body);
    auto site = r.site.accept();
    (void)site.read_head();
    CHECK(site.read(5000) == body);
    site.send(wants("up", "the API's own words"));
    auto const head = client.read_head();
    CHECK(head.starts_with("HTTP/1.1 403 Forbidden\r\n"));
    CHECK(head.find("JIT-Request-Status: ") != std::string::npos);
    CHECK(client.read(19) == "the API's own words");
}

TEST_CASE("denied: the API's own 403, body and all, with the reason in the fields") {
    rig r(protect());
    r.as.decision = request_status::denied;
    auto client = r.client();
    client.send(r.get("/doc"));
    auto site = r.site.accept();
    (void)site.read_head();
    site.send(wants("doc", "the API's own words"));
    auto const head = client.read_head();
    CHECK(head.starts_with("HTTP/1.1 403 Forbidden\r\n"));
    CHECK(head.find("X-Api: yes\r\n") != std::string::npos);
    CHECK(head.find("JIT-Request-Status: denied\r\n") != std::string::npos);
    CHECK(head.find("JIT-Request-Id: req-1\r\n") != std::string::npos);
    CHECK(head.find("Proxy-Status: jitproxy") != std::string::npos);
    CHECK(client.read(19) == "the API's own words");
}

TEST_CASE("denied, and the body of the API's 403 cannot be understood: a 502 that nothing of it went before") {
    rig r(protect());
    r.as.decision = request_status::denied;
    auto client = r.client();
    client.send(r.get("/doc"));
    auto site = r.site.accept();
    (void)site.read_head();
    auto forbidden = wants("doc", "");
    forbidden.erase(forbidden.find("Content-Length"));
    site.send(forbidden + "Transfer-Encoding: chunked\r\n\r\n2\r\nno\r\nxyz\r\n0\r\n\r\n");
    CHECK(client.read_head().starts_with("HTTP/1.1 502 Bad Gateway\r\n"));
    CHECK(r.as.asked == 1);
}

TEST_CASE("pending longer than the client waits, then granted: the next attempt joins") {
    rig r(protect());
    r.as.decision = request_status::pending;
    auto client = r.client();
    client.send(r.get("/doc", "Prefer: wait=0\r\n"));
    auto site = r.site.accept();
    (void)site.read_head();
    site.send(wants("doc"));
    auto const head = client.read_head();
    CHECK(head.find("JIT-Request-Status: pending\r\n") != std::string::npos);
    CHECK(head.find("Retry-After: ") != std::string::npos);
    CHECK(client.read(2) == "no");
    r.as.decision = request_status::approved;
    client.send(r.get("/doc"));
    (void)site.read_head();
    site.send(wants("doc"));
    CHECK(bearer_of(site.read_head()) == "scoped-1");
    site.send(good);
    CHECK(client.read_head().starts_with("HTTP/1.1 200"));
    CHECK(r.as.asked == 1);
}

TEST_CASE("a client that leaves while a human is asked is not acted for") {
    rig r(protect());
    r.as.decision = request_status::pending;
    auto client = r.client();
    client.send(r.get("/doc"));
    auto site = r.site.accept();
    (void)site.read_head();
    site.send(wants("doc"));
    while (r.as.asked == 0) std::this_thread::yield();
    if (GENERATE(false, true)) client.send(r.get("/next"));
    client.close();
    while (r.counters().open_connections != 0) std::this_thread::yield();
    r.as.decision = request_status::approved;
    while (r.as.exchanged == 0 && !site.silent(1000)) std::this_thread::yield();
    CHECK(site.silent());  // nothing was sent on its behalf

    auto again = r.client();
    again.send(r.get("/doc"));
    CHECK(bearer_of(site.read_head()) == "scoped-1");
    site.send(good);
    CHECK(again.read_head().starts_with("HTTP/1.1 200"));
    CHECK(r.as.asked == 1);
}

TEST_CASE(
    "a client that sends its next request while a human is asked costs nothing meanwhile, and is served after it") {
    rig r(protect());
    r.as.decision = request_status::pending;
    auto client = r.client();
    client.send(r.get("/doc"));
    auto site = r.site.accept();
    (void)site.read_head();
    bool const split = GENERATE(false, true);  // a part of the second is read with the first
    auto const second = r.get("/other");
    if (split) client.send(second.substr(0, 20));
    site.send(wants("doc"));
    while (r.as.asked == 0) std::this_thread::yield();
    client.send(split ? second.substr(20) : second);
    auto const before = std::clock();
    CHECK(client.silent(500));
    auto const busy = std::chrono::milliseconds((std::clock() - before) * 1000 / CLOCKS_PER_SEC);
    CHECK(busy < std::chrono::milliseconds(50));  // of processor time, not of the clock on the wall
    r.as.decision = request_status::approved;
    CHECK(bearer_of(site.read_head()) == "scoped-1");
    site.send(good);
    CHECK(client.read_head().starts_with("HTTP/1.1 200"));
    (void)client.read(2);
    CHECK(site.read_head().starts_with("GET /other "));
}

TEST_CASE("a dead bearer is fetched anew once") {
    rig r(protect());
    auto client = r.client();
    client.send(r.get("/doc"));
    auto site = r.site.accept();
    CHECK(bearer_of(site.read_head()) == "agent-1");
    constexpr std::string_view dead =
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer error=\"invalid_token\"\r\nContent-Length: 0\r\n\r\n";
    site.send(dead);
    CHECK(bearer_of(site.read_head()) == "agent-2");
    site.send(dead);
    CHECK(client.read_head().starts_with("HTTP/1.1 401 "));
}

TEST_CASE("the authorization server is down: 503, and nothing reaches the API") {
    rig r(protect());
    r.as.down = true;
    auto client = r.client();
    client.send(r.get("/doc"));
    auto const head = client.read_head();
    CHECK(head.starts_with("HTTP/1.1 503 "));
    CHECK(head.find("Proxy-Status: jitproxy; error=") != std::string::npos);
    CHECK_FALSE(r.site.visited());
}

TEST_CASE(
    "where a session is required: 407 on a connection that stays usable, also behind a body; closed sessions are "
    "over") {
    auto o = protect();
    o.session_required = true;
    rig r(o);
    auto client = r.client();
    client.send("POST " + r.url("/doc") + " HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
    auto const challenge = client.read_head();
    CHECK(challenge.starts_with("HTTP/1.1 407 "));
    CHECK(challenge.find("Proxy-Authenticate: Basic realm=\"jitproxy\"\r\n") != std::string::npos);
    auto const length = challenge.find("Content-Length: ");
    (void)client.read(std::stoul(challenge.substr(length + 16)));
    auto const credentials = r.open_session();
    client.send(r.get("/doc", credentials));
    auto site = r.site.accept();
    auto const head = site.read_head();
    CHECK(head.find("Proxy-Authorization") == std::string::npos);
    CHECK(bearer_of(head) == "agent-1");
    site.send(good);
    CHECK(client.read_head().starts_with("HTTP/1.1 200"));
    CHECK(client.read(2) == "ok");
    r.close_sessions();
    CHECK(r.as.completed == 1);
    client.send(r.get("/doc", credentials));
    CHECK(client.read_head().starts_with("HTTP/1.1 407 "));
    CHECK(site.silent());
}

TEST_CASE("a redirect to another host is the client's to follow, without a bearer") {
    rig r(protect());
    auto client = r.client();
    client.send(r.get("/doc"));
    auto site = r.site.accept();
    (void)site.read_head();
    origin elsewhere;
    site.send("HTTP/1.1 302 Found\r\nLocation: http://localhost:" + std::to_string(elsewhere.port()) +
              "/\r\nContent-Length: 0\r\n\r\n");
    CHECK(client.read_head().starts_with("HTTP/1.1 302 "));
    client.send("GET http://127.0.0.1:" + std::to_string(elsewhere.port()) + "/ HTTP/1.1\r\nHost: x\r\n\r\n");
    auto other = elsewhere.accept();
    CHECK(other.read_head().find("Authorization") == std::string::npos);
}

TEST_CASE("a TRACE, which the API sends back as it came, carries no bearer and asks for nothing") {
    rig r(protect());
    auto client = r.client();
    std::string const method = GENERATE("TRACE", "trace");
    client.send(method + " " + r.url("/doc") + " HTTP/1.1\r\nHost: x\r\n\r\n");
    auto site = r.site.accept();
    CHECK(site.read_head().find("Authorization") == std::string::npos);
    site.send(wants("doc"));
    auto const head = client.read_head();
    CHECK(head.starts_with("HTTP/1.1 403 "));
    CHECK(head.find("JIT-") == std::string::npos);
    CHECK(client.read(2) == "no");
    CHECK(r.as.asked == 0);
    client.send(r.get("/doc"));
    CHECK(bearer_of(site.read_head()) == "agent-1");
}

TEST_CASE("a 403 to a request that waits for 100 (Continue) costs no upload") {
    rig r(protect());
    auto client = r.client();
    client.send("PUT " + r.url("/doc") + " HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    auto first = r.site.accept();
    (void)first.read_head();
    first.send(wants("doc"));
    auto second = r.site.accept();  // the first one's request was never completed
    CHECK(first.ended());
    CHECK(second.read_head().find("Expect: 100-continue\r\n") != std::string::npos);
    CHECK(client.silent());
    second.send("HTTP/1.1 100 Continue\r\n\r\n");
    CHECK(client.read_head().starts_with("HTTP/1.1 100 "));
    client.send("body");
    CHECK(second.read(4) == "body");
    second.send(good);
    CHECK(client.read_head().starts_with("HTTP/1.1 200"));
}

TEST_CASE("an upgrade that needs permission: asked for at the handshake, then bytes both ways") {
    rig r(protect());
    auto client = r.client();
    client.send("GET " + r.url("/ws") + " HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    auto site = r.site.accept();
    CHECK(bearer_of(site.read_head()) == "agent-1");
    site.send(wants("socket"));
    auto const again = site.read_head();
    CHECK(bearer_of(again) == "scoped-1");
    CHECK(again.find("Upgrade: websocket\r\n") != std::string::npos);
    site.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    CHECK(client.read_head().starts_with("HTTP/1.1 101 "));
    client.send("ping");
    CHECK(site.read(4) == "ping");
    site.send("pong");
    CHECK(client.read(4) == "pong");
    client.end();
    CHECK(site.ended());
    site.send("bye");  // half-closed: this way is still open
    CHECK(client.read(3) == "bye");
}

TEST_CASE("what came of the permission is told also where the API's own 403 has broken off") {
    rig r(protect());
    r.as.decision = request_status::denied;
    auto client = r.client();
    client.send(r.get("/doc"));
    auto site = r.site.accept();
    (void)site.read_head();
    auto answer = wants("doc", "half of what was announced");
    site.send(answer.substr(0, answer.size() - 10));
    site.close();
    auto const head = client.read_head();
    INFO(head);
    CHECK(head.starts_with("HTTP/1.1 502 "));
    CHECK(head.find("\r\nJIT-Request-Status: denied\r\n") != std::string::npos);
    CHECK(head.find("\r\nJIT-Request-Id: req-1\r\n") != std::string::npos);
    CHECK(head.find("error=connection_terminated") != std::string::npos);
}
