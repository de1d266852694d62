#include "catch.hpp"
#include "fixture.hpp"

using namespace jitproxy;
using namespace jitproxy::emulator;

namespace {

std::string const credentials = "client_id=agt_demo&client_secret=demo-secret";

std::string outcome_of(reply const& r) {
    auto const status = std::to_string(r.status);
    if (r.status == 200) return status;
    return status + " " + fixture::text(fixture::body_of(r), "error");
}

}  // namespace

TEST_CASE("client credentials, by form") {
    struct row {
        std::string body;
        char const* expected;
    };
    row const rows[] = {
        {"grant_type=client_credentials&" + credentials, "200"},
        {"grant_type=client_credentials&client_id=agt_demo&client_secret=wrong", "401 invalid_client"},
        {"grant_type=client_credentials&client_id=agt_other&client_secret=demo-secret", "401 invalid_client"},
        {"grant_type=client_credentials&client_id=agt_demo", "401 invalid_client"},
        {"grant_type=client_credentials", "401 invalid_client"},
        {credentials, "400 invalid_request"},
        {"grant_type=password&" + credentials, "400 unsupported_grant_type"},
        {"grant_type=client_credentials&grant_type=client_credentials&" + credentials, "400 invalid_request"},
        {"grant_type=client_credentials&x=%zz&" + credentials, "400 invalid_request"},
    };
    for (auto const& row : rows) {
        fixture f;
        INFO(row.body);
        CHECK(outcome_of(f.form("/oauth/token", row.body)) == row.expected);
    }
}

TEST_CASE("a token answer has its members and is not to be stored") {
    fixture f;
    auto const r = f.form("/oauth/token", "grant_type=client_credentials&scope=a+b&" + credentials);
    auto const o = fixture::body_of(r);
    CHECK(fixture::text(o, "access_token").starts_with("emu_agent_"));
    CHECK(o.at("token_type") == "Bearer");
    CHECK(o.at("expires_in") == 3600);
    CHECK(o.at("scope") == "a b");
    CHECK(fixture::header(r, "Cache-Control") == "no-store");
    CHECK(fixture::header(r, "X-RateLimit-Limit") == "30");
    CHECK(fixture::header(r, "X-RateLimit-Remaining") == "29");
}

TEST_CASE("client credentials, by Basic") {
    fixture f;
    auto r = fixture::make("POST", f.base + "/oauth/token", "", "grant_type=client_credentials",
                           "application/x-www-form-urlencoded");
    SECTION("right") {
        r.fields.push_back({"Authorization", "Basic " + encode_base64("agt_demo:demo-secret")});
        CHECK(outcome_of(f.as(r)) == "200");
    }
    SECTION("form-encoded first, RFC 6749 2.3.1") {
        r.fields.push_back({"Authorization", "basic " + encode_base64("agt%5Fdemo:demo%2Dsecret")});
        CHECK(outcome_of(f.as(r)) == "200");
    }
    SECTION("wrong") {
        r.fields.push_back({"Authorization", "Basic " + encode_base64("agt_demo:x")});
        auto const answer = f.as(r);
        CHECK(outcome_of(answer) == "401 invalid_client");
        CHECK(fixture::header(answer, "WWW-Authenticate").starts_with("Basic"));
    }
    SECTION("both ways at once") {
        r.fields.push_back({"Authorization", "Basic " + encode_base64("agt_demo:demo-secret")});
        r.body += "&" + credentials;
        CHECK(outcome_of(f.as(r)) == "400 invalid_request");
    }
}

TEST_CASE("what is no form is refused and noted") {
    fixture f;
    auto const body = "grant_type=client_credentials&" + credentials;
    SECTION("JSON") {
        CHECK(f.as(fixture::make("POST", f.base + "/oauth/token", "", body)).status == 400);
    }
    SECTION("parameters in the query") {
        CHECK(f.form("/oauth/token?" + body, body).status == 400);
    }
    SECTION("GET") {
        CHECK(f.as(fixture::make("GET", f.base + "/oauth/token")).status == 405);
    }
    CHECK(f.w.record.violations().size() == 1);
}

