#include "jitproxy/lumoauth/answers.hpp"

#include <cstring>

#include "catch.hpp"

using namespace jitproxy;
using namespace jitproxy::lumoauth;
using jit::request_status;

namespace {

wall_time const now{seconds{1'750'000'000}};

answer_context asked(endpoint e) {
    return {e, now, {}};
}
wire_answer answer(unsigned status, std::string body = {}) {
    return {status, "", "", std::move(body)};
}

result<jit::access_token> token(std::string body, unsigned status = 200) {
    auto a = answer(status, std::move(body));
    auto r = read_access_token(a, asked(endpoint::token));
    CHECK(a.body.empty());
    return r;
}
result<jit::request_state> state(std::string body, unsigned status = 200, endpoint e = endpoint::request,
                                 jit::request_state known = {}) {
    auto a = answer(status, std::move(body));
    return read_request_state(a, asked(e), std::move(known));
}
result<jit::completion> completion(unsigned status, std::string body = {}) {
    auto a = answer(status, std::move(body));
    return read_completion(a, asked(endpoint::complete));
}

}  // namespace

TEST_CASE("access tokens in every form that is documented") {
    struct row {
        char const* body;
        char const* value;
        int life;
    };
    row const rows[] = {
        {R"({"access_token": "abc.def-_~+/=", "token_type": "Bearer", "expires_in": 3600, "scope": "x"})",
         "abc.def-_~+/=", 3600},
        {R"({"access_token": "a", "token_type": "bearer", "expires_in": "300"})", "a", 300},
        {R"({"access_token": "a", "expires_in": 300.0})", "a", 300},
        {R"({"access_token": "a"})", "a", 300},
        {R"({"access_token": "a", "expires_in": null, "token_type": null})", "a", 300},
        {R"({"access_token": "a", "expires_in": 1e15})", "a", 7 * 24 * 3600},
        {R"({"access_token": "a", "token_type": "Bearer", "expires_in": 600, "task_id": "t", "jit_request_id": "r",
             "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
             "authorization_details": [{"type": "x"}], "unknown": {"deep": [1, 2]}})",
         "a", 600},
        {R"({"access_token": "a", "expires_in": 60, "authorization_details": {"type": "x"}})", "a", 60},
    };
    for (auto const& r : rows) {
        for (unsigned const status : {200U, 201U}) {
            INFO(r.body << " " << status);
            auto const t = token(r.body, status);
            REQUIRE(t.has_value());
            CHECK(t->value->reveal() == r.value);
            CHECK(t->expires_in == seconds{r.life});
        }
    }
}

TEST_CASE("answers that hold no usable token") {
    for (auto const* body :
         {"", "{}", "[]", "null", "\"abc\"", "{\"access_token\": \"a", "<html>", R"({"access_token": ""})",
          R"({"access_token": 7})", R"({"access_token": null})", R"({"access_token": ["a"]})",
          R"({"access_token": "a b"})", R"({"access_token": "a\r\nX: y"})", R"({"access_token": "ü"})",
          R"({"access_token": "a", "expires_in": 0})", R"({"access_token": "a", "expires_in": -5})",
          R"({"access_token": "a", "token_type": "DPoP"})", R"({"access_token": "a", "token_type": "N_A"})",
          R"({"access_token": "a"} trailing)"}) {
        INFO(body);
        auto const t = token(body);
        REQUIRE(t.has_error());
        CHECK(t.error().code == errc::as_malformed);
        CHECK(t.error().detail.find("oauth/token") != std::string::npos);
    }
    CHECK(token(R"({"access_token": ")" + std::string(70'000, 'x') + "\"}").error().code == errc::as_malformed);
    CHECK(token(std::string(100, '[') + std::string(100, ']')).error().code == errc::as_malformed);
    CHECK(token("", 204).error().code == errc::as_malformed);
}

TEST_CASE("what cannot be understood is not repeated: it may hold a token") {
    auto const t = token(R"({"access_token": "tok en", "x": "tok-zzz"})");
    REQUIRE(t.has_error());
    CHECK(t.error().detail.find("tok") == t.error().detail.find("oauth/token") + 6);  // in the endpoint's name alone
    CHECK(token(R"({"access_token": "zzz")").error().detail.find("zzz") == std::string::npos);
}

