// The client against a scripted server: every call of the port, and what goes over the wire.
#include "jitproxy/lumoauth/client.hpp"

#include "fixture.hpp"
#include "jitproxy/base/log.hpp"

using namespace jitproxy;
using test::fixture;
using test::outcome;
using test::token_body;

namespace {
std::vector<std::string> lines;

struct captured_log {
    captured_log() {
        lines.clear();
        log::configure(log::level::debug, log::format::text);
        log::capture([](std::string_view line) { lines.emplace_back(line); });
    }
    ~captured_log() {
        log::capture(nullptr);
        log::configure(log::level::warning, log::format::text);
    }
};
}  // namespace

TEST_CASE("the whole story over one connection") {
    captured_log const log;
    fixture f;
    f.answers(200, token_body);
    auto const token = f.fetch();
    REQUIRE(token.has_value());
    CHECK(token->value->reveal() == "tok-1");
    CHECK(token->expires_in == seconds{300});

    f.answers(201, R"({"task_id": "tsk_1", "expires_at": "2030-01-01T00:00:00Z"})");
    auto const task = f.create_task();
    REQUIRE(task.has_value());
    CHECK(task->task_id == "tsk_1");

    f.answers(202, R"({"request_id": "req_1", "status": "pending", "status_url": "/t/acme/api/v1/s/req_1"})",
              "Retry-After: 2\r\n");
    auto state = f.ask();
    REQUIRE(state.has_value());
    CHECK(state->status == jit::request_status::pending);
    CHECK(state->retry_after == std::optional{seconds{2}});

    f.answers(200, R"({"request_id": "req_1", "status": "approved", "token_url": ")" + f.as->url() + R"(/x/token"})");
    state = f.poll(*state);
    REQUIRE(state.has_value());
    CHECK(state->status == jit::request_status::approved);

    f.answers(200, R"({"access_token": "scoped-1", "expires_in": "600"})");
    auto const scoped = f.exchange(*state);
    REQUIRE(scoped.has_value());
    CHECK(scoped->value->reveal() == "scoped-1");

    f.answers(204);
    auto const done = f.complete();
    REQUIRE(done.has_value());
    CHECK(*done == jit::completion::completed);

    f.answers(200);
    CHECK(outcome<void>(f.io, [&](auto cb) { f.client->revoke(0, make_secret("tok-1"), std::move(cb)); }).has_value());

    auto const& r = f.as->requests;
    REQUIRE(r.size() == 7);
    CHECK(f.as->connections == 1);
    CHECK(r[0].line() == "POST /t/acme/api/v1/oauth/token HTTP/1.1");
    CHECK(r[0].has("Content-Type: application/x-www-form-urlencoded"));
    CHECK(r[0].has("User-Agent: jitproxy/" JITPROXY_VERSION));
    CHECK(r[0].has("Host: " + f.as->url().substr(7)));
    CHECK(r[0].head.find("Authorization") == std::string::npos);
    CHECK(r[0].body == "grant_type=client_credentials&client_id=agt_1&client_secret=client-secret-1");
    CHECK(r[1].line() == "POST /t/acme/api/v1/jit/task HTTP/1.1");
    CHECK(r[1].has("Authorization: Bearer bearer-123"));
    CHECK(r[1].has("Content-Type: application/json"));
    CHECK(r[1].body == "{}");
    CHECK(r[2].line() == "POST /t/acme/api/v1/jit/request HTTP/1.1");
    CHECK(r[3].line() == "GET /t/acme/api/v1/s/req_1 HTTP/1.1");
    CHECK(r[3].has("Authorization: Bearer bearer-123"));
    CHECK(r[3].head.find("Content-") == std::string::npos);
    CHECK(r[4].line() == "POST /x/token HTTP/1.1");
    CHECK(r[4].has("Content-Length: 0"));
    CHECK(r[5].line() == "POST /t/acme/api/v1/jit/task/tsk_1/complete HTTP/1.1");
    CHECK(r[6].line() == "POST /t/acme/api/v1/oauth/revoke HTTP/1.1");
    CHECK(r[6].body.starts_with("token=tok-1&"));

    REQUIRE(lines.size() == 7);
    for (auto const* part : {"jit/task", "status", "201", "ms"}) {
        INFO(lines[1]);
        CHECK(lines[1].find(part) != std::string::npos);
    }
    for (auto const& line : lines) {
        for (auto const* secret : {"tok-1", "scoped-1", "bearer-123", "client-secret-1"}) {
            CHECK(line.find(secret) == std::string::npos);
        }
    }
}

