#include "jitproxy/control/api.hpp"

#include <set>

#include "world.hpp"

using namespace jitproxy;
using namespace jitproxy::control;
using namespace jitproxy::control::testing;

namespace {

std::string text(json::object const& o, std::string_view name) {
    return string_member(o, name).value_or("(absent)");
}

std::set<std::string> names(json::object const& o) {
    std::set<std::string> out;
    for (auto const& member : o) out.insert(std::string(member.key()));
    return out;
}

}  // namespace

TEST_CASE("a session is opened with what an agent needs") {
    world w;
    auto const r = w.call("POST", "/v1/sessions", R"({"name":"n","type":"t","on_behalf_of":"u"})");
    CHECK(r.status == 201);
    auto const session = w.object(r);
    CHECK(names(session) ==
          std::set<std::string>{"session_id", "task_id", "proxy_url", "ca_file", "ca_bundle", "expires_at", "env"});
    CHECK(text(session, "task_id") == "task_1");
    auto const id = text(session, "session_id");
    CHECK(text(session, "proxy_url").starts_with("http://" + id + ":"));
    CHECK(text(session.at("env").get_object(), "HTTP_PROXY") == text(session, "proxy_url"));
    REQUIRE(w.as.tasks.size() == 1);
    CHECK(w.as.tasks[0].name == "n");
    CHECK(w.as.tasks[0].type == "t");
    CHECK(w.as.tasks[0].on_behalf_of == "u");
    CHECK(r.opened_session == id);
    CHECK(r.attached_session.empty());
    CHECK(r.fields == decltype(r.fields){{"Location", "/v1/sessions/" + id}});
}

TEST_CASE("an order that cannot be used opens nothing") {
    world w;
    for (auto const* body : {"{", "[]", "\"x\"", R"({"nmae":"typo"})"}) {
        INFO(body);
        auto const r = w.call("POST", "/v1/sessions", body);
        CHECK(r.status == 400);
        CHECK(r.content_type == "application/problem+json");
    }
    CHECK(w.as.tasks.empty());
    CHECK(w.call("POST", "/v1/sessions", R"({"parent_session_id":"ses_none"})").status == 404);
}

TEST_CASE("an authorization server that is down is a problem with its own status") {
    world w(false);
    w.as.down = true;
    w.manager.start();
    w.settle();
    auto const got = w.start("POST", "/v1/sessions", "{}");
    w.clock.advance(std::chrono::minutes{10});
    REQUIRE(got->size() == 1);
    CHECK(got->front().status >= 500);
    CHECK(got->front().body.find("down") != std::string::npos);
}

TEST_CASE("sessions are listed, shown and have their credentials told again") {
    world w;
    CHECK(w.call("GET", "/v1/sessions").body == "[]\n");
    auto const session = w.open(R"({"name":"by hand"})");
    auto const id = text(session, "session_id");
    auto const list = parse_json(w.call("GET", "/v1/sessions").body, errc::internal);
    REQUIRE(list.has_value());
    REQUIRE(list->as_array().size() == 1);
    auto const shown = w.object(w.call("GET", "/v1/sessions/" + id));
    CHECK(list->as_array()[0].as_object() == shown);
    CHECK(text(shown, "status") == "open");
    CHECK(text(shown, "name") == "by hand");
    CHECK(w.call("GET", "/v1/sessions/" + id).body.find("proxy_url") == std::string::npos);
    auto const access = w.object(w.call("GET", "/v1/sessions/" + id + "/access"));
    CHECK(text(access, "proxy_url") == text(session, "proxy_url"));
    CHECK(text(w.object(w.call("GET", "/v1/access")), "proxy_url") == "http://127.0.0.1:8080");
    CHECK(w.call("GET", "/v1/sessions/ses_none").status == 404);
    CHECK(w.call("GET", "/v1/sessions/ses_none/access").status == 404);
    CHECK(w.call("GET", "/v1/sessions/" + id + "/nothing").status == 404);
}

TEST_CASE("closing answers when the authorization server has confirmed") {
    world w;
    auto const session = w.open();
    auto const id = text(session, "session_id");
    auto const r = w.call("DELETE", "/v1/sessions/" + id);
    CHECK(r.status == 200);
    auto const closed = w.object(r);
    CHECK(names(closed) == std::set<std::string>{"session_id", "task_id", "status", "completed_at"});
    CHECK(text(closed, "status") == "completed");
    CHECK(text(closed, "task_id") == "task_1");
    CHECK(parse_rfc3339(text(closed, "completed_at")));
    CHECK(w.as.completed == std::vector<std::string>{"task_1"});
    CHECK(w.call("GET", "/v1/sessions/" + id + "/access").status == 404);
    CHECK(w.call("DELETE", "/v1/sessions/ses_none").status == 404);
}

