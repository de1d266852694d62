// Every kind of error, with its place: "file:line:column: message".
#include "catch.hpp"
#include "config_fixture.hpp"
#include "directory.hpp"

using namespace jitproxy;
using namespace jitproxy::app;
using namespace jitproxy::app::testing;

namespace {

struct row {
    char const* text;
    char const* place;    // line:column
    char const* message;  // a part of it
};

constexpr row rows[] = {
    // syntax
    {"[listen\n", "1:8", ""},
    {"[log]\nlevel = \"info\"\n[log]\n", "3:1", ""},
    // unknown names
    {"[lisen]\n", "1:2", "unknown table \"lisen\"; did you mean \"listen\"?"},
    {"[xyz]\n", "1:2", "unknown table \"xyz\""},
    {"level = \"info\"\n", "1:1", "unknown key \"level\""},
    {"hosts = [\"a\"]\n", "1:1", "it belongs into [[api]]"},
    {"[session]\nhold = \"5m\"\n", "2:1", "unknown key \"hold\" in [session]; it belongs into [[api]] or [approval]"},
    {"[session]\nidle_timout = \"5m\"\n", "2:1", "did you mean \"idle_timeout\"?"},
    {"[log]\nlevle = \"info\"\n", "2:1", "unknown key \"levle\" in [log]; did you mean \"level\"?"},
    {"[[api]]\nhosts = [\"a.example\"]\nprots = [443]\n", "3:1", "did you mean \"ports\"?"},
    {"[[api]]\nhosts = [\"a.example\"]\nzzz = 1\n", "3:1", "unknown key \"zzz\" in [[api]]"},
    // a secret in the file
    {"[authorization_server]\nclient_secret = \"oops\"\n", "2:1", "client_secret_file"},
    // agents
    {"[[agent]]\nname = \"a\"\nclient_secret_file = \"/proc/sys/kernel/ostype\"\n", "1:1",
     "agent.client_id is not set"},
    {"[[agent]]\nclient_id = \"a\"\n", "1:1", "systemd's credential client_secret.a"},
    {"[[agent]]\nclient_id = \"agt_1\"\nclient_secret_file = \"/proc/sys/kernel/ostype\"\n", "2:1",
     "\"agt_1\" is another agent's, at AGENT_CLIENT_ID"},
    {"[[agent]]\nname = \"default\"\nclient_id = \"a\"\nclient_secret_file = \"/proc/sys/kernel/ostype\"\n", "2:1",
     "\"default\" is the name of another agent"},
    {"[[agent]]\nname = \"a/b\"\nclient_id = \"a\"\nclient_secret_file = \"/proc/sys/kernel/ostype\"\n", "2:1",
     "has no \"/\" in it"},
    {"[[agent]]\nclient_id = \"a\"\nclient_secret_file = \"/proc/sys/kernel/ostype\"\nclient_secret = \"oops\"\n",
     "4:1", "client_secret_file"},
    {"[agent]\nclient_id = \"a\"\n", "1:2", "write [[agent]]"},
    // wrong types
    {"log = 1\n", "1:1", "log must be a table"},
    {"[api]\nhosts = [\"a.example\"]\n", "1:2", "write [[api]]"},
    {"[log]\nlevel = 1\n", "2:9", "log.level: must be a string, not an integer"},
    {"[listen]\nproxy = \"127.0.0.1:80\"\n", "2:9", "must be an array of strings, not a string"},
    {"[listen]\nproxy = [1]\n", "2:10", "must be a string, not an integer"},
    {"[listen]\nworkers = \"two\"\n", "2:11", "must be an integer, not a string"},
    {"[ca]\nname_constraints = \"yes\"\n", "2:20", "must be true or false, not a string"},
    {"[timeouts]\nconnect = 10\n", "2:11", "must be a duration, not an integer; write it as \"500ms\""},
    {"[limits]\nhead_bytes = true\n", "2:14", "must be a size, not a boolean"},
    {"[[api]]\nhosts = [\"a.example\"]\nports = \"443\"\n", "3:9", "must be an array of ports, not a string"},
    // values
    {"[listen]\nproxy = [\"nowhere\"]\n", "2:10", "must be ADDRESS:PORT"},
    {"[listen]\nproxy = [\"localhost:80\"]\n", "2:10", "must be ADDRESS:PORT"},
    {"[listen]\nproxy = [\"127.0.0.1:70000\"]\n", "2:10", "must be ADDRESS:PORT"},
    {"[listen]\nproxy = [\"::1:80\"]\n", "2:10", "must be ADDRESS:PORT"},
    {"[listen]\nproxy = []\n", "2:1", "needs at least one address"},
    {"[listen]\nproxy = [\"127.0.0.1:80\", \"127.0.0.1:80\"]\n", "2:26", "stands twice"},
    {"[listen]\ncontrol = \"socket\"\n", "2:11", "must be \"unix\""},
    {"[listen]\ncontrol = \"unix:relative\"\n", "2:11", "needs an absolute path"},
    {"[listen]\ncontrol = \"127.0.0.1:8080\"\n", "2:1", "is the proxy's"},
    {"[listen]\nworkers = -1\n", "2:11", "must not be negative"},
    {"[listen]\nworkers = 1000\n", "2:11", "must be at most 256"},
    {"[authorization_server]\nurl = \"app.lumoauth.dev\"\n", "2:7", "must begin with https://"},
    {"[authorization_server]\nurl = \"https://u:p@x.example\"\n", "2:7", "without user"},
    {"[authorization_server]\nurl = \"https://x.example/?a=b\"\n", "2:7", "query"},
    {"[authorization_server]\nurl = \"https://\"\n", "2:7", "no usable host"},
    {"[authorization_server]\nurl = \"http://x.example\"\n", "2:1", "would go over plain HTTP"},
    {"[authorization_server]\nca_file = \"/nonexistent.pem\"\n", "2:11", "does not exist: /nonexistent.pem"},
    {"[authorization_server]\nca_file = \"none.pem\"\n", "2:11", "does not exist: /etc/none.pem"},
    {"[authorization_server]\nca_file = \"/tmp\"\n", "2:11", "names a directory"},
    {"[authorization_server]\nclient_id = \"a\\nb\"\n", "2:13", "control characters"},
    {"[authorization_server]\nca_file = \"/proc/version\"\n", "2:1",
     "authorization_server.ca_file: /proc/version holds no certificates in PEM"},
    {"[authorization_server]\nurl = \"https://x.example/t/acme\"\n", "2:1", "belongs into tenant"},
    {"[authorization_server]\nurl = \"https://x.example/orgs/1/api\"\n", "2:1", "belongs into org_id"},
    {"[log]\nlevel = \"loud\"\n", "2:9",
     "must be \"debug\", \"info\", \"warning\", \"error\" or \"off\", not \"loud\""},
    {"[timeouts]\nconnect = \"soon\"\n", "2:11", "is not a duration"},
    {"[timeouts]\nconnect = \"1ms\"\n", "2:11", "must be at least 100ms"},
    {"[timeouts]\nconnect = \"1h\"\n", "2:11", "must be at most 5m"},
    {"[limits]\nhead_bytes = \"64KB\"\n", "2:14", "is not a size"},
    {"[limits]\nhead_bytes = 1\n", "2:14", "must be at least 1KiB"},
    {"[limits]\nreplay_file = \"99999999999GiB\"\n", "2:15", "is not a size"},
    {"[egress]\nallow_addresses = [\"10.0.0.0/33\"]\n", "2:20", "egress.allow_addresses"},
    {"[egress]\nconnect_ports = [\"all\"]\n", "2:18", "or \"any\""},
    {"[egress]\nname_servers = [\"dns.example\"]\n", "2:17", "must be ADDRESS or ADDRESS:PORT"},
    // APIs
    {"[[api]]\nname = \"a\"\n", "1:1", "needs at least one host"},
    {"[[api]]\nhosts = []\n", "1:1", "needs at least one host"},
    {"[[api]]\nhosts = [\"-bad-\"]\n", "2:10", "api.hosts"},
    {"[[api]]\nhosts = [\"a.*.example\"]\n", "2:10", "api.hosts"},
    {"[[api]]\nhosts = [\"a.example\", \"b c\"]\n", "2:23", "api.hosts"},
    {"[[api]]\nhosts = [\"a.example\"]\nports = [0]\n", "3:10", "must be a port, 1 to 65535"},
    {"[[api]]\nhosts = [\"a.example\"]\nports = [65536]\n", "3:10", "must be a port"},
    {"[[api]]\nhosts = [\"a.example\"]\nports = [\"any\"]\n", "3:10", "must be a port"},
    {"[[api]]\nhosts = [\"a.example\"]\nports = []\n", "3:9", "at least one port"},
    {"[[api]]\nhosts = [\"a.example\"]\nupstream_tls = \"sometimes\"\n", "3:16", "\"as-requested\" or \"always\""},
    {"[[api]]\nhosts = [\"a.example\"]\nrequested_ttl = \"2h\"\n", "3:17", "must be at most 15m"},
    {"[[api]]\nhosts = [\"a.example\"]\nca_file = \"/proc/version\"\n", "3:1",
     "api.ca_file: /proc/version holds no certificates in PEM"},
    {"[[api]]\nhosts = [\"a.example\"]\nclient_certificate_file = \"/proc/version\"\n"
     "client_key_file = \"/proc/version\"\n",
     "3:1", "api.client_certificate_file: /proc/version holds no certificate chain in PEM"},
    {"[[api]]\nhosts = [\"a.example\"]\njustification = \"{verb} {url}\"\n", "3:1",
     "there is no {verb}; what can be filled in is {method}, {url}, {host} and {api}"},
    {"[[api]]\nhosts = [\"a.example\"]\nclient_key_file = \"/etc/hostname\"\n", "3:1", "only together"},
    {"[[api]]\nhosts = [\"a.example\"]\n[[api]]\nhosts = [\"b.example\", \"A.example\"]\n", "4:23",
     "\"a.example\" on port 443 is named already, by API \"a.example\" at /etc/test.toml:2:10"},
    {"[[api]]\nname = \"x\"\nhosts = [\"a.example\"]\n[[api]]\nname = \"x\"\nhosts = [\"b.example\"]\n", "5:1",
     "is the name of another API"},
};

}  // namespace