TEST_CASE("tasks") {
    auto const read = [](std::string body, unsigned status = 201) {
        auto a = answer(status, std::move(body));
        return read_task(a, asked(endpoint::create_task));
    };
    auto t = read(R"({"task_id": "tsk_1", "caep_session_id": "c", "expires_at": "2025-06-15T16:13:20+01:00",
                      "agent_id": "a", "agent": {"id": "a", "name": "n"}, "on_behalf_of": null})");
    REQUIRE(t.has_value());
    CHECK(t->task_id == "tsk_1");
    CHECK(t->expires_at == std::optional{now + seconds{400}});
    CHECK(read(R"({"task_id": "t"})", 200)->task_id == "t");
    CHECK_FALSE(read(R"({"task_id": "t"})")->expires_at.has_value());
    CHECK(read(R"({"task_id": 42, "expires_at": 1750000400})")->task_id == "42");
    CHECK(read(R"({"task_id": 42, "expires_at": 1750000400})")->expires_at == std::optional{now + seconds{400}});
    CHECK_FALSE(read(R"({"task_id": "t", "expires_at": "tomorrow"})")->expires_at.has_value());
    for (auto const* body : {"{}", "", R"({"task_id": ""})", R"({"task_id": ".."})", R"({"task_id": {}})", "[]"}) {
        INFO(body);
        CHECK(read(body).error().code == errc::as_malformed);
    }
}

TEST_CASE("a request that is approved, pending, denied or expired") {
    for (unsigned const status : {200U, 201U, 202U}) {
        auto s = state(R"({"request_id": "req_1", "status": "approved", "risk_level": "low", "task_id": "t",
                           "token_url": "/t/x/token", "granted_ttl": 300})",
                       status);
        REQUIRE(s.has_value());
        CHECK(s->request_id == "req_1");
        CHECK(s->status == request_status::approved);
        CHECK(s->risk_level == "low");
        CHECK(s->token_url == "/t/x/token");
        CHECK(s->status_url.empty());

        s = state(R"({"request_id": "req_1", "status": "pending", "status_url": "https://as/s", "message": "wait\nhere",
                      "expires_at": "2025-06-15T15:06:41Z", "authorization_details": [{"type": "x"}]})",
                  status);
        REQUIRE(s.has_value());
        CHECK(s->status == request_status::pending);
        CHECK(s->status_url == "https://as/s");
        CHECK(s->reason == "wait here");
        CHECK(s->expires_at == std::optional{now + seconds{1}});

        s = state(R"({"request_id": 7, "status": "APPROVED"})", status);  // no token_url
        REQUIRE(s.has_value());
        CHECK(s->request_id == "7");
        CHECK(s->token_url.empty());
    }
    CHECK(state(R"({"request_id": "r", "status": "denied", "deny_reason": "too risky"})")->reason == "too risky");
    CHECK(state(R"({"request_id": "r", "status": "denied", "review_notes": "no"})")->reason == "no");
    CHECK(state(R"({"request_id": "r", "status": "denied", "deny_reason": null, "review_notes": ""})")->reason.empty());
    CHECK(state(R"({"request_id": "r", "status": "denied"})")->status == request_status::denied);
    CHECK(state(R"({"request_id": "r", "status": "expired"})")->status == request_status::expired);
}

TEST_CASE("a decision that comes with a 4xx is a decision") {
    auto const s = state(R"({"request_id": "r", "status": "denied", "deny_reason": "no"})", 403);
    REQUIRE(s.has_value());
    CHECK(s->status == request_status::denied);
    CHECK(state(R"({"request_id": "r", "status": "expired"})", 410, endpoint::status)->status ==
          request_status::expired);
    CHECK(state(R"({"request_id": "r", "status": "approved"})", 403).error().code == errc::as_rejected);
    CHECK(state(R"({"status": "denied"})", 403).error().code == errc::as_rejected);
}

TEST_CASE("a poll keeps what its answer leaves out") {
    jit::request_state known;
    known.request_id = "req_1";
    known.risk_level = "high";
    known.status_url = "/s";
    known.token_url = "/t";
    known.reason = "waiting";
    known.expires_at = now;
    auto const s = state(R"({"status": "approved"})", 200, endpoint::status, known);
    REQUIRE(s.has_value());
    CHECK(s->status == request_status::approved);
    CHECK(s->request_id == "req_1");
    CHECK(s->risk_level == "high");
    CHECK(s->status_url == "/s");
    CHECK(s->token_url == "/t");
    CHECK(s->expires_at == std::optional{now});
}

