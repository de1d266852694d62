// One line and one count for each request that is over, however it ended.
#include <condition_variable>
#include <mutex>

#include "catch.hpp"
#include "jitproxy/base/log.hpp"
#include "rig.hpp"

using namespace jitproxy;
using namespace jitproxy::proxy;
using namespace jitproxy::proxy::test;

namespace {

std::mutex guard;
std::condition_variable more;
std::vector<std::string> lines;
std::string_view defect;  // who logs this fails with an exception

// Lines of requests, from a worker's thread.
struct request_lines {
    request_lines() {
        lines.clear();
        log::capture([](std::string_view line) {
            if (!defect.empty() && line.find(defect) != line.npos) throw std::runtime_error("played");
            if (line.find(" info request ") == line.npos) return;
            std::lock_guard const lock(guard);
            lines.emplace_back(line.substr(line.find("request ")));
            more.notify_all();
        });
    }
    ~request_lines() {
        log::capture(nullptr);
        defect = {};
    }
    request_lines(request_lines const&) = delete;
    request_lines& operator=(request_lines const&) = delete;

    // The n-th, once it is there: it is written a moment after the answer.
    [[nodiscard]] std::string at(std::size_t n) const {
        std::unique_lock lock(guard);
        bool const came = more.wait_for(lock, std::chrono::seconds(10), [n] { return lines.size() > n; });
        REQUIRE(came);
        return lines[n];
    }
    [[nodiscard]] std::size_t count() const {
        std::lock_guard const lock(guard);
        return lines.size();
    }
};

bool has(std::string const& line, std::string_view field) {  // a whole one: "status=200"
    auto const at = line.find(' ' + std::string(field));
    if (at == std::string::npos) return false;
    auto const end = at + 1 + field.size();
    return end == line.size() || line[end] == ' ';
}

std::uint64_t count_of(rig const& r, std::string_view api, outcome o) {
    auto const all = r.counters().apis;
    auto const found = all.find(api);
    return found == all.end() ? 0 : found->second.requests[static_cast<std::size_t>(o)];
}

rig_options open() {
    rig_options o;
    o.logged = request_log::all;
    return o;
}
rig_options protect() {
    auto o = open();
    o.protect = true;
    return o;
}
constexpr std::string_view good = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

}  // namespace

TEST_CASE("a request that is no API's business is served, with bytes and times, and its query is not told") {
    request_lines const told;
    rig r(open());
    auto client = r.client();
    client.send(r.get("/doc?key=s3cret"));
    auto site = r.site.accept();
    auto const sent = site.read_head();
    site.send(good);
    CHECK(client.read_head().starts_with("HTTP/1.1 200"));
    (void)client.read(2);
    auto const line = told.at(0);
    INFO(line);
    for (auto const& field : {std::string("method=GET"), "host=" + r.site.at(), std::string("path=/doc"),
                              std::string("api=-"), std::string("status=200"), std::string("outcome=served"),
                              "bytes_up=" + std::to_string(sent.size()), "bytes_down=" + std::to_string(good.size())})
        CHECK(has(line, field));
    CHECK(line.find("s3cret") == std::string::npos);
    CHECK(line.find("session=") == std::string::npos);
    CHECK(line.find("reused") == std::string::npos);
    client.send(r.get("/again"));
    (void)site.read_head();
    site.send(good);
    CHECK(has(told.at(1), "reused=true"));
    CHECK(count_of(r, no_api, outcome::served) == 2);
    auto const n = r.counters();
    CHECK(n.apis.find(no_api)->second.duration.total() == 2);
    CHECK(n.bytes_down == 2 * good.size());
    CHECK(n.error_codes.empty());
}

TEST_CASE("a permission that was given shows in the line, with its session and request") {
    request_lines const told;
    rig r(protect());
    auto client = r.client();
    client.send(r.get("/doc"));
    auto site = r.site.accept();
    (void)site.read_head();
    site.send(wants("doc"));
    (void)site.read_head();
    site.send(good);
    CHECK(client.read_head().starts_with("HTTP/1.1 200"));
    auto const line = told.at(0);
    INFO(line);
    for (auto const* field : {"api=site", "status=200", "outcome=granted", "request=req-1"}) CHECK(has(line, field));
    CHECK(line.find(" session=") != std::string::npos);
    CHECK(line.find(" approval_ms=") != std::string::npos);
    CHECK(line.find("agent-1") == std::string::npos);
    CHECK(line.find("scoped-1") == std::string::npos);
    auto const n = r.counters();
    CHECK(n.escalations == 1);
    CHECK(n.escalation_results[static_cast<std::size_t>(escalation::granted)] == 1);
    CHECK(n.approval_wait.total() == 1);
    CHECK(count_of(r, "site", outcome::granted) == 1);
    // The grant is there: the next one is served like any other.
    client.send(r.get("/doc"));
    (void)site.read_head();
    site.send(good);
    CHECK(has(told.at(1), "outcome=served"));
}

