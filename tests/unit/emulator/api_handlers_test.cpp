#include "catch.hpp"
#include "fixture.hpp"

using namespace jitproxy;
using namespace jitproxy::emulator;

namespace {

struct with_task : fixture {
    with_task() {
        log_in();
        task = open_task();
    }
    // Does what a client of the protocol does with a 403: asks for exactly that, and takes the token.
    std::string permitted(reply const& refused) {
        auto const header_text = header(refused, "Insufficient-Authorization-Details");
        auto const bytes = decode_base64(header_text);
        REQUIRE(bytes.has_value());
        return granted(task, json::parse(*bytes).as_object());
    }
    std::string task;
};

}  // namespace

TEST_CASE("dead, missing and foreign tokens") {
    with_task f;
    auto const none = f.api("GET", "/v1/public");
    CHECK(none.status == 401);
    CHECK(fixture::header(none, "WWW-Authenticate") == "Bearer");
    for (std::string const bearer : {"emu_agent_unknown", "user_approver"}) {
        auto const dead = f.api("GET", "/v1/public", bearer);
        CHECK(dead.status == 401);
        CHECK(fixture::header(dead, "WWW-Authenticate") == "Bearer error=\"invalid_token\"");
    }
    CHECK(f.api("GET", "/v1/public", f.agent).status == 200);
    f.advance(3600);
    CHECK(f.api("GET", "/v1/public", f.agent).status == 401);
}