TEST_CASE("Retry-After says when to ask again; it does not outlive its answer") {
    auto a = answer(202, R"({"request_id": "r", "status": "pending"})");
    a.retry_after = "3";
    a.rate_limit_reset = "1750000060";  // when the count starts anew: no reason to wait
    auto const first = read_request_state(a, asked(endpoint::request), {});
    REQUIRE(first.has_value());
    CHECK(first->retry_after == std::optional{seconds{3}});
    CHECK_FALSE(state(R"({"status": "pending"})", 200, endpoint::status, *first)->retry_after.has_value());
}

TEST_CASE("states that cannot be used") {
    for (auto const* body : {"", "{}", "[]", R"({"request_id": "r"})", R"({"status": "approved"})",
                             R"({"request_id": "r", "status": "maybe"})", R"({"request_id": "r", "status": 1})",
                             R"({"request_id": ".", "status": "pending"})"}) {
        INFO(body);
        CHECK(state(body).error().code == errc::as_malformed);
    }
    CHECK(state(R"({"request_id": "r", "status": "suspended"})").error().code == errc::as_inactive);
    CHECK(state(R"({"active": false, "action": "suspended"})").error().code == errc::as_inactive);
    CHECK(state("", 204, endpoint::status, {.request_id = "r"}).error().code == errc::as_malformed);
}

TEST_CASE("a human's decision: an answer that says little says enough") {
    jit::request_state const known{.request_id = "req_1"};
    CHECK(state(R"({"request_id": "req_1", "status": "approved", "granted_ttl": 300})", 200, endpoint::approve, known)
              ->status == request_status::approved);
    CHECK(state("{}", 200, endpoint::approve, known)->status == request_status::approved);
    CHECK(state("", 204, endpoint::approve, known)->status == request_status::approved);
    CHECK(state("", 200, endpoint::deny, known)->status == request_status::denied);
    CHECK(state(R"({"status": "expired"})", 200, endpoint::approve, known)->status == request_status::expired);
    CHECK(state("<html>", 200, endpoint::approve, known).error().code == errc::as_malformed);
    CHECK(state(R"({"error": true, "message": "no jit.approve"})", 403, endpoint::approve, known).error().code ==
          errc::as_rejected);
}

TEST_CASE("completion: confirmed, or as good as that") {
    using jit::completion;
    struct row {
        unsigned status;
        char const* body;
        completion as;
    };
    row const good[] = {
        {200, R"({"task_id": "t", "status": "completed", "completed_at": "2025-06-15T15:06:40Z"})",
         completion::completed},
        {200, "", completion::completed},
        {202, "{}", completion::completed},
        {204, "", completion::completed},
        {404, R"({"error": true, "message": "Task not found"})", completion::already_complete},
        {404, "", completion::already_complete},
        {409, R"({"error": "conflict"})", completion::already_complete},
        {410, "", completion::already_complete},
        {400, R"({"error": true, "message": "Task is already completed"})", completion::already_complete},
        {400, R"({"error": "invalid_request", "error_description": "task not active"})", completion::already_complete},
        {400, R"({"error": true, "message": "Unknown task"})", completion::already_complete},
        {400, R"({"error": true, "message": "Task suspended"})", completion::already_complete},
        {422, R"({"error": true, "message": "already closed"})", completion::already_complete},
    };
    for (auto const& r : good) {
        INFO(r.status << " " << r.body);
        auto const c = ::completion(r.status, r.body);
        REQUIRE(c.has_value());
        CHECK(*c == r.as);
    }
    struct bad_row {
        unsigned status;
        char const* body;
        errc as;
    };
    bad_row const bad[] = {
        {400, R"({"error": "invalid_request"})", errc::as_rejected},
        {400, "", errc::as_rejected},
        {403, R"({"error": true, "message": "not the owner"})", errc::as_rejected},
        {404, "<html><body>404 Not Found</body></html>", errc::as_unclear},  // of a gateway, not of the API
        {404, "default backend - 404", errc::as_unclear},
        {410, "<html>", errc::as_unclear},
        {429, "", errc::as_rate_limited},
        {500, R"({"message": "already completed"})", errc::as_unclear},
        {302, "", errc::as_malformed},
    };
    for (auto const& r : bad) {
        INFO(r.status << " " << r.body);
        auto const c = ::completion(r.status, r.body);
        REQUIRE(c.has_error());
        CHECK(c.error().code == r.as);
    }
}

