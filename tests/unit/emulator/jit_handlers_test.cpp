#include "catch.hpp"
#include "fixture.hpp"

using namespace jitproxy;
using namespace jitproxy::emulator;

namespace {

struct logged_in : fixture {
    explicit logged_in(options o = {}) : fixture(std::move(o)) { log_in(); }
    json::object asked(std::string const& task, char const* action = "read") {
        return body_of(ask(task, details_of("document", action)));
    }
};

}  // namespace

TEST_CASE("the whole story") {
    logged_in f;
    auto const made = f.jit("POST", "/jit/task", json::object{{"name", "n"}, {"type", "t"}});
    CHECK(made.status == 201);
    auto const task = fixture::body_of(made);
    CHECK(task.at("agent_id") == "agt_demo");
    CHECK(task.at("expires_at") == "2023-11-14T23:13:20Z");
    auto const id = fixture::text(task, "task_id");

    auto const approved = f.ask(id, details_of("document", "read"));
    CHECK(approved.status == 201);
    auto const p = fixture::body_of(approved);
    CHECK(p.at("status") == "approved");
    CHECK(p.at("risk_level") == "low");
    CHECK(p.at("granted_ttl") == 300);
    auto const request = fixture::text(p, "request_id");
    CHECK(p.at("token_url") == json::value(f.base + "/jit/request/" + request + "/token"));

    auto const exchanged = f.exchange(request);
    CHECK(exchanged.status == 200);
    auto const t = fixture::body_of(exchanged);
    CHECK(fixture::text(t, "access_token").starts_with("emu_jit_"));
    CHECK(t.at("expires_in") == 300);
    CHECK(t.at("authorization_details") == json::array{details_of("document", "read")});
    CHECK(t.at("task_id") == json::value(id));
    CHECK(t.at("jit_request_id") == json::value(request));
    CHECK(f.exchange(request).status == 400);

    auto const done = f.jit("POST", "/jit/task/" + id + "/complete");
    CHECK(done.status == 200);
    CHECK(fixture::body_of(done).at("status") == "completed");
    CHECK(f.w.tokens.live().size() == 1);  // the agent's own
    CHECK(f.jit("POST", "/jit/task/" + id + "/complete").status == 400);
    CHECK(f.w.record.violations().empty());
}

TEST_CASE("a human decides, with a human's token only") {
    logged_in f;
    auto const task = f.open_task();
    auto const pending = f.ask(task, details_of("document", "delete"));
    CHECK(pending.status == 202);
    auto const p = fixture::body_of(pending);
    REQUIRE(p.at("status") == "pending");
    auto const id = fixture::text(p, "request_id");
    CHECK(p.at("status_url") == json::value(f.base + "/jit/request/" + id + "/status"));
    CHECK(f.exchange(id).status == 403);
    CHECK(fixture::body_of(f.jit("GET", "/jit/request/" + id + "/status")).at("status") == "pending");

    CHECK(f.jit_as(f.agent, "/jit/approve/" + id).status == 403);
    CHECK(f.w.record.violations().size() == 1);
    CHECK(f.jit_as("user_plain", "/jit/approve/" + id).status == 403);
    CHECK(f.jit_as("user_nobody", "/jit/approve/" + id).status == 401);
    CHECK(f.jit_as("user_approver", "/jit/approve/req_unknown").status == 404);
    CHECK(f.jit_as("user_approver", "/jit/approve/" + id, json::object{{"ttl", 1000}}).status == 400);
    SECTION("approve") {
        auto const r = f.jit_as("user_approver", "/jit/approve/" + id, json::object{{"ttl", 60}, {"notes", "fine"}});
        CHECK(r.status == 200);
        CHECK(fixture::body_of(r).at("granted_ttl") == 60);
        CHECK(f.jit_as("user_approver", "/jit/deny/" + id).status == 400);
        CHECK(fixture::body_of(f.exchange(id)).at("expires_in") == 60);
    }
    SECTION("deny") {
        CHECK(f.jit_as("user_approver", "/jit/deny/" + id, json::object{{"reason", "not today"}}).status == 200);
        auto const s = fixture::body_of(f.jit("GET", "/jit/request/" + id + "/status"));
        CHECK(s.at("status") == "denied");
        CHECK(s.at("deny_reason") == "not today");
        CHECK(f.exchange(id).status == 403);
    }
    SECTION("nobody") {
        f.advance(300);
        CHECK(fixture::body_of(f.jit("GET", "/jit/request/" + id + "/status")).at("status") == "expired");
    }
}