TEST_CASE("every error has its place and says what is wrong") {
    for (auto const& [text, place, message] : rows) {
        INFO(text);
        auto const all = problems({.text = text});
        REQUIRE(all.size() == 1);
        INFO(all[0]);
        auto const expected = "/etc/test.toml:" + std::string(place) + ": ";
        CHECK(all[0].substr(0, expected.size()) == expected);
        CHECK(all[0].find(message) != std::string::npos);
    }
}

TEST_CASE("all errors are told at once, in the order of the file") {
    auto const all =
        problems({.text = "[log]\nlevel = \"loud\"\nformat = 1\n[listen]\nproxy = [\"x\", \"127.0.0.1:1\", \"y\"]\n"
                          "[nonsense]\nx = 1\n[[api]]\nhosts = [\"a.example\"]\nports = [0, 1, 70000]\n"});
    std::vector<std::string> places;
    for (auto const& p : all) places.push_back(p.substr(15, p.find(": ") - 15));
    CHECK(places == std::vector<std::string>{"2:9", "3:10", "5:10", "5:30", "6:2", "10:10", "10:16"});
}

TEST_CASE("hosts on different ports, and patterns that overlap, are no duplicates") {
    CHECK(
        problems(
            {.text =
                 "[[api]]\nhosts = [\"a.example\"]\n[[api]]\nname = \"b\"\nhosts = [\"a.example\"]\nports = [8443]\n"})
            .empty());
    CHECK(problems({.text = "[[api]]\nhosts = [\"a.example\"]\n[[api]]\nhosts = [\"*.example\"]\n"}).empty());
}