TEST_CASE("closing without confirmation answers in time: 202, closing") {
    world w;
    auto const id = text(w.open(), "session_id");
    w.as.silent = true;
    CHECK(w.call("DELETE", "/v1/sessions/" + id + "?wait=x").status == 400);
    CHECK(text(w.object(w.call("GET", "/v1/sessions/" + id)), "status") == "open");
    auto const got = w.start("DELETE", "/v1/sessions/" + id + "?wait=5");
    w.clock.advance(milliseconds{4999});
    CHECK(got->empty());
    w.clock.advance(milliseconds{1});
    REQUIRE(got->size() == 1);
    CHECK(got->front().status == 202);
    CHECK(text(w.object(got->front()), "status") == "closing");
    auto const at_once = w.call("DELETE", "/v1/sessions/" + id + "?wait=0");
    CHECK(at_once.status == 202);
}

TEST_CASE("an order with a member or a parameter of the wrong kind is refused, and nothing is opened") {
    world w;
    for (auto const* body : {R"({"on_behalf_of":["bob"]})", R"({"user_token":123})", R"({"name":5})", R"({"agent":{}})",
                             R"({"owner_pid":"1"})", R"({"owner_pid":1.5})", R"({"nmae":"x"})"}) {
        auto const r = w.call("POST", "/v1/sessions", body);
        CHECK(r.status == 400);
        bool const said =
            r.body.find(" must be a ") != std::string::npos || r.body.find("unknown member") != std::string::npos;
        CHECK(said);
    }
    for (auto const* target : {"/v1/sessions?attached=maybe", "/v1/sessions?atached=1"})
        CHECK(w.call("POST", target, "{}").status == 400);
    CHECK(w.call("GET", "/v1/sessions").body == "[]\n");
    CHECK(w.call("GET", "/v1/requests?status=pendng").status == 400);
    CHECK(w.call("GET", "/v1/requests?state=pending").status == 400);
    auto const id = w.pending_request();
    CHECK(w.call("POST", "/v1/requests/" + id + "/approve", R"({"user_token":"t","notes":7})").status == 400);
    CHECK(w.call("POST", "/v1/sessions", R"({"name":null,"user_token":null,"owner_pid":null})").status == 201);
}

TEST_CASE("a session whose owner is gone is closed") {
    world w;
    auto const r = w.call("POST", "/v1/sessions?attached=1", "{}");
    CHECK(r.attached_session == r.opened_session);
    CHECK_FALSE(r.attached_session.empty());
    w.api.abandon(r.attached_session, {});
    w.settle();
    CHECK(w.as.completed == std::vector<std::string>{"task_1"});
    CHECK(w.call("POST", "/v1/sessions?attached=0", "{}").attached_session.empty());
}

TEST_CASE("requests are listed by status and shown") {
    world w;
    CHECK(w.call("GET", "/v1/requests").body == "[]\n");
    auto const id = w.pending_request();
    auto const list = parse_json(w.call("GET", "/v1/requests?status=pending").body, errc::internal);
    REQUIRE(list.has_value());
    REQUIRE(list->as_array().size() == 1);
    auto const& shown = list->as_array()[0].as_object();
    for (auto const* name : {"request_id", "local_id", "session_id", "api", "status", "risk_level",
                             "authorization_details", "justification", "created_at", "expires_at"}) {
        INFO(name);
        CHECK(shown.contains(name));
    }
    CHECK(text(shown, "request_id") == id);
    CHECK(text(shown, "api") == "acme");
    CHECK(text(shown, "risk_level") == "critical");
    CHECK(shown.at("authorization_details") == json::value(json::array{json::object{{"type", "payment"}}}));
    CHECK(w.call("GET", "/v1/requests?status=denied").body == "[]\n");
    CHECK(text(w.object(w.call("GET", "/v1/requests/" + id)), "status") == "pending");
    CHECK(w.call("GET", "/v1/requests/req_none").status == 404);
}

TEST_CASE("an event stream begins with what is pending") {
    world w;
    auto const before = w.call("GET", "/v1/events");
    CHECK((before.event_stream && before.body.empty()));
    auto const id = w.pending_request();
    auto const stream = w.call("GET", "/v1/events");
    CHECK(stream.body.starts_with("event: request.pending\ndata: {"));
    CHECK(stream.body.find("\"request_id\":\"" + id + "\"") != std::string::npos);
    CHECK(stream.body.ends_with("}\n\n"));
    CHECK(w.call("HEAD", "/v1/events").body.empty());
}