TEST_CASE("bodies are checked") {
    logged_in f;
    auto const task = f.open_task();
    json::object const details = details_of("document", "read");
    struct row {
        json::value body;
        unsigned status;
    };
    row const rows[] = {
        {json::object{{"task_id", task}, {"authorization_details", details}, {"requested_ttl", 300}}, 201},
        {json::object{{"task_id", task}, {"authorization_details", details}}, 201},
        {json::object{{"authorization_details", details}, {"requested_ttl", 300}}, 400},
        {json::object{{"task_id", task}, {"requested_ttl", 300}}, 400},
        {json::object{{"task_id", task}, {"authorization_details", json::array{details}}}, 400},
        {json::object{{"task_id", task}, {"authorization_details", json::object{{"actions", "x"}}}}, 400},
        {json::object{{"task_id", task}, {"authorization_details", details}, {"requested_ttl", 901}}, 400},
        {json::object{{"task_id", task}, {"authorization_details", details}, {"requested_ttl", 0}}, 400},
        {json::object{{"task_id", task}, {"authorization_details", details}, {"requested_ttl", "300"}}, 400},
        {json::object{{"task_id", task}, {"authorization_details", details}, {"justification", 7}}, 400},
        {json::object{{"task_id", "task_unknown"}, {"authorization_details", details}}, 404},
        {json::array{}, 400},
    };
    for (auto const& r : rows) {
        INFO(json::serialize(r.body));
        CHECK(f.jit("POST", "/jit/request", r.body).status == r.status);
    }
    auto const text = fixture::make("POST", f.base + "/jit/request", f.agent, "{}", "text/plain");
    CHECK(f.as(text).status == 415);
    CHECK(f.jit("POST", "/jit/task", json::object{{"name", 1}}).status == 400);
    CHECK(f.jit("POST", "/jit/task", json::object{{"parent_task_id", "task_unknown"}}).status == 404);
    CHECK(f.jit("POST", "/jit/task/" + task + "/complete", json::object{{"x", 1}}).status == 400);
    CHECK(f.jit("GET", "/jit/task/" + task + "/complete").status == 405);
    CHECK(f.jit("POST", "/jit/nothing").status == 404);
}

TEST_CASE("unknown members are let through, but noted") {
    logged_in f;
    CHECK(f.jit("POST", "/jit/task", json::object{{"label", "x"}}).status == 201);
    REQUIRE(f.w.record.violations().size() == 1);
    CHECK(f.w.record.violations()[0].at("what") == "unknown member label");
}

TEST_CASE("bearers are checked") {
    options o;
    o.agents.push_back({"agt_two", "two"});
    logged_in f{o};
    auto const task = f.open_task();
    auto const path = f.base + "/jit/task/" + task + "/complete";
    CHECK(f.as(fixture::make("POST", path)).status == 401);
    CHECK(f.as(fixture::make("POST", path, "emu_agent_nobodys")).status == 401);
    CHECK(f.as(fixture::make("POST", path, "user_approver")).status == 403);
    auto const jit = f.granted(task, details_of("document", "read"));
    auto const refused = f.as(fixture::make("POST", path, jit));
    CHECK(refused.status == 401);
    CHECK(fixture::header(refused, "WWW-Authenticate") == "Bearer error=\"invalid_token\"");
    CHECK(f.w.record.violations().size() == 1);
    auto const two = fixture::text(fixture::body_of(f.form("/oauth/token",
                                                           "grant_type=client_credentials&client_id=agt_two&"
                                                           "client_secret=two")),
                                   "access_token");
    CHECK(f.as(fixture::make("POST", path, two)).status == 403);
    f.advance(3600);
    CHECK(f.as(fixture::make("POST", path, f.agent)).status == 401);
}