TEST_CASE("both path styles, and no other tenant") {
    fixture f;
    auto const body = "grant_type=client_credentials&" + credentials;
    struct row {
        char const* base;
        unsigned status;
    };
    row const rows[] = {{"/t/acme-corp/api/v1", 200},    {"/orgs/org_123/api/v1", 200},
                        {"/t/acme%2Dcorp/api/v1", 200},  {"/t/other/api/v1", 404},
                        {"/orgs/acme-corp/api/v1", 404}, {"/api/v1", 404},
                        {"/t/acme-corp/api/v2", 404},    {"/t/acme-corp", 404}};
    for (auto const& r : rows) {
        INFO(r.base);
        f.base = r.base;
        CHECK(f.form("/oauth/token", body).status == r.status);
    }
}

TEST_CASE("too many calls to the token endpoint") {
    options o;
    o.token_rate = 2;
    fixture f{o};
    auto const body = "grant_type=client_credentials&" + credentials;
    CHECK(f.form("/oauth/token", body).status == 200);
    CHECK(f.form("/oauth/token", body).status == 200);
    auto const third = f.form("/oauth/token", body);
    CHECK(third.status == 429);
    CHECK(fixture::header(third, "Retry-After") == "60");
    CHECK(fixture::header(third, "X-RateLimit-Remaining") == "0");
    f.advance(60);
    CHECK(f.form("/oauth/token", body).status == 200);
}

TEST_CASE("delegation: a user's token exchanged with the agent's") {
    fixture f;
    f.log_in();
    std::string const type = "urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token";
    std::string const grant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange";
    auto const exchange = [&](std::string const& subject, std::string const& actor) {
        return f.form("/oauth/token", grant + "&subject_token=" + subject + "&actor_token=" + actor +
                                          "&subject_token_type=" + type + "&actor_token_type=" + type);
    };
    auto const good = exchange("user_plain", f.agent);
    REQUIRE(good.status == 200);
    auto const token = fixture::text(fixture::body_of(good), "access_token");
    CHECK(token.starts_with("emu_deleg_"));
    CHECK(outcome_of(exchange("user_nobody", f.agent)) == "400 invalid_grant");
    CHECK(outcome_of(exchange(f.agent, f.agent)) == "400 invalid_grant");
    CHECK(outcome_of(exchange("user_plain", "user_plain")) == "400 invalid_grant");
    CHECK(outcome_of(f.form("/oauth/token", grant + "&subject_token=user_plain")) == "400 invalid_request");

    auto const task = fixture::body_of(f.jit_as(token, "/jit/task"));
    CHECK(task.at("on_behalf_of") == "user_plain");
    CHECK(f.jit_as(token, "/jit/task", json::object{{"on_behalf_of", "user_else"}}).status == 403);

    auto const seen = fixture::body_of(f.form("/oauth/introspect", credentials + "&token=" + token));
    CHECK(seen.at("sub") == "user_plain");
    CHECK(seen.at("act").at("sub") == "agt_demo");
}

TEST_CASE("introspection and revocation") {
    options o;
    o.agents.push_back({"agt_two", "two"});
    fixture f{o};
    f.log_in();
    auto const introspect = [&](std::string const& who) {
        return fixture::body_of(f.form("/oauth/introspect", who + "&token=" + f.agent));
    };
    auto const live = introspect(credentials);
    CHECK(live.at("active") == true);
    CHECK(live.at("client_id") == "agt_demo");
    CHECK(live.at("exp") == 1'700'003'600);
    CHECK(introspect("client_id=agt_two&client_secret=two").at("active") == false);
    // Another agent's revocation is no error, and does nothing (RFC 7009 2.2).
    CHECK(f.form("/oauth/revoke", "client_id=agt_two&client_secret=two&token=" + f.agent).status == 200);
    CHECK(introspect(credentials).at("active") == true);
    CHECK(f.form("/oauth/revoke", credentials + "&token=emu_agent_unknown").status == 200);
    CHECK(f.form("/oauth/revoke", credentials).status == 400);
    CHECK(f.form("/oauth/revoke", "client_id=agt_demo&client_secret=no&token=" + f.agent).status == 401);
    CHECK(f.form("/oauth/revoke", credentials + "&token_type_hint=access_token&token=" + f.agent).status == 200);
    CHECK(introspect(credentials).at("active") == false);
}
