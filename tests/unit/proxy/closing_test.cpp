// A session is closed while its requests are under way.
#include "catch.hpp"
#include "rig.hpp"

using namespace jitproxy::proxy::test;
using jitproxy::milliseconds;

namespace {

rig_options protecting(milliseconds drain) {
    rig_options o;
    o.protect = true;
    o.timeouts.drain = drain;
    return o;
}

constexpr milliseconds long_enough{20'000};
constexpr milliseconds at_once{1};

bool over(std::vector<std::future<void>> const& closed) {
    return closed.at(0).wait_for(long_enough) == std::future_status::ready;
}

}  // namespace

TEST_CASE("closing: a request in flight is answered, nothing new is served, and only then the task is completed") {
    rig r(protecting(long_enough));
    auto const credentials = r.open_session();
    auto client = r.client();
    client.send(r.get("/slow", credentials));
    auto site = r.site.accept();
    CHECK_FALSE(bearer_of(site.read_head()).empty());

    auto const closed = r.begin_to_close_sessions();
    auto late = r.client();
    late.send(r.get("/late", credentials));
    CHECK(late.read_head().starts_with("HTTP/1.1 407 "));
    CHECK(r.as.completed == 0);

    site.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone");
    CHECK(client.read_head().starts_with("HTTP/1.1 200 "));
    CHECK(client.read(4) == "done");
    CHECK(over(closed));
    CHECK(r.as.completed == 1);
}

TEST_CASE("closing: what is in flight when the drain time is over is cut") {
    rig r(protecting(at_once));
    auto const credentials = r.open_session();
    auto client = r.client();
    client.send(r.get("/endless", credentials));
    auto site = r.site.accept();
    (void)site.read_head();
    CHECK(over(r.begin_to_close_sessions()));
    CHECK(r.as.completed == 1);
    CHECK(client.gone());
    CHECK(site.gone());
}

TEST_CASE("closing: a request that waits for a human is told so, and does not hold the session") {
    rig r(protecting(long_enough));
    r.as.decision = jitproxy::jit::request_status::pending;
    auto const credentials = r.open_session();
    auto client = r.client();
    client.send(r.get("/doc", credentials));
    auto site = r.site.accept();
    (void)site.read_head();
    site.send(wants("doc"));
    while (r.as.asked == 0) std::this_thread::yield();
    CHECK(over(r.begin_to_close_sessions()));
    auto const head = client.read_head();
    CHECK(head.starts_with("HTTP/1.1 403 "));
    CHECK(head.find("session closed") != std::string::npos);
}

TEST_CASE("draining: who has not said a word since CONNECT was answered is not waited for, a request is") {
    auto o = protecting(long_enough);
    o.intercept = true;
    rig r(o);
    auto quiet = r.client();
    quiet.send("CONNECT " + r.site.at() + " HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(quiet.read_head().starts_with("HTTP/1.1 200 "));
    auto busy = r.client();
    busy.send(r.get("/slow"));
    auto site = r.site.accept();
    (void)site.read_head();

    auto const drained = r.begin_to_drain();
    CHECK(quiet.ended());
    quiet.close();
    CHECK(r.open_connections_become(1));
    site.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone");
    CHECK(busy.read_head().find("\r\nConnection: close\r\n") != std::string::npos);
    CHECK(busy.read(4) == "done");
    CHECK(busy.ended());
    busy.close();
    CHECK(drained.wait_for(long_enough) == std::future_status::ready);
}

TEST_CASE("closing: a tunnel of the session is cut when the drain time is over, another's is not") {
    rig_options o;
    o.timeouts.drain = at_once;
    rig r(o);
    auto const credentials = r.open_session();
    auto mine = r.client();
    mine.send("CONNECT " + r.site.at() + " HTTP/1.1\r\nHost: x\r\n" + credentials + "\r\n");
    auto site = r.site.accept();
    CHECK(mine.read_head().starts_with("HTTP/1.1 200 "));
    auto other = r.client();
    other.send("CONNECT " + r.site.at() + " HTTP/1.1\r\nHost: x\r\n\r\n");
    auto site_of_other = r.site.accept();
    CHECK(other.read_head().starts_with("HTTP/1.1 200 "));
    CHECK(over(r.begin_to_close_sessions()));
    CHECK(mine.gone());
    CHECK(site.gone());
    other.send("still here");
    CHECK(site_of_other.read(10) == "still here");
}