TEST_CASE("delegation and human decisions") {
    fixture f;
    f.answers(200, token_body);
    auto const delegated = outcome<jit::access_token>(f.io, [&](auto cb) {
        f.client->exchange_for_user(0, make_secret("user-tok"), make_secret("agent-tok"), std::move(cb));
    });
    REQUIRE(delegated.has_value());
    CHECK(f.as->requests[0].body.find("subject_token=user-tok&") != std::string::npos);
    CHECK(f.as->requests[0].body.find("actor_token=agent-tok&") != std::string::npos);

    f.answers(200, R"({"request_id": "req_1", "status": "approved", "granted_ttl": 300})");
    auto state = outcome<jit::request_state>(
        f.io, [&](auto cb) { f.client->approve(make_secret("human-tok"), "req_1", "fine", std::move(cb)); });
    REQUIRE(state.has_value());
    CHECK(state->status == jit::request_status::approved);
    CHECK(f.as->requests[1].line() == "POST /t/acme/api/v1/jit/approve/req_1 HTTP/1.1");
    CHECK(f.as->requests[1].has("Authorization: Bearer human-tok"));
    CHECK(f.as->requests[1].body == R"({"notes":"fine"})");

    f.answers(204);
    state = outcome<jit::request_state>(
        f.io, [&](auto cb) { f.client->deny(make_secret("human-tok"), "req_2", "no", std::move(cb)); });
    REQUIRE(state.has_value());
    CHECK(state->status == jit::request_status::denied);
    CHECK(state->request_id == "req_2");
    CHECK(f.as->requests[2].body == R"({"reason":"no"})");
}

TEST_CASE("a URL on another origin gets nothing") {
    fixture f;
    test::server other{f.io};
    jit::request_state known{.request_id = "req_1"};
    known.token_url = other.url() + "/t/acme/api/v1/jit/request/req_1/token";
    known.status_url = other.url() + "/status";
    CHECK(f.exchange(known).error().code == errc::as_malformed);
    CHECK(f.poll(known).error().code == errc::as_malformed);
    CHECK(other.connections == 0);
    CHECK(f.as->connections == 0);
}

TEST_CASE("a redirect is not followed") {
    fixture f;
    test::server other{f.io};
    f.answers(307, "", "Location: " + other.url() + "/\r\n");
    auto const t = f.fetch();
    REQUIRE(t.has_error());
    CHECK(t.error().code == errc::as_malformed);
    CHECK(t.error().detail.find("redirects are not followed") != std::string::npos);
    CHECK(other.connections == 0);
}

TEST_CASE("a bearer that would break out of its field is not sent") {
    fixture f;
    for (auto const* text : {"", "a\r\nX-Evil: 1", "a b", "\xC3\xBC"}) {
        auto const s = outcome<jit::request_state>(
            f.io, [&](auto cb) { f.client->approve(make_secret(text), "req_1", "", std::move(cb)); });
        REQUIRE(s.has_error());
        CHECK(s.error().code == errc::bad_argument);
    }
    CHECK(f.as->connections == 0);
}