TEST_CASE("a permission that was not given: the API's 403, and why") {
    request_lines const told;
    rig r(protect());
    auto const [decision, name] =
        GENERATE(std::pair{jit::request_status::denied, "denied"}, std::pair{jit::request_status::pending, "pending"});
    r.as.decision = decision;
    auto client = r.client();
    client.send(r.get("/doc", "Prefer: wait=0\r\n"));
    auto site = r.site.accept();
    (void)site.read_head();
    site.send(wants("doc"));
    CHECK(client.read_head().starts_with("HTTP/1.1 403"));
    auto const line = told.at(0);
    INFO(line);
    CHECK(has(line, "status=403"));
    CHECK(has(line, "outcome=" + std::string(name)));
    CHECK(has(line, "request=req-1"));
    CHECK(line.find("error=") == std::string::npos);
}

TEST_CASE("what the proxy answers itself names the error") {
    request_lines const told;
    SECTION("the client's fault") {
        rig r(open());
        auto client = r.client();
        client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        CHECK(client.read_head().starts_with("HTTP/1.1 400"));
        auto const line = told.at(0);
        for (auto const* field : {"method=GET", "status=400", "outcome=rejected", "error=bad_target"})
            CHECK(has(line, field));
        CHECK(r.counters().error_codes.at(errc::bad_target) == 1);
    }
    SECTION("a head that cannot be understood") {
        rig r(open());
        auto client = r.client();
        client.send("GET http://x/ HTTP/1.1\r\nHost : x\r\n\r\n");
        CHECK(client.read_head().starts_with("HTTP/1.1 400"));
        CHECK(has(told.at(0), "error=malformed_request"));
        CHECK(count_of(r, no_api, outcome::rejected) == 1);
    }
    SECTION("the origin's fault") {
        rig r(open());
        auto client = r.client();
        client.send(r.get("/doc"));
        r.site.accept().close();
        CHECK(client.read_head().starts_with("HTTP/1.1 502"));
        auto const line = told.at(0);
        for (auto const* field : {"status=502", "outcome=failed", "error=connection_closed"}) CHECK(has(line, field));
        CHECK(r.counters().errors == 1);
    }
}

TEST_CASE("a request that ends by a defect of the proxy counts once, and has its line") {
    request_lines const told;
    defect = "permission signal cannot be understood";
    rig r(protect());
    auto client = r.client();
    client.send(r.get("/doc"));
    auto site = r.site.accept();
    (void)site.read_head();
    site.send("HTTP/1.1 403 Forbidden\r\nInsufficient-Authorization-Details: !\r\nContent-Length: 0\r\n\r\n");
    CHECK(client.gone());
    auto const line = told.at(0);
    INFO(line);
    for (auto const* field : {"api=site", "path=/doc", "outcome=failed", "error=internal"}) CHECK(has(line, field));
    CHECK(line.find("status=") == std::string::npos);  // no answer was sent
    REQUIRE(r.open_connections_become(0));
    CHECK(told.count() == 1);
    CHECK(count_of(r, "site", outcome::failed) == 1);
    CHECK(r.counters().error_codes == std::map<errc, std::uint64_t>{{errc::internal, 1}});
}

TEST_CASE("an answer that breaks off has failed, whatever its status said") {
    request_lines const told;
    rig r(open());
    auto client = r.client();
    client.send(r.get("/doc"));
    auto site = r.site.accept();
    (void)site.read_head();
    site.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    (void)client.read_head();
    site.close();
    auto const line = told.at(0);
    INFO(line);
    for (auto const* field : {"status=200", "outcome=failed", "error=connection_closed"}) CHECK(has(line, field));
}

