#include "jitproxy/lumoauth/location.hpp"

#include "catch.hpp"

using namespace jitproxy;
using lumoauth::parse_location;
using lumoauth::resolve_reference;

namespace {

lumoauth::location at(std::string_view url, std::string_view tenant = "acme-corp", std::string_view org = {}) {
    auto l = parse_location(url, tenant, org, true);
    INFO(url << ": " << (l ? "" : l.error().detail));
    REQUIRE(l.has_value());
    return *l;
}

}  // namespace

TEST_CASE("the two path styles") {
    CHECK(at("https://app.lumoauth.dev").api_path == "/t/acme-corp/api/v1");
    CHECK(at("https://app.lumoauth.dev/", "", "org_1").api_path == "/orgs/org_1/api/v1");
    CHECK(at("https://app.lumoauth.dev", "a/b ü").api_path == "/t/a%2Fb%20%C3%BC/api/v1");
    CHECK(at("https://app.lumoauth.dev", "", "../t").api_path == "/orgs/..%2Ft/api/v1");
    CHECK(at("https://gate.example/lumo/", "x").api_path == "/lumo/t/x/api/v1");
}

TEST_CASE("origin and Host field") {
    CHECK(at("https://app.lumoauth.dev").origin() == "https://app.lumoauth.dev:443");
    CHECK(at("https://app.lumoauth.dev").host_field == "app.lumoauth.dev");
    CHECK(at("HTTPS://APP.LumoAuth.dev:8443").host_field == "app.lumoauth.dev:8443");
    CHECK(at("http://127.0.0.1:9000").host_field == "127.0.0.1:9000");
    CHECK(at("http://[::1]:9000").host_field == "[::1]:9000");
    CHECK(at("http://localhost").origin() == "http://localhost:80");
}

TEST_CASE("URLs that cannot be used are refused with a reason") {
    struct row {
        char const* url;
        char const* tenant;
        char const* org;
        char const* reason;
    };
    row const rows[] = {
        {"", "t", "", "no scheme"},
        {"app.lumoauth.dev", "t", "", "no scheme"},
        {"ftp://app.lumoauth.dev", "t", "", "neither http nor https"},
        {"https://", "t", "", "not usable"},
        {"https://user:pw@app.lumoauth.dev", "t", "", "not usable"},
        {"https://app.lumoauth.dev:99999", "t", "", "not usable"},
        {"https://app.lumoauth.dev/?a=b", "t", "", "no query"},
        {"https://app.lumoauth.dev/#x", "t", "", "no query"},
        {"https://app.lumoauth.dev/a b", "t", "", "blanks"},
        {"https://app.lumoauth.dev", "", "", "neither tenant nor org_id"},
        {"https://app.lumoauth.dev", "t", "o", "both tenant and org_id"},
        {"https://app.lumoauth.dev", "..", "", "not a name"},
        {"http://app.lumoauth.dev", "t", "", "plain http"},
        {"http://127.evil.example", "t", "", "plain http"},
        {"http://localhost.evil.example", "t", "", "plain http"},
        {"http://10.0.0.1", "t", "", "plain http"},
    };
    for (auto const& r : rows) {
        INFO(r.url << " " << r.tenant << " " << r.org);
        auto const l = parse_location(r.url, r.tenant, r.org, false);
        REQUIRE(l.has_error());
        CHECK(l.error().code == errc::configuration);
        INFO(l.error().detail);
        CHECK(l.error().detail.find(r.reason) != std::string::npos);
        CHECK(l.error().detail.find("pw@") == std::string::npos);
    }
}

TEST_CASE("plain HTTP is for loopback hosts, or where it is allowed") {
    for (auto const* url : {"http://localhost:1", "http://as.localhost", "http://127.0.0.1", "http://127.9.9.9:80",
                            "http://[::1]:8080", "http://0x7f.1"}) {
        INFO(url);
        CHECK(parse_location(url, "t", "", false).has_value());
    }
    CHECK(parse_location("http://app.lumoauth.dev", "t", "", true).has_value());
}

TEST_CASE("references resolve against the base URL or name the same origin") {
    auto const plain = at("https://as.example");
    auto const deep = at("https://as.example:8443/lumo");
    struct row {
        lumoauth::location const& where;
        char const* reference;
        char const* target;
    };
    row const rows[] = {
        {plain, "/t/acme/api/v1/jit/request/r/status", "/t/acme/api/v1/jit/request/r/status"},
        {plain, "t/acme/jit", "/t/acme/jit"},
        {plain, "/a?b=c&d=https://x/#frag", "/a?b=c&d=https://x/"},
        {plain, "/a:b", "/a:b"},
        {plain, "https://as.example/a/b?c", "/a/b?c"},
        {plain, "https://as.example:443/a", "/a"},
        {plain, "HTTPS://AS.EXAMPLE/A", "/A"},
        {plain, "https://as.example", "/"},
        {plain, "https://as.example?x=1", "/?x=1"},
        {plain, "?x=1", "/?x=1"},
        {deep, "/t/acme", "/lumo/t/acme"},
        {deep, "t/acme", "/lumo/t/acme"},
        {deep, "/lumo/t/acme", "/lumo/t/acme"},
        {deep, "/lumox/t", "/lumo/lumox/t"},
        {deep, "https://as.example:8443/t/acme", "/t/acme"},
    };
    for (auto const& r : rows) {
        INFO(r.where.origin() << " + " << r.reference);
        auto const target = resolve_reference(r.where, r.reference);
        REQUIRE(target.has_value());
        CHECK(*target == r.target);
    }
}

TEST_CASE("references to another origin, or that are none, are refused") {
    auto const where = at("https://as.example");
    for (auto const* reference : {"https://evil.example/t/acme",
                                  "http://as.example/a",
                                  "https://as.example:444/a",
                                  "//evil.example/a",
                                  "//",
                                  "https://as.example.evil.example/",
                                  "https://as.example@evil.example/",
                                  "https://evil.example#as.example",
                                  "https://evil.example\\@as.example/",
                                  "/\\evil.example/a",
                                  "\\\\evil.example",
                                  "javascript:alert(1)",
                                  "https:as.example/a",
                                  "https:/as.example/a",
                                  "ftp://as.example/",
                                  "file:///etc/passwd",
                                  "as.example:443/a",
                                  "/a b",
                                  "/a\r\nHost: evil.example",
                                  "/a\tb",
                                  "/\xC3\xBC",
                                  "",
                                  "#frag",
                                  "https://"}) {
        INFO(reference);
        auto const target = resolve_reference(where, reference);
        REQUIRE(target.has_error());
        CHECK(target.error().code == errc::as_malformed);
        CHECK(target.error().detail.find("evil") == std::string::npos);
    }
    auto const v6 = at("http://[::1]:9000");
    CHECK(*resolve_reference(v6, "http://[0:0::1]:9000/a") == "/a");
    CHECK(resolve_reference(v6, "http://[::2]:9000/a").has_error());
}