TEST_CASE("after a 429 with Retry-After the endpoint is left alone, for all callers") {
    fixture f;
    f.answers(429, R"({"error": true, "message": "slow down"})", "Retry-After: 30\r\n");
    auto t = f.fetch();
    REQUIRE(t.has_error());
    CHECK(t.error().code == errc::as_rate_limited);
    CHECK(t.error().retry_after == 30);
    CHECK(t.error().detail.find("slow down") != std::string::npos);

    t = f.fetch();
    REQUIRE(t.has_error());
    CHECK(t.error().code == errc::as_rate_limited);
    CHECK((t.error().retry_after > 25 && t.error().retry_after <= 30));
    CHECK(f.as->requests.size() == 1);  // not asked again

    f.answers(200, R"({"task_id": "tsk_1"})");  // others are
    CHECK(f.create_task().has_value());
}

TEST_CASE("a 429 that names no time wants a pause all the same") {
    fixture f;
    f.answers(429);
    CHECK(f.fetch().error().retry_after == 2);
    CHECK(f.fetch().error().code == errc::as_rate_limited);
    CHECK(f.as->requests.size() == 1);
}

TEST_CASE("a token and a revocation are tried again at once, but not for ever, and nothing else is") {
    fixture f;
    f.attempts = 3;
    f.connect(f.as->url());
    auto const revoke = [&] {
        return test::outcome<void>(f.io, [&](auto done) { f.client->revoke(0, f.bearer, std::move(done)); });
    };
    f.answers(503);
    f.answers({"", test::step::then::reset});
    f.answers(200, token_body);
    CHECK(f.token() == "tok-1");
    CHECK(f.as->requests.size() == 3);
    f.answers(500);
    f.answers(200);
    CHECK(revoke().has_value());
    CHECK(f.as->requests.size() == 5);
    for (int i = 0; i != 3; ++i) f.answers(502);
    CHECK(f.fetch().error().code == errc::as_unclear);
    CHECK(f.as->requests.size() == 8);
    f.answers(400, R"({"error": "invalid_client"})");
    CHECK(f.fetch().error().code == errc::as_rejected);
    f.answers(503, "", "Retry-After: 60\r\n");
    CHECK(f.fetch().error().retry_after == 60);
    CHECK(f.as->requests.size() == 10);
    f.answers(500);
    CHECK(f.create_task().error().code == errc::as_unclear);
    f.answers(500);
    CHECK(f.ask().error().code == errc::as_unclear);
    CHECK(f.as->requests.size() == 12);
}

TEST_CASE("a server that fails again and again is left alone; what closes things still goes out") {
    fixture f;
    f.circuit_failures = 3;
    f.connect(f.as->url());
    for (int i = 0; i != 3; ++i) {
        f.answers(500);
        CHECK(f.ask().error().code == errc::as_unclear);
    }
    auto const refused = f.poll({.request_id = "r"});
    CHECK(refused.error().code == errc::as_down);
    CHECK(refused.error().retry_after == 30);
    CHECK(f.as->requests.size() == 3);
    REQUIRE(f.changes.size() == 1);
    CHECK(f.changes[0].first);
    CHECK(f.changes[0].second.find("500") != std::string::npos);
    f.answers(503);
    CHECK(f.complete().error().code == errc::as_unclear);
    f.answers(204);
    CHECK(f.complete().has_value());
    f.answers(200, R"({"request_id": "r", "status": "pending"})");
    CHECK(f.poll({.request_id = "r"}).has_value());
    CHECK(f.changes.size() == 2);
}

TEST_CASE("a secret that the server echoes is in no error") {
    fixture f;
    f.answers(401, R"({"error": "invalid_client", "error_description": "client-secret-1 is wrong"})");
    auto const t = f.fetch();
    REQUIRE(t.has_error());
    CHECK(t.error().code == errc::as_rejected);
    CHECK(t.error().detail.find("client-secret-1") == std::string::npos);
    f.answers(403, R"({"error": true, "message": "bearer-123 may not"})");
    CHECK(f.create_task().error().detail.find("bearer-123") == std::string::npos);
}

TEST_CASE("many calls at once share a few connections and are all answered") {
    fixture f;
    f.connect(f.as->url(), seconds{10}, "", 3);
    int answered = 0;
    for (int i = 0; i < 20; ++i) {
        f.answers(200, R"({"task_id": "tsk_1"})");
        f.client->create_task(f.bearer, {}, [&](result<jit::task> t) { answered += t.has_value() ? 1 : 0; });
    }
    while (answered < 20 && f.io.run_one() > 0) {
    }
    CHECK(answered == 20);
    CHECK(f.as->requests.size() == 20);
    CHECK(f.as->connections <= 3);
}