TEST_CASE("a client that leaves before its answer") {
    request_lines const told;
    rig r(protect());
    auto client = r.client();
    SECTION("while the origin thinks") {
        client.send(r.get("/doc"));
        auto site = r.site.accept();
        (void)site.read_head();
        client.reset();
        auto const line = told.at(0);
        CHECK(has(line, "outcome=aborted"));
        CHECK(line.find("status=") == std::string::npos);
    }
    SECTION("while a human thinks") {
        r.as.decision = jit::request_status::pending;
        client.send(r.get("/doc"));
        auto site = r.site.accept();
        (void)site.read_head();
        site.send(wants("doc"));
        while (r.as.asked == 0) std::this_thread::yield();
        client.reset();
        CHECK(has(told.at(0), "outcome=aborted"));
        CHECK(r.counters().escalation_results[static_cast<std::size_t>(escalation::abandoned)] == 1);
    }
}

TEST_CASE("a tunnel has its line when it ends, with what went through it") {
    request_lines const told;
    rig r(open());
    auto client = r.client();
    client.send("CONNECT " + r.site.at() + " HTTP/1.1\r\nHost: x\r\n\r\n");
    auto site = r.site.accept();
    (void)client.read_head();
    client.send("12345");
    (void)site.read(5);
    site.send("123");
    (void)client.read(3);
    CHECK(told.count() == 0);
    client.end();
    site.end();
    auto const line = told.at(0);
    INFO(line);
    for (auto const& field : {std::string("method=CONNECT"), "host=" + r.site.at(), std::string("status=200"),
                              std::string("outcome=tunneled"), std::string("bytes_up=5"), std::string("bytes_down=3")})
        CHECK(has(line, field));
    CHECK(line.find("path=") == std::string::npos);
    auto const n = r.counters();
    CHECK(n.tunnels == 1);
    CHECK(n.bytes_up == 5);
    CHECK(n.apis.find(no_api)->second.duration.total() == 0);  // hours of a tunnel say nothing of requests
}

TEST_CASE("what policy refuses of an API's is counted as that API's") {
    request_lines const told;
    auto o = protect();
    o.plain_http = false;
    rig r(o);
    auto client = r.client();
    errc expected = errc::port_denied;
    SECTION("a bearer over plain HTTP") {
        expected = errc::plain_http_denied;
        client.send(r.get("/doc"));
    }
    SECTION("a port that is none of its own") {
        client.send("GET http://localhost:1/doc HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    SECTION("a tunnel to such a port") {
        client.send("CONNECT localhost:1 HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    CHECK(client.read_head().starts_with("HTTP/1.1 403 "));
    auto const line = told.at(0);
    INFO(line);
    CHECK(has(line, "api=site"));
    CHECK(has(line, "error=" + std::string(name_of(expected))));
    CHECK(count_of(r, "site", outcome::rejected) == 1);
    CHECK(count_of(r, no_api, outcome::rejected) == 0);
}

TEST_CASE("an intercepted CONNECT that comes to nothing is no request") {
    request_lines const told;
    auto o = protect();
    o.intercept = true;
    rig r(o);
    auto client = r.client();
    client.send("CONNECT " + r.site.at() + " HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(client.read_head().starts_with("HTTP/1.1 200 "));
    std::map<errc, std::uint64_t> expected;
    SECTION("the client leaves") {
        client.close();
    }
    SECTION("the handshake fails") {
        expected[errc::tls_failed] = 1;
        client.send({"\x16\x03\x01\x00\x05hello", 10});
        CHECK(client.gone());
    }
    REQUIRE(r.open_connections_become(0));  // what was to be told is told
    CHECK(told.count() == 0);
    auto const n = r.counters();
    CHECK(n.error_codes == expected);
    for (auto const& [api, of] : n.apis) {
        CHECK(of.duration.total() == 0);
        for (auto const requests : of.requests) CHECK(requests == 0);
    }
}

TEST_CASE("which requests get a line, and that all of them count") {
    request_lines const told;
    auto o = protect();
    auto const which = GENERATE(request_log::escalated, request_log::none);
    o.logged = which;
    rig r(o);
    auto client = r.client();
    client.send(r.get("/other"));
    auto site = r.site.accept();
    (void)site.read_head();
    site.send(good);
    (void)client.read_head();
    (void)client.read(2);
    client.send(r.get("/doc"));
    (void)site.read_head();
    site.send(wants("doc"));
    (void)site.read_head();
    site.send(good);
    (void)client.read_head();
    (void)client.read(2);
    client.end();
    REQUIRE(r.open_connections_become(0));  // all lines are written
    REQUIRE(told.count() == (which == request_log::escalated ? 1U : 0U));
    if (told.count() == 1) CHECK(has(told.at(0), "path=/doc"));
    CHECK(count_of(r, "site", outcome::served) == 1);
    CHECK(count_of(r, "site", outcome::granted) == 1);
}