TEST_CASE("each route names what it needs, and serves whoever has it") {
    struct row {
        char const* method;
        char const* target;
        char const* need;
        unsigned status;
    };
    row const rows[] = {
        {"GET", "/v1/documents/doc_9982",
         R"({"type":"document","actions":["read"],"identifier":"doc_9982","locations":["http://api.acme-corp.test"]})",
         200},
        {"GET", "/v1/documents/none",
         R"({"type":"document","actions":["read"],"identifier":"none","locations":["http://api.acme-corp.test"]})",
         404},
        {"PUT", "/v1/documents/new",
         R"({"type":"document","actions":["write"],"identifier":"new","locations":["http://api.acme-corp.test"]})",
         201},
        {"POST", "/v1/documents/doc_1001",
         R"({"type":"document","actions":["write"],"identifier":"doc_1001","locations":["http://api.acme-corp.test"]})",
         200},
        {"DELETE", "/v1/documents/doc_old",
         R"({"type":"document","actions":["delete"],"identifier":"doc_old","locations":["http://api.acme-corp.test"]})",
         200},
        {"GET", "/v1/reports/FY2024-Q4/summary",
         R"({"type":"financial_report","actions":["read"],"identifier":"FY2024-Q4","locations":["http://api.acme-corp.test"]})",
         200},
        {"POST", "/v1/uploads", R"({"type":"upload","actions":["write"],"locations":["http://api.acme-corp.test"]})",
         201},
        {"GET", "/v1/stream", R"({"type":"stream","actions":["read"],"locations":["http://api.acme-corp.test"]})", 200},
    };
    for (auto const& r : rows) {
        INFO(r.method << ' ' << r.target);
        with_task f;
        auto const refused = f.api(r.method, r.target, f.agent, "body");
        REQUIRE(refused.status == 403);
        CHECK(fixture::body_of(refused).at("authorization_details_hint") == json::parse(r.need));
        auto const token = f.permitted(refused);
        CHECK(f.api(r.method, r.target, token, "body").status == r.status);
        CHECK(f.w.record.violations().empty());
        // It is good for nothing else.
        CHECK(f.api("GET", "/v1/documents/doc_1002", token).status == 403);
    }
}

TEST_CASE("what is written can be read") {
    with_task f;
    auto const write = f.permitted(f.api("PUT", "/v1/documents/mine", f.agent, "x"));
    auto const stored = fixture::body_of(f.api("PUT", "/v1/documents/mine", write, "hello"));
    CHECK(stored.at("bytes") == 5);
    CHECK(stored.at("sha256") == "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
    auto const read = f.permitted(f.api("GET", "/v1/documents/mine", f.agent));
    CHECK(fixture::body_of(f.api("GET", "/v1/documents/mine", read)).at("text") == "hello");
    CHECK(f.api("GET", "/v1/documents/mine?raw=1", read).body == "hello");
}

TEST_CASE("completion ends access at once") {
    with_task f;
    auto const token = f.permitted(f.api("GET", "/v1/documents/doc_9982", f.agent));
    CHECK(f.api("GET", "/v1/documents/doc_9982", token).status == 200);
    CHECK(f.jit("POST", "/jit/task/" + f.task + "/complete").status == 200);
    CHECK(f.api("GET", "/v1/documents/doc_9982", token).status == 401);
}

TEST_CASE("three permissions for one request") {
    with_task f;
    auto bearer = f.agent;
    for (auto const* type : {"multi_first", "multi_second", "multi_third"}) {
        auto const refused = f.api("GET", "/v1/multi", bearer);
        REQUIRE(refused.status == 403);
        CHECK(fixture::body_of(refused).at("authorization_details_hint").at("type") == type);
        bearer = f.permitted(refused);
    }
    CHECK(f.api("GET", "/v1/multi", bearer).status == 200);
    CHECK(f.api("GET", "/v1/multi", f.agent).status == 403);
}

TEST_CASE("never satisfied") {
    with_task f;
    auto bearer = f.agent;
    for (int i = 1; i <= 4; ++i) {
        auto const refused = f.api("GET", "/v1/insatiable", bearer);
        REQUIRE(refused.status == 403);
        CHECK(fixture::body_of(refused).at("authorization_details_hint").at("identifier") ==
              json::value("step_" + std::to_string(i)));
        bearer = f.permitted(refused);
    }
}

TEST_CASE("the small routes") {
    with_task f;
    auto const forbidden = f.api("GET", "/v1/forbidden", f.agent);
    CHECK(forbidden.status == 403);
    CHECK(fixture::header(forbidden, "Insufficient-Authorization-Details") == "(absent)");
    CHECK(fixture::header(forbidden, "WWW-Authenticate") == "(absent)");
    auto const moved = f.api("GET", "/v1/redirect?to=http%3A%2F%2Felsewhere%2F", f.agent);
    CHECK(moved.status == 302);
    CHECK(fixture::header(moved, "Location") == "http://elsewhere/");
    CHECK(f.api("GET", "/v1/redirect?to=a%0d%0ab", f.agent).status == 400);
    CHECK(f.api("GET", "/v1/nothing", f.agent).status == 404);
    CHECK(f.api("PATCH", "/v1/documents/doc_9982", f.agent).status == 405);
    auto const stream = f.api("GET", "/v1/stream?n=3&interval_ms=1", f.permitted(f.api("GET", "/v1/stream", f.agent)));
    REQUIRE(stream.events.has_value());
    CHECK(stream.events->count == 3);
    CHECK(stream.events->interval_ms == 1);
    auto const cut = f.api("GET", "/v1/bytes?n=100&cut=10", f.agent);
    CHECK(cut.how == delivery::truncated);
    CHECK(cut.cut_at == std::size_t{10});
    CHECK(cut.body.size() == 100);
    auto const echoed = f.api("GET", "/v1/echo?x=1", f.agent);
    CHECK(echoed.body.find(f.agent) == std::string::npos);
    CHECK(fixture::body_of(echoed).at("target") == "/v1/echo?x=1");
}

TEST_CASE("the dialect is the query's, else the variant's") {
    with_task f;
    CHECK(f.api("GET", "/v1/documents/doc_9982?dialect=ietf-05", f.agent).status == 401);
    REQUIRE(f.w.forms.set({{"dialect", "ietf-01"}}).empty());
    auto const r = f.api("GET", "/v1/documents/doc_9982", f.agent);
    CHECK(fixture::body_of(r).contains("authorization_details"));
    CHECK(fixture::header(f.api("GET", "/v1/documents/doc_9982?dialect=nopad", f.agent),
                          "Insufficient-Authorization-Details") != "(absent)");
}

TEST_CASE("early answers only where they are asked for") {
    with_task f;
    api_service api{f.w};
    auto put = fixture::make("PUT", "/v1/documents/doc_1001", f.agent, "x");
    CHECK_FALSE(api.before_body(put).has_value());
    SECTION("by Expect") {
        put.expects_continue = true;
        auto const early = api.before_body(put);
        REQUIRE(early.has_value());
        CHECK(early->status == 403);
        CHECK(early->close);
        for (auto& field : put.fields)
            if (field.name == "Authorization") field.value = "Bearer " + f.permitted(*early);
        CHECK_FALSE(api.before_body(put).has_value());
    }
    SECTION("by query") {
        put.target += "?early=1";
        split_target(put);
        CHECK(api.before_body(put).has_value());
    }
}

TEST_CASE("what no proxy may send is noted") {
    with_task f;
    auto const noted = [&](request const& r) {
        f.w.record.clear();
        (void)handle_api(f.w, r);
        return f.w.record.violations().size();
    };
    auto r = fixture::make("GET", "/v1/public", f.agent);
    CHECK(noted(r) == 0);
    for (auto const* name : {"Proxy-Authorization", "proxy-connection", "JIT-Justification", "Authorization", "Host"}) {
        auto bad = r;
        bad.fields.push_back({name, "x"});
        INFO(name);
        CHECK(noted(bad) == 1);
    }
    CHECK(noted(fixture::make("GET", "http://api.acme-corp.test/v1/public", f.agent)) == 1);
    auto const token = f.permitted(f.api("GET", "/v1/documents/doc_9982", f.agent));
    auto elsewhere = fixture::make("GET", "/v1/documents/doc_9982", token);
    CHECK(noted(elsewhere) == 0);
    elsewhere.fields[0].value = "other.acme-corp.test";
    CHECK(noted(elsewhere) == 1);
}