TEST_CASE("calls under way when the client goes are not called back") {
    fixture f;
    bool called = false;
    f.client->fetch_agent_token(0, [&](auto) { called = true; });  // the script is empty: no answer comes
    while (f.as->requests.empty()) f.io.run_one();
    f.client->fetch_agent_token(0, [&](auto) { called = true; });
    f.client.reset();
    f.as.reset();
    f.io.run();
    CHECK_FALSE(called);
}

TEST_CASE("each agent's calls carry its own credentials, and changed ones from the next call on") {
    fixture f;
    f.answers(200, R"({"access_token":"one","token_type":"Bearer","expires_in":60})");
    f.answers(200, R"({"access_token":"two","token_type":"Bearer","expires_in":60})");
    f.answers(200);
    f.answers(200, R"({"access_token":"three","token_type":"Bearer","expires_in":60})");
    auto const fetch = [&](jit::agent_index agent) {
        return outcome<jit::access_token>(f.io,
                                          [&](auto done) { f.client->fetch_agent_token(agent, std::move(done)); });
    };
    CHECK(fetch(0).has_value());
    CHECK(fetch(1).has_value());
    CHECK(outcome<void>(f.io, [&](auto done) { f.client->revoke(1, make_secret("t"), std::move(done)); }).has_value());
    (*f.credentials)[1].client_secret = make_secret("rotated");
    CHECK(fetch(1).has_value());
    auto const& r = f.as->requests;
    REQUIRE(r.size() == 4);
    CHECK(r[0].body == "grant_type=client_credentials&client_id=agt_1&client_secret=client-secret-1");
    CHECK(r[1].body == "grant_type=client_credentials&client_id=agt_2&client_secret=client-secret-2&scope=read");
    CHECK(r[2].body == "token=t&token_type_hint=access_token&client_id=agt_2&client_secret=client-secret-2");
    CHECK(r[3].body == "grant_type=client_credentials&client_id=agt_2&client_secret=rotated&scope=read");
}

TEST_CASE("options that cannot be used") {
    boost::asio::io_context io;
    lumoauth::client_options const good{.url = "https://as.example",
                                        .tenant = "t",
                                        .agents = std::make_shared<std::vector<lumoauth::credentials>>(
                                            std::vector<lumoauth::credentials>{{"agt", make_secret("s"), {}}})};
    auto const with_agents = [](std::vector<lumoauth::credentials> all) {
        return [all](auto& o) { o.agents = std::make_shared<std::vector<lumoauth::credentials>>(all); };
    };
    CHECK_NOTHROW(lumoauth::create_client(io, good));
    auto const refused = [&](auto&& change) {
        auto o = good;
        change(o);
        try {
            static_cast<void>(lumoauth::create_client(io, o));
        } catch (failure const& f) {
            return f.code == errc::configuration;
        }
        return false;
    };
    CHECK(refused([](auto& o) { o.url = "http://as.example"; }));
    CHECK(refused([](auto& o) { o.tenant.clear(); }));
    CHECK(refused([](auto& o) { o.org_id = "o"; }));
    CHECK(refused([](auto& o) { o.agents = nullptr; }));
    CHECK(refused(with_agents({})));
    CHECK(refused(with_agents({{"", make_secret("s"), {}}})));
    CHECK(refused(with_agents({{"agt", nullptr, {}}})));
    CHECK(refused(with_agents({{"agt", make_secret("s"), {}}, {"agt_2", make_secret(""), {}}})));
    CHECK(refused([](auto& o) { o.ca_file = "/nonexistent/ca.pem"; }));
    CHECK(refused([](auto& o) { o.ca_file = "/dev/null"; }));
    CHECK(refused([](auto& o) { o.timeout = milliseconds{0}; }));
}