TEST_CASE("a wrong variable or flag is named instead of a line") {
    auto vars = credentials();
    vars["LUMOAUTH_URL"] = "nonsense";
    auto const by_variable = problems({.text = "", .vars = vars});
    REQUIRE(by_variable.size() == 1);
    CHECK(by_variable[0].starts_with("LUMOAUTH_URL: must begin with https://"));
    auto const by_flag = problems({.text = "", .flags = {{"log", "level", "loud", "--log-level"}}});
    REQUIRE(by_flag.size() == 1);
    CHECK(by_flag[0].starts_with("--log-level: must be \"debug\""));
}

TEST_CASE("names that would make another path at LumoAuth") {
    for (auto const* name : {"acme corp", "acme/corp", "..", "a?b", "a%2fb"}) {
        INFO(name);
        auto vars = credentials();
        vars["LUMOAUTH_TENANT"] = name;
        auto const all = problems({.text = "", .vars = vars});
        REQUIRE(all.size() == 1);
        CHECK(all[0].starts_with("LUMOAUTH_TENANT: authorization_server.tenant: \"" + std::string(name) +
                                 "\" is no name"));
    }
}

TEST_CASE("a control address and a secret from variables are looked at too") {
    auto vars = credentials();
    vars["JITPROXY_CONTROL"] = "bogus";
    CHECK(problems({.text = "", .vars = vars}) ==
          std::vector<std::string>{"JITPROXY_CONTROL: control address \"bogus\" must be unix:/PATH or ADDRESS:PORT"});
    vars["JITPROXY_CONTROL"] = "unix";
    CHECK(problems({.text = "", .vars = vars}).empty());
    vars["AGENT_CLIENT_SECRET"] = "s3\nmore";
    auto const several = problems({.text = "", .vars = vars});
    REQUIRE(several.size() == 1);
    CHECK(several[0].find("the variable AGENT_CLIENT_SECRET has a line break inside") != std::string::npos);
    CHECK(several[0].find("s3") == std::string::npos);
}

