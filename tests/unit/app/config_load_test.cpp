#include "jitproxy/app/config_load.hpp"

#include <fstream>

#include "catch.hpp"
#include "config_fixture.hpp"
#include "directory.hpp"
#include "jitproxy/app/config_keys.hpp"

using namespace jitproxy;
using namespace jitproxy::app;
using namespace jitproxy::app::testing;

namespace {

void write(test::directory const& d, char const* name, std::string_view text) {
    std::ofstream{d.file(name), std::ios::binary} << text;
}

}  // namespace

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
    test::directory d;
    write(d, "file", "of-file\n");
    write(d, "client_secret", "of-credential");
    std::string const head = "[authorization_server]\ntenant = \"t\"\nclient_id = \"agt\"\n";
    auto const with_file = head + "client_secret_file = \"" + d.file("file").string() + "\"\n";
    auto const secret = [&](std::string const& text, variables vars) {
        auto const loaded = load({.text = text, .vars = std::move(vars)});
        return loaded.agents.size() == 1 ? std::string(loaded.agents[0].client_secret->reveal()) : "none";
    };
    CHECK(secret(with_file, {{"AGENT_CLIENT_SECRET", "v"}, {"CREDENTIALS_DIRECTORY", d.path().string()}}) == "v");
    CHECK(secret(with_file, {{"CREDENTIALS_DIRECTORY", d.path().string()}}) == "of-file");
    CHECK(secret(head, {{"CREDENTIALS_DIRECTORY", d.path().string()}}) == "of-credential");
    CHECK(secret(head, {}) == "none");
}

TEST_CASE("several agents: the authorization server's own first, then each table") {
    test::directory d;
    write(d, "client_secret", "one");
    write(d, "client_secret.writer", "two");
    write(d, "third", "three");
    std::string const text =
        "[[agent]]\nname = \"writer\"\nclient_id = \"agt_2\"\nscope = \"write\"\n"
        "[[agent]]\nclient_id = \"agt_3\"\nclient_secret_file = \"" +
        d.file("third").string() + "\"\n[authorization_server]\ntenant = \"t\"\n";
    variables const vars{{"CREDENTIALS_DIRECTORY", d.path().string()}};
    auto const all = [](loaded_config const& loaded) {
        std::string out;
        for (auto const& a : loaded.agents)
            out += a.name + " " + a.client_id + " " + std::string(a.client_secret->reveal()) + " " + a.scope + ";";
        return out;
    };
    auto const tables = load({.text = text, .vars = vars});
    CHECK(tables.ok());
    CHECK(all(tables) == "writer agt_2 two write;agt_3 agt_3 three ;");
    auto const more = load({.text = text + "client_id = \"agt_1\"\n", .vars = vars});
    CHECK(more.ok());
    CHECK(all(more) == "default agt_1 one ;writer agt_2 two write;agt_3 agt_3 three ;");
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