TEST_CASE("the pending list in its three shapes") {
    auto const read = [](std::string body, unsigned status = 200) {
        auto a = answer(status, std::move(body));
        return read_pending(a, asked(endpoint::pending));
    };
    std::string const one =
        R"({"request_id": "r1", "task_id": "t1", "status": "pending", "risk_level": "high",
            "authorization_details": {"type": "x", "actions": ["b", "a"]}, "expires_at": "2025-06-15T16:00:00Z"})";
    for (auto const& body :
         {R"({"pending_requests": [)" + one + R"(], "count": 1})", R"({"requests": [)" + one + "]}", "[" + one + "]"}) {
        INFO(body);
        auto const list = read(body);
        REQUIRE(list.has_value());
        REQUIRE(list->size() == 1);
        CHECK(list->front().task_id == "t1");
        CHECK(list->front().needs == R"({"actions":["b","a"],"type":"x"})");
        CHECK(list->front().state.request_id == "r1");
        CHECK(list->front().state.status == jit::request_status::pending);
        CHECK(list->front().state.risk_level == "high");
        CHECK(list->front().state.expires_at.has_value());
    }
    CHECK(read("[]")->empty());
    // What cannot be understood, or is decided, is left out.
    auto const some = read(R"([7, {}, {"request_id": "r"}, {"request_id": "r", "task_id": "t"},
        {"request_id": "r", "task_id": "t", "authorization_details": []},
        {"request_id": "r", "task_id": "t", "authorization_details": {"type": "x"}, "status": "approved"},
        {"request_id": 8, "task_id": "t", "authorization_details": [{"type": "x"}]}])");
    REQUIRE(some.has_value());
    REQUIRE(some->size() == 1);
    CHECK(some->front().state.request_id == "8");
    for (auto const* body : {"", "{}", "null", "7", R"({"pending_requests": 7})", "<html>"})
        CHECK(read(body).error().code == errc::as_malformed);
    CHECK(read(R"({"error": true, "message": "jit.approve is missing"})", 403).error().code == errc::as_rejected);
    CHECK(read("", 503).error().code == errc::as_unclear);
}

TEST_CASE("evaluation") {
    auto const read = [](std::string body, unsigned status = 200) {
        auto a = answer(status, std::move(body));
        return read_evaluation(a, asked(endpoint::evaluate));
    };
    for (auto const* body :
         {"{}", R"({"active": true})", R"({"active": true, "action": "none", "events": []})", R"({"active": "no"})"})
        CHECK(read(body)->active);
    for (auto const* body : {R"({"active": false})", R"({"active": true, "action": "suspended"})",
                             R"({"action": "Suspended", "events": [7]})"}) {
        INFO(body);
        REQUIRE(read(body).has_value());
        CHECK_FALSE(read(body)->active);
    }
    CHECK(read(R"({"active": false, "action": "suspended",
                   "events": [{"type": "a"}, {"type": "risk", "details": "too\nhigh"}]})")
              ->reason == "the authorization server's evaluation of the task: suspended (risk: too high)");
    CHECK(read("").error().code == errc::as_malformed);
    CHECK(read(R"({"error": true, "message": "Task suspended"})", 400).error().code == errc::as_inactive);
    CHECK(read("", 405).error().code == errc::as_rejected);
}

TEST_CASE("revocation: any success will do") {
    auto const read = [](unsigned status, std::string body) {
        auto a = answer(status, std::move(body));
        return read_revocation(a, asked(endpoint::revoke));
    };
    CHECK(read(200, "").has_value());
    CHECK(read(200, "not json").has_value());
    CHECK(read(204, "").has_value());
    CHECK(read(503, "").error().code == errc::as_unclear);
    CHECK(read(400, R"({"error": "unsupported_token_type"})").error().code == errc::as_rejected);
}