TEST_CASE("braces that are no placeholder stay what they are") {
    for (auto const* text : {"{method} {url} {host} {api}", "{\\\"a\\\": 1}", "{}", "{", "a {b", "{ method }"})
        CHECK(problems({.text = "[[api]]\nhosts = [\"a.example\"]\njustification = \"" + std::string(text) + "\"\n"})
                  .empty());
}

TEST_CASE("a pattern that takes in a whole top-level domain") {
    auto const warned = [](std::string const& host) {
        for (auto const& w : load({.text = "[[api]]\nhosts = [\"" + host + "\"]\n"}).warnings)
            if (w.find("is every host of a top-level domain") != std::string::npos) return true;
        return false;
    };
    CHECK(warned("*.com"));
    CHECK(warned("*.COM"));
    CHECK_FALSE(warned("*.example.com"));
    CHECK_FALSE(warned("*.internal"));
    CHECK_FALSE(warned("com"));
}

TEST_CASE("a file that is none, or has no end, is never taken for an empty one") {
    test::directory const dir;
    auto const place = dir.path().string();
    config_sources sources;
    sources.variables = lookup(credentials());
    sources.file = place;
    auto const loaded = load_config(sources);
    REQUIRE(loaded.problems.size() == 1);
    CHECK(loaded.problems[0].text() == place + ": cannot be read: Is a directory");
    sources.file = "/dev/zero";
    auto const endless = load_config(sources);
    REQUIRE(endless.problems.size() == 1);
    CHECK(endless.problems[0].text() == "/dev/zero: cannot be read: File too large");
    sources.file = "/dev/null";
    CHECK(load_config(sources).ok());
}

TEST_CASE("a secret in the file is never repeated in the message") {
    for (auto const& p : problems({.text = "[authorization_server]\nclient_secret = \"s3cr3t-value\"\n"}))
        CHECK(p.find("s3cr3t-value") == std::string::npos);
}
