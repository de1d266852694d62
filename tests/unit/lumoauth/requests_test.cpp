#include "jitproxy/lumoauth/requests.hpp"

#include "catch.hpp"

using namespace jitproxy;
using namespace jitproxy::lumoauth;

namespace {

location const tenant = *parse_location("https://as.example", "acme-corp", "", false);
location const org = *parse_location("https://as.example", "", "org/1", false);
auto const bearer = make_secret("agent-token");

credentials who(std::string scope = {}) {
    return {"agt_1", make_secret("s3cr=t&/+ü"), std::move(scope)};
}

json::value body_of(wire_request const& r) {
    CHECK(r.media_type == "application/json");
    return json::parse(r.body);
}

bool holds(wire_request const& r, std::string_view text) {
    for (auto const& s : r.held) {
        if (s->reveal() == text) return true;
    }
    return false;
}

}  // namespace

TEST_CASE("token by client credentials: a form without bearer") {
    auto r = token_request(tenant, who());
    CHECK(r.method == "POST");
    CHECK(r.target == "/t/acme-corp/api/v1/oauth/token");
    CHECK(r.media_type == "application/x-www-form-urlencoded");
    CHECK(r.body == "grant_type=client_credentials&client_id=agt_1&client_secret=s3cr%3Dt%26%2F%2B%C3%BC");
    CHECK(r.bearer == nullptr);
    CHECK(r.repeatable);
    CHECK(holds(r, "s3cr=t&/+ü"));

    r = token_request(org, who("jit read"));
    CHECK(r.target == "/orgs/org%2F1/api/v1/oauth/token");
    CHECK(r.body.ends_with("&scope=jit%20read"));
}

TEST_CASE("delegation: RFC 8693 with both tokens") {
    auto const r = delegation_request(tenant, who(), make_secret("user.tok"), make_secret("agent.tok"));
    CHECK(r.target == "/t/acme-corp/api/v1/oauth/token");
    CHECK(r.body ==
          "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&subject_token=user.tok"
          "&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token&actor_token=agent.tok"
          "&actor_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token&client_id=agt_1"
          "&client_secret=s3cr%3Dt%26%2F%2B%C3%BC");
    CHECK(holds(r, "user.tok"));
    CHECK(holds(r, "agent.tok"));
    CHECK(holds(r, "s3cr=t&/+ü"));
}

TEST_CASE("a form with a token larger than its first buffer") {
    std::string const large(100'000, 'x');
    auto const r = revoke_request(tenant, who(), make_secret(large));
    CHECK(r.target == "/t/acme-corp/api/v1/oauth/revoke");
    CHECK(r.body ==
          "token=" + large + "&token_type_hint=access_token&client_id=agt_1&client_secret=s3cr%3Dt%26%2F%2B%C3%BC");
    CHECK(r.repeatable);
}

TEST_CASE("a task: only the members that are set") {
    auto r = create_task_request(tenant, bearer, {});
    CHECK(r.target == "/t/acme-corp/api/v1/jit/task");
    CHECK(r.bearer == bearer);
    CHECK(r.body == "{}");
    CHECK_FALSE(r.repeatable);
    r = create_task_request(tenant, bearer, {"a \"name\"", "analysis", "tsk_0", "user@example.com"});
    CHECK(body_of(r) == json::parse(R"({"name": "a \"name\"", "type": "analysis", "parent_task_id": "tsk_0",
                                        "on_behalf_of": "user@example.com"})"));
}

TEST_CASE("a permission request carries exactly what was named, and always a TTL") {
    auto const details = json::parse(R"({"type": "document", "actions": ["read"], "identifier": "doc_9982",
                                         "amount": 12.50, "n": 9007199254740993, "own": {"z": null, "a": [1, {}]}})")
                             .as_object();
    auto r = permission_request(tenant, bearer, {"tsk_1", details, "because", seconds{120}});
    CHECK(r.target == "/t/acme-corp/api/v1/jit/request");
    CHECK_FALSE(r.repeatable);
    auto const body = body_of(r).as_object();
    CHECK(body.at("task_id") == "tsk_1");
    CHECK(body.at("authorization_details") == json::value(details));
    CHECK(body.at("justification") == "because");
    CHECK(body.at("requested_ttl") == 120);
    CHECK(body.size() == 4);

    r = permission_request(tenant, bearer, {"tsk_1", details, "", seconds{4000}});
    CHECK(body_of(r).as_object().at("requested_ttl") == 900);
    CHECK_FALSE(body_of(r).as_object().contains("justification"));
    r = permission_request(tenant, bearer, {"tsk_1", details, "", seconds{0}});
    CHECK(body_of(r).as_object().at("requested_ttl") == 1);
}

TEST_CASE("status and exchange go where the server said, else to the path of the request's id") {
    jit::request_state known;
    known.request_id = "req/1";
    auto status = status_request(org, bearer, known);
    REQUIRE(status.has_value());
    CHECK(status->method == "GET");
    CHECK(status->target == "/orgs/org%2F1/api/v1/jit/request/req%2F1/status");
    CHECK(status->media_type.empty());
    CHECK(status->body.empty());
    CHECK(status->repeatable);
    auto exchange = exchange_request(org, bearer, known);
    REQUIRE(exchange.has_value());
    CHECK(exchange->method == "POST");
    CHECK(exchange->target == "/orgs/org%2F1/api/v1/jit/request/req%2F1/token");
    CHECK(exchange->body.empty());
    CHECK_FALSE(exchange->repeatable);

    known.status_url = "/t/acme-corp/api/v1/jit/request/other/status?x=1";
    known.token_url = "https://as.example/t/acme-corp/api/v1/jit/request/other/token";
    CHECK(status_request(tenant, bearer, known)->target == known.status_url);
    CHECK(exchange_request(tenant, bearer, known)->target == "/t/acme-corp/api/v1/jit/request/other/token");

    known.status_url = known.token_url = "https://as.example.evil.example/t";
    CHECK(status_request(tenant, bearer, known).error().code == errc::as_malformed);
    CHECK(exchange_request(tenant, bearer, known).error().code == errc::as_malformed);
}

TEST_CASE("completion and human decisions") {
    auto r = complete_request(tenant, bearer, "tsk 1/2");
    CHECK(r.method == "POST");
    CHECK(r.target == "/t/acme-corp/api/v1/jit/task/tsk%201%2F2/complete");
    CHECK(r.body.empty());
    CHECK(r.media_type.empty());
    CHECK(r.repeatable);

    r = approve_request(tenant, bearer, "req_1", "");
    CHECK(r.target == "/t/acme-corp/api/v1/jit/approve/req_1");
    CHECK(r.body == "{}");
    CHECK(body_of(approve_request(tenant, bearer, "req_1", "fine")) == json::parse(R"({"notes": "fine"})"));
    r = deny_request(tenant, bearer, "req_1", "no");
    CHECK(r.target == "/t/acme-corp/api/v1/jit/deny/req_1");
    CHECK(body_of(r) == json::parse(R"({"reason": "no"})"));
}