TEST_CASE("a human decides, with the human's own token") {
    world w;
    auto const id = w.pending_request();
    CHECK(w.call("POST", "/v1/requests/" + id + "/approve", "{}").status == 400);
    CHECK(w.call("POST", "/v1/requests/" + id + "/approve", R"({"user_token":""})").status == 400);
    CHECK(w.call("POST", "/v1/requests/" + id + "/approve", R"({"user_token":"u","reason":"x"})").status == 400);
    CHECK(w.as.decisions.empty());
    auto const r = w.call("POST", "/v1/requests/" + id + "/deny", R"({"user_token":"user-token","reason":"no"})");
    CHECK(r.status == 200);
    CHECK(r.body.find("user-token") == std::string::npos);
    CHECK(w.as.decisions == std::vector<std::string>{"deny " + id + " user-token no"});
    CHECK(w.call("POST", "/v1/requests/req_none/approve", R"({"user_token":"u"})").status == 404);
}

TEST_CASE("status") {
    world w;
    static_cast<void>(w.pending_request());
    w.clock.advance(seconds{3});
    auto const s = w.object(w.call("GET", "/v1/status"));
    for (auto const* name :
         {"version", "pid", "listeners", "sessions", "pending_requests", "live_grants", "agent_token"})
        CHECK(s.contains(name));
    CHECK(text(s, "version") == "1.2.3");
    CHECK(int_member(s, "sessions") == 1);
    CHECK(int_member(s, "pending_requests") == 1);
    CHECK(int_member(s, "uptime_seconds") == 3);
    CHECK(text(s.at("agent_token").get_object(), "state") == "live");
    CHECK(json::serialize(s).find("agent-token") == std::string::npos);
}

TEST_CASE("health, readiness and metrics") {
    world w;
    CHECK(w.call("GET", "/healthz").status == 200);
    CHECK(w.call("GET", "/readyz").status == 200);
    auto const metrics = w.call("GET", "/metrics");
    CHECK(metrics.content_type.starts_with("text/plain; version=0.0.4"));
    for (auto const* line : {"jitproxy_build_info{version=\"1.2.3\"} 1\n", "jitproxy_sessions{status=\"open\"} 0\n",
                             "# TYPE jitproxy_requests_total counter\n", "jitproxy_requests_total 7\n",
                             "jitproxy_agent_token_live{agent=\"default\"} 1\n"}) {
        INFO(line);
        CHECK(metrics.body.find(line) != std::string::npos);
    }
    CHECK(metrics.body.find("jitproxy_recovered_tasks_total{result=\"uncertain\"} 0\n") != std::string::npos);
    CHECK(metrics.body.find("jitproxy_oldest_pending_seconds 0\n") != std::string::npos);
    (void)w.pending_request();
    w.clock.advance(seconds{40});
    auto const later = w.call("GET", "/metrics").body;
    CHECK(later.find("jitproxy_pending_requests 1\n") != std::string::npos);
    CHECK(later.find("jitproxy_oldest_pending_seconds 40\n") != std::string::npos);
    world unready(false);
    CHECK(unready.call("GET", "/healthz").status == 200);
    auto const not_ready = unready.call("GET", "/readyz");
    CHECK(not_ready.status == 503);
    // It is told to those who have no token: nothing but the state.
    CHECK(json::parse(not_ready.body) == json::value{{"status", "not ready"}, {"agent_token", "none"}});
}

TEST_CASE("reload") {
    world w;
    CHECK(w.call("POST", "/v1/reload").status == 200);
    w.reload_outcome = make_error(errc::configuration, "f.toml:1:2: wrong");
    auto const r = w.call("POST", "/v1/reload");
    CHECK(r.status >= 400);
    CHECK(r.body.find("f.toml:1:2: wrong") != std::string::npos);
}

TEST_CASE("what is not there, and methods that are not allowed") {
    world w;
    struct row {
        char const* method;
        char const* target;
        unsigned status;
    };
    row const rows[] = {
        {"GET", "/", 404},           {"GET", "/v1", 404},           {"GET", "/v1/nothing", 404},
        {"GET", "/v2/status", 404},  {"GET", "v1/status", 400},     {"GET", "/v1/%zz", 400},
        {"GET", "/v1//status", 400}, {"POST", "/v1/status", 405},   {"DELETE", "/v1/sessions", 405},
        {"PUT", "/healthz", 405},    {"POST", "/v1/requests", 405}, {"GET", "/v1/reload", 405},
        {"POST", "/v1/events", 405}, {"HEAD", "/healthz", 200},
    };
    for (auto const& [method, target, status] : rows) {
        INFO(method << " " << target);
        auto const r = w.call(method, target);
        CHECK(r.status == status);
        bool allow = false;
        for (auto const& [name, value] : r.fields) allow = allow || name == "Allow";
        CHECK(allow == (status == 405));
    }
}