TEST_CASE("each variant") {
    logged_in f;
    auto const task = f.open_task();
    auto const set = [&](json::object v) { REQUIRE(f.w.forms.set(v).empty()); };
    SECTION("status_url") {
        set({{"status_url", "absolute"}});
        auto url = fixture::text(f.asked(task, "delete"), "status_url");
        CHECK(url.starts_with("http://api.acme-corp.test/t/acme-corp/api/v1/jit/request/"));
        set({{"status_url", "absent"}});
        CHECK_FALSE(f.asked(task, "delete").contains("status_url"));
        set({{"status_url", "foreign"}});
        CHECK(fixture::text(f.asked(task, "delete"), "status_url").starts_with("http://foreign.invalid/t/"));
        set({{"foreign_origin", "http://127.0.0.1:1"}});
        CHECK(fixture::text(f.asked(task, "delete"), "status_url").starts_with("http://127.0.0.1:1/t/"));
    }
    SECTION("token_url") {
        set({{"token_url", "absent"}});
        CHECK_FALSE(f.asked(task).contains("token_url"));
    }
    SECTION("token_answer") {
        set({{"token_answer", "short"}});
        auto const r = fixture::body_of(f.exchange(fixture::text(f.asked(task), "request_id")));
        CHECK(r.size() == 3);
    }
    SECTION("details") {
        set({{"details", "array"}, {"token_details", "object"}});
        auto const p = f.asked(task);
        CHECK(p.at("authorization_details").is_array());
        auto const t = fixture::body_of(f.exchange(fixture::text(p, "request_id")));
        CHECK(t.at("authorization_details").is_object());
    }
    SECTION("complete") {
        set({{"complete", "204"}, {"complete_again", "404"}});
        auto const r = f.jit("POST", "/jit/task/" + task + "/complete");
        CHECK(r.status == 204);
        CHECK(r.body.empty());
        CHECK(f.jit("POST", "/jit/task/" + task + "/complete").status == 404);
        set({{"complete_again", "200"}, {"complete", "200"}});
        CHECK(f.jit("POST", "/jit/task/" + task + "/complete").status == 200);
    }
    SECTION("status codes") {
        set({{"task_status", "200"}, {"request_status", "202"}});
        CHECK(f.jit("POST", "/jit/task").status == 200);
        CHECK(f.ask(task, details_of("document", "read")).status == 202);
    }
    SECTION("deny_field") {
        set({{"decision", "deny"}, {"deny_field", "review_notes"}});
        CHECK(f.asked(task).contains("review_notes"));
        set({{"deny_field", "none"}});
        auto const p = f.asked(task);
        CHECK_FALSE(p.contains("review_notes"));
        CHECK_FALSE(p.contains("deny_reason"));
    }
    SECTION("pending_list") {
        f.asked(task, "delete");
        CHECK(f.jit("GET", "/jit/pending").status == 403);
        set({{"pending_list", "requests"}});
        CHECK(fixture::body_of(f.jit("GET", "/jit/pending")).at("requests").as_array().size() == 1);
        set({{"pending_list", "array"}});
        CHECK(json::parse(f.jit("GET", "/jit/pending").body).as_array().size() == 1);
        set({{"pending_list", "forbidden"}});
        auto const human = f.as(fixture::make("GET", f.base + "/jit/pending", "user_approver"));
        CHECK(fixture::body_of(human).at("count") == 1);
        CHECK(f.as(fixture::make("GET", f.base + "/jit/pending", "user_plain")).status == 403);
    }
    SECTION("error_body") {
        CHECK(fixture::body_of(f.exchange("req_x")).at("error") == true);
        set({{"error_body", "oauth"}});
        CHECK(fixture::body_of(f.exchange("req_x")).at("error") == "request_not_found");
        set({{"error_body", "html"}});
        CHECK(f.exchange("req_x").body == "<h1>404</h1>");
        set({{"error_body", "empty"}});
        CHECK(f.exchange("req_x").body.empty());
    }
    SECTION("on_behalf_of") {
        CHECK(f.jit("POST", "/jit/task", json::object{{"on_behalf_of", "u"}}).status == 201);
        set({{"on_behalf_of", "forbidden"}});
        CHECK(f.jit("POST", "/jit/task", json::object{{"on_behalf_of", "u"}}).status == 403);
    }
    SECTION("the rest") {
        set({{"extra_members", "yes"}, {"agent_object", "yes"}, {"status_retry_after", "7"}});
        CHECK(fixture::body_of(f.jit("POST", "/jit/task")).at("agent").is_object());
        CHECK(f.asked(task).contains("x_unknown"));
        CHECK(fixture::header(f.ask(task, details_of("document", "delete")), "Retry-After") == "7");
        set({{"content_type", "application/json; charset=utf-8"}});
        CHECK(fixture::header(f.jit("POST", "/jit/task"), "Content-Type") == "application/json; charset=utf-8");
    }
}

TEST_CASE("evaluation, and suspension after three denials") {
    logged_in f;
    auto const task = f.open_task();
    auto const evaluate = [&](json::value const& body = nullptr) {
        return f.jit("POST", "/jit/task/" + task + "/evaluate", body);
    };
    CHECK(fixture::body_of(evaluate()).at("active") == true);
    SECTION("denied thrice") {
        REQUIRE(f.w.forms.set({{"decision", "deny"}}).empty());
        for (int i = 0; i < 3; ++i) CHECK(f.asked(task).at("status") == "denied");
        auto const e = fixture::body_of(evaluate());
        CHECK(e.at("active") == false);
        CHECK(e.at("action") == "suspended");
        CHECK_FALSE(e.at("events").as_array().empty());
        CHECK(f.ask(task, details_of("document", "read")).status == 400);
    }
    SECTION("with a result it closes") {
        CHECK(evaluate(json::object{{"result", "sideways"}}).status == 400);
        CHECK(evaluate(json::object{{"result", "failed"}, {"notes", "n"}}).status == 200);
        CHECK(fixture::body_of(evaluate()).at("active") == false);
    }
}
