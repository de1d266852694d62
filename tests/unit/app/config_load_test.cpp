#include "jitproxy/app/config_load.hpp"

#include "catch.hpp"
#include "config_fixture.hpp"
#include "jitproxy/app/config_keys.hpp"

using namespace jitproxy;
using namespace jitproxy::app;
using namespace jitproxy::app::testing;

TEST_CASE("defaults stand where nothing is said") {
    auto const loaded = load({});
    REQUIRE(loaded.ok());
    auto const& c = loaded.value;
    CHECK(c.listen.proxy == std::vector<std::string>{"127.0.0.1:8080", "[::1]:8080"});
    CHECK(c.listen_is_default);
    CHECK(c.listen.control == "unix");
    CHECK(c.authorization_server.url == "https://app.lumoauth.dev");
    CHECK(c.egress.default_action == "tunnel");
    CHECK(c.egress.connect_ports == port_set{{443}});
    CHECK(c.session.default_mode == "auto");
    CHECK(c.approval.hold == std::chrono::minutes{5});
    CHECK(c.limits.replay_file == 64ULL * 1024 * 1024);
}

TEST_CASE("each kind of value is read") {
    auto const loaded = load({.text = R"(
[listen]
proxy = ["0.0.0.0:3128", "[::1]:0"]
control = "unix:/tmp/c.sock"
workers = 3
[[api]]
name = "acme"
hosts = ["API.Acme-Corp.com", "*.files.acme-corp.com"]
ports = [443, 8443]
upstream_tls = "always"
authorization = "keep"
types = ["document"]
requested_ttl = "90s"
allow_plain_http = true
[egress]
default = "deny"
allow = ["pypi.org"]
connect_ports = ["any"]
allow_addresses = ["10.1.0.0/16", "::1"]
name_servers = ["127.0.0.1:5353", "1.1.1.1"]
[limits]
head_bytes = "32KiB"
replay_memory = 1024
replay_file = "1GiB"
[session]
default = "required"
)"});
    for (auto const& p : loaded.problems) FAIL_CHECK(p.text());
    auto const& c = loaded.value;
    CHECK_FALSE(c.listen_is_default);
    CHECK(c.listen.proxy == std::vector<std::string>{"0.0.0.0:3128", "[::1]:0"});
    CHECK(c.listen.workers == 3);
    REQUIRE(c.apis.size() == 1);
    CHECK(c.apis[0].hosts[0] == "API.Acme-Corp.com");
    CHECK(c.apis[0].ports == port_set{{443, 8443}});
    CHECK(c.apis[0].requested_ttl == seconds{90});
    CHECK(c.egress.connect_ports.any);
    CHECK(c.limits.head_bytes == 32 * 1024);
    CHECK(c.limits.replay_memory == 1024);
    CHECK(c.limits.replay_file == 1ULL << 30);
}

TEST_CASE("precedence: flag, variable, file, default") {
    std::string const file = "[authorization_server]\nurl = \"https://file.example\"\nclient_id = \"file\"\n";
    auto vars = credentials();
    vars.erase("AGENT_CLIENT_ID");
    CHECK(load({.text = file, .vars = vars}).value.authorization_server.url == "https://file.example");
    CHECK(load({.text = file, .vars = vars}).value.authorization_server.client_id == "file");
    vars["LUMOAUTH_URL"] = "https://variable.example";
    CHECK(load({.text = file, .vars = vars}).value.authorization_server.url == "https://variable.example");
    CHECK(
        load({.text = file, .vars = vars, .flags = {{"authorization_server", "url", "https://flag.example", "--url"}}})
            .value.authorization_server.url == "https://flag.example");
    CHECK(load({.vars = credentials()}).value.authorization_server.url == "https://app.lumoauth.dev");
}

TEST_CASE("of tenant and organisation the higher source picks the style") {
    std::string const tenant = "[authorization_server]\ntenant = \"from-file\"\n";
    auto vars = credentials();
    vars.erase("LUMOAUTH_TENANT");
    vars["LUMOAUTH_ORG_ID"] = "org_1";
    auto const by_variable = load({.text = tenant, .vars = vars});
    REQUIRE(by_variable.ok());
    CHECK(by_variable.value.authorization_server.org_id == "org_1");
    CHECK(by_variable.value.authorization_server.tenant.empty());

    auto const by_flag =
        load({.text = tenant, .vars = vars, .flags = {{"authorization_server", "tenant", "flagged", "--tenant"}}});
    REQUIRE(by_flag.ok());
    CHECK(by_flag.value.authorization_server.tenant == "flagged");
    CHECK(by_flag.value.authorization_server.org_id.empty());

    vars["LUMOAUTH_TENANT"] = "both";
    auto const both = problems({.text = {}, .vars = vars});
    REQUIRE(both.size() == 1);
    CHECK(both[0].starts_with("LUMOAUTH_ORG_ID: authorization_server: tenant and org_id name two styles"));
}

TEST_CASE("a repeated flag makes a list") {
    auto const loaded = load(
        {.flags = {{"listen", "proxy", "127.0.0.1:1", "--listen"}, {"listen", "proxy", "127.0.0.1:2", "--listen"}}});
    REQUIRE(loaded.ok());
    CHECK(loaded.value.listen.proxy == std::vector<std::string>{"127.0.0.1:1", "127.0.0.1:2"});
    CHECK_FALSE(loaded.value.listen_is_default);
}

TEST_CASE("the flag --protect makes an API of each host") {
    auto const loaded = load({.protect = {"api.acme-corp.com", "API.b.example:8443", "*.c.example", "[::1]:9"}});
    REQUIRE(loaded.ok());
    auto const& apis = loaded.value.apis;
    REQUIRE(apis.size() == 4);
    CHECK(apis[0].hosts == std::vector<std::string>{"api.acme-corp.com"});
    CHECK(apis[0].ports == port_set{{443}});
    CHECK(apis[1].hosts == std::vector<std::string>{"api.b.example"});
    CHECK(apis[1].ports == port_set{{8443}});
    CHECK(apis[2].hosts == std::vector<std::string>{"*.c.example"});
    CHECK(apis[3].hosts == std::vector<std::string>{"::1"});
    auto const wrong = problems({.protect = {"not a host"}});
    REQUIRE(wrong.size() == 1);
    CHECK(wrong[0].starts_with("--protect not a host: "));
}

TEST_CASE("what is missing is named with the variable that would do") {
    auto const all =
        problems({.text = "[authorization_server]\ntimeout = \"1s\"\n", .vars = {{"HOME", "/nonexistent"}}});
    REQUIRE(all.size() == 3);
    CHECK(all[0].starts_with("/etc/test.toml:1:2: authorization_server: neither tenant nor org_id"));
    CHECK(all[1].find("AGENT_CLIENT_ID") != std::string::npos);
    CHECK(all[2].find("AGENT_CLIENT_SECRET") != std::string::npos);
    CHECK(load({.vars = {{"HOME", "/nonexistent"}}, .need_credentials = false}).ok());
}

TEST_CASE("warnings name what is legal and unwise") {
    struct row {
        std::string text;
        std::string warning;
    };
    row const rows[] = {
        {"", "no API is protected"},
        {"[listen]\nproxy = [\"0.0.0.0:8080\"]\n", "whoever reaches 0.0.0.0:8080"},
        {"[[api]]\nhosts = [\"a.example\"]\nports = [80]\n", "requests over plain HTTP are refused"},
        {"[egress]\nallow = [\"a.example\"]\n", "egress.allow has no effect"},
        {"[listen]\ncontrol = \"0.0.0.0:8081\"\n", "control token goes over plain HTTP"},
    };
    for (auto const& [text, warning] : rows) {
        INFO(text);
        auto const loaded = load({.text = text});
        CHECK(loaded.ok());
        bool found = false;
        for (auto const& w : loaded.warnings) found = found || w.find(warning) != std::string::npos;
        CHECK(found);
    }
    auto const required = load({.text = "[listen]\nproxy = [\"0.0.0.0:8080\"]\n[session]\ndefault = \"required\"\n"
                                        "[[api]]\nhosts = [\"a.example\"]\n"});
    CHECK(required.warnings.empty());
}

TEST_CASE("the secret comes from a variable, a file or the service manager, in this order") {
    config c;
    auto const by_variable = load_client_secret(c, lookup({{"AGENT_CLIENT_SECRET", "v"}}));
    REQUIRE(by_variable.has_value());
    CHECK((*by_variable)->reveal() == "v");
    auto const none = load_client_secret(c, lookup({}));
    REQUIRE_FALSE(none.has_value());
    CHECK(none.error().code == errc::configuration);
}

TEST_CASE("rules are made of what was loaded") {
    auto const loaded = load({.text = "[[api]]\nname = \"a\"\nhosts = [\"a.example\"]\nauthorization = \"keep\"\n"
                                      "upstream_tls = \"always\"\nhold = \"1m\"\n"});
    REQUIRE(loaded.ok());
    auto const rules = make_rules(loaded.value);
    REQUIRE(rules.has_value());
    REQUIRE((*rules)->apis().size() == 1);
    auto const& api = *(*rules)->apis()[0];
    CHECK(api.authorization == policy::authorization_mode::keep);
    CHECK(api.upstream_tls == policy::upstream_tls::always);
    CHECK(api.hold == std::chrono::minutes{1});
}
