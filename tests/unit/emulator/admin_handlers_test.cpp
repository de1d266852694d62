#include "catch.hpp"
#include "fixture.hpp"

using namespace jitproxy;
using namespace jitproxy::emulator;

TEST_CASE("the state shows everything but tokens") {
    fixture f;
    f.log_in();
    auto const task = f.open_task();
    auto const token = f.granted(task, details_of("document", "read"));
    (void)f.ask(task, details_of("document", "delete"));
    (void)f.api("GET", "/v1/documents/doc_9982", token);
    (void)f.api("GET", "/v1/public");
    auto const answer = f.admin("GET", "state");
    REQUIRE(answer.status == 200);
    CHECK(answer.body.find(token) == std::string::npos);
    CHECK(answer.body.find(f.agent) == std::string::npos);
    CHECK(answer.body.find("demo-secret") == std::string::npos);
    auto const state = fixture::body_of(answer);
    CHECK(state.at("live_tokens").as_array().size() == 2);
    CHECK(state.at("open_tasks").at(0).at("task_id") == json::value(task));
    CHECK(state.at("requests").at(1).at("status") == "pending");
    CHECK(state.at("requests").at(0).at("justification") == "a test");
    auto const& counts = state.at("counts").as_object();
    CHECK(counts.at("token") == 1);
    CHECK(counts.at("task") == 1);
    CHECK(counts.at("request") == 2);
    CHECK(counts.at("jit_token") == 1);
    CHECK(counts.at("complete") == 0);
    CHECK(counts.at("api") == 2);
    auto const& calls = state.at("api_calls").as_array();
    REQUIRE(calls.size() == 2);
    CHECK(calls[0].at("authorization") == "jit");
    CHECK(calls[0].at("task_id") == json::value(task));
    CHECK(calls[0].at("status") == 403);
    CHECK(calls[1].at("authorization") == "none");
}

TEST_CASE("the last 200 calls are kept") {
    fixture f;
    for (int i = 0; i < 205; ++i) (void)f.api("GET", "/v1/call" + std::to_string(i));
    auto const& calls = f.w.record.api_calls();
    REQUIRE(calls.size() == 200);
    CHECK(calls.front().at("path") == "/v1/call5");
    CHECK(f.w.record.counts().at("api") == 205);
}

TEST_CASE("deciding, advancing, revoking, suspending") {
    fixture f;
    f.log_in();
    auto const task = f.open_task();
    auto const id = fixture::text(fixture::body_of(f.ask(task, details_of("document", "delete"))), "request_id");
    CHECK(json::parse(f.admin("GET", "pending").body).as_array().size() == 1);
    CHECK(f.admin("POST", "decide", json::object{{"request_id", id}, {"decision", "perhaps"}}).status == 400);
    CHECK(f.admin("POST", "decide", json::object{{"request_id", "req_x"}, {"decision", "deny"}}).status == 404);
    CHECK(f.admin("POST", "decide", json::object{{"request_id", id}, {"decision", "approve"}}).status == 200);
    CHECK(fixture::body_of(f.admin("GET", "requests/" + id)).at("status") == "approved");
    CHECK(f.admin("GET", "requests/req_x").status == 404);
    CHECK(f.exchange(id).status == 200);

    SECTION("time") {
        CHECK(f.admin("POST", "advance", json::object{{"seconds", 300}}).status == 200);
        CHECK(f.w.tokens.live().size() == 1);
        CHECK(f.admin("POST", "advance", json::object{{"seconds", -1}}).status == 400);
        CHECK(f.admin("POST", "advance", json::object{}).status == 400);
    }
    SECTION("tokens") {
        CHECK(fixture::body_of(f.admin("POST", "revoke", json::object{{"kind", "agent"}})).at("revoked") == 1);
        CHECK(f.api("GET", "/v1/public", f.agent).status == 401);
        CHECK(f.admin("POST", "revoke", json::object{{"kind", "users"}}).status == 400);
    }
    SECTION("suspension") {
        CHECK(f.admin("POST", "suspend", json::object{{"task_id", task}}).status == 200);
        CHECK(f.w.tokens.live().size() == 1);
        CHECK(f.ask(task, details_of("document", "read")).status == 400);
    }
    SECTION("reset") {
        REQUIRE(f.admin("POST", "variant", json::object{{"complete", "204"}}).status == 200);
        REQUIRE(f.admin("POST", "fault", json::object{{"endpoint", "task"}, {"kind", "status"}}).status == 200);
        f.advance(5);
        CHECK(f.admin("POST", "reset").status == 200);
        CHECK(f.w.tokens.live().empty());
        CHECK(f.w.tasks.tasks().empty());
        CHECK(f.w.tasks.requests().empty());
        CHECK(f.w.forms.is("complete", "200"));
        CHECK(f.w.faults.to_json().empty());
        CHECK(f.w.now() == test_start());
        CHECK(f.w.record.counts().at("token") == 0);
    }
}

TEST_CASE("variants and faults over the admin API") {
    fixture f;
    CHECK(f.admin("POST", "variant", json::object{{"complete", "205"}}).status == 400);
    CHECK(f.admin("POST", "variant", json::object{{"complete", "204"}}).status == 200);
    CHECK(fixture::body_of(f.admin("GET", "variant")).at("complete") == "204");
    CHECK(f.admin("DELETE", "variant").status == 200);
    CHECK(f.w.forms.is("complete", "200"));
    CHECK(f.admin("POST", "fault", json::object{{"endpoint", "task"}, {"kind", "status"}}).status == 200);
    CHECK(json::parse(f.admin("GET", "fault").body).as_array().size() == 1);
    CHECK(f.admin("DELETE", "fault").status == 200);
    CHECK(json::parse(f.admin("GET", "fault").body).as_array().empty());
    CHECK(f.admin("POST", "nothing").status == 404);
    CHECK(f.admin("GET", "nothing").status == 404);
    CHECK(f.admin("PUT", "state").status == 405);
    CHECK(f.as(fixture::make("POST", "/emulator/fault", "", "{broken")).status == 400);
}

TEST_CASE("an expired_token fault kills the bearer that came along") {
    fixture f;
    f.log_in();
    as_service as{f.w};
    REQUIRE(f.w.faults.add({{"endpoint", "task"}, {"kind", "expired_token"}}).empty());
    auto const r = fixture::make("POST", f.base + "/jit/task", f.agent);
    CHECK_FALSE(as.take_fault(fixture::make("GET", "/emulator/state")).has_value());
    REQUIRE(as.take_fault(r).has_value());
    CHECK(as.handle(r).status == 401);
}
