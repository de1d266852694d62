#include "jitproxy/policy/rules.hpp"

#include <string>
#include <vector>

#include "catch.hpp"

namespace policy = jitproxy::policy;
namespace http = jitproxy::http;
using jitproxy::errc;
using policy::route_kind;

namespace {

policy::host_pattern pattern(std::string_view text) {
    auto p = policy::host_pattern::parse(text);
    if (!p) FAIL(p.error().detail);
    return *p;
}

policy::api make_api(std::string name, std::vector<std::string> const& hosts,
                     std::vector<std::uint16_t> ports = {443}) {
    policy::api a;
    a.name = std::move(name);
    for (auto const& host : hosts) a.hosts.push_back(pattern(host));
    a.ports = std::move(ports);
    return a;
}

http::authority at(std::string host, std::uint16_t port) {
    bool const ip = host.find_first_not_of("0123456789.") == std::string::npos || host.find(':') != std::string::npos;
    return {std::move(host), port, ip};
}

// "api NAME", "open", or the error's name.
std::string verdict(jitproxy::result<policy::route> const& r) {
    if (!r) return std::string(jitproxy::name_of(r.error().code));
    if (r->kind == route_kind::open) return r->api ? "open, with an api" : "open";
    return r->api ? "api " + r->api->name : "protected, without an api";
}

struct visit {
    char const* host;
    std::uint16_t port;
    char const* request;  // the verdict on a plain request
    char const* connect;  // and on CONNECT
};

void check_table(policy::rules const& r, std::vector<visit> const& table) {
    for (auto const& v : table) {
        INFO(v.host << ':' << v.port);
        CHECK(verdict(r.route_request(at(v.host, v.port))) == v.request);
        CHECK(verdict(r.route_connect(at(v.host, v.port))) == v.connect);
    }
}

}  // namespace

TEST_CASE("a host pattern is an exact name, or one label or more in front of a suffix") {
    struct row {
        char const* pattern;
        char const* host;
        bool matches;
    };
    for (auto const& [text, host, matches] : std::vector<row>{
             {"api.example.com", "api.example.com", true},
             {"API.Example.COM", "api.example.com", true},
             {"api.example.com.", "api.example.com", true},
             {"api.example.com", "x.api.example.com", false},
             {"api.example.com", "example.com", false},
             {"api.example.com", "xapi.example.com", false},
             {"api.example.com", "", false},
             {"*.example.com", "a.example.com", true},
             {"*.example.com", "a.b.c.example.com", true},
             {"*.Example.COM", "a.example.com", true},
             {"*.example.com", "example.com", false},
             {"*.example.com", ".example.com", false},
             {"*.example.com", "xexample.com", false},
             {"*.example.com", "a.example.com.evil.org", false},
             {"*.example.com", "a.example.org", false},
             {"*.com", "example.com", true},
             {"*.localhost", "api.localhost", true},
             {"localhost", "localhost", true},
             {"10.0.0.1", "10.0.0.1", true},
             {"10.0.0.1", "10.0.0.2", false},
             {"::1", "::1", true},
             {"xn--bcher-kva.example", "xn--bcher-kva.example", true},
         }) {
        INFO(text << " and " << host);
        CHECK(pattern(text).matches(host) == matches);
    }
    CHECK(pattern("*.example.com").is_suffix());
    CHECK(pattern("*.example.com").name() == "example.com");
    CHECK(pattern("*.EXAMPLE.com").text() == "*.example.com");
    CHECK_FALSE(pattern("example.com").is_suffix());
    CHECK(pattern("Example.com").text() == "example.com");
}

TEST_CASE("what is no host pattern is a configuration error that quotes it") {
    for (char const* text : {"",
                             "*",
                             "*.",
                             "*.*.example.com",
                             "a.*.example.com",
                             "api*.example.com",
                             "**.example.com",
                             "*example.com",
                             ".example.com",
                             "https://api.example.com",
                             "api.example.com/path",
                             "api.example.com:443",
                             "*.example.com:443",
                             "user@api.example.com",
                             "a b.example.com",
                             "a..example.com",
                             "*..example.com",
                             "b\xc3\xbc"
                             "cher.example",
                             "*.10.0.0.1",
                             "*.1"}) {
        INFO(text);
        auto const p = policy::host_pattern::parse(text);
        REQUIRE_FALSE(p.has_value());
        CHECK(p.error().code == errc::configuration);
        CHECK(p.error().detail.find('"' + std::string(text) + '"') != std::string::npos);
    }
    CHECK(policy::host_pattern::parse("api.example.com:443").error().detail.find("\"ports\"") != std::string::npos);
}

TEST_CASE("protected hosts on their ports go to their API, everything else is open") {
    policy::rules const r({make_api("acme", {"api.example.com", "*.files.example.com"}),
                           make_api("local", {"10.1.0.1", "fd00::1", "localhost"}, {8080, 8443})},
                          {}, {});
    check_table(r, {
                       {"api.example.com", 443, "api acme", "api acme"},
                       {"a.files.example.com", 443, "api acme", "api acme"},
                       {"a.b.files.example.com", 443, "api acme", "api acme"},
                       {"localhost", 8080, "api local", "api local"},  // not among connect_ports, which are for tunnels
                       {"10.1.0.1", 8443, "api local", "api local"},
                       {"fd00::1", 8443, "api local", "api local"},
                       {"files.example.com", 443, "open", "open"},
                       {"example.com", 443, "open", "open"},
                       {"sub.api.example.com", 443, "open", "open"},
                       {"www.example.org", 80, "open", "port_denied"},
                       {"www.example.org", 443, "open", "open"},
                       {"10.1.0.2", 443, "open", "open"},
                       // Never unprotected by another port.
                       {"api.example.com", 80, "port_denied", "port_denied"},
                       {"api.example.com", 8443, "port_denied", "port_denied"},
                       {"a.files.example.com", 80, "port_denied", "port_denied"},
                       {"localhost", 443, "port_denied", "port_denied"},
                       {"localhost", 0, "port_denied", "port_denied"},
                   });
}

TEST_CASE("a refused port names the API, its ports and the key to change") {
    policy::rules const r({make_api("acme", {"api.example.com"}, {443, 8443})}, {}, {});
    auto const refused = r.route_connect(at("api.example.com", 80));
    REQUIRE_FALSE(refused.has_value());
    auto const& detail = refused.error().detail;
    INFO(detail);
    for (char const* part : {"api.example.com:80", "\"acme\"", "443, 8443", "[[api]] ports"})
        CHECK(detail.find(part) != std::string::npos);
    auto const tunnel = r.route_connect(at("::1", 22));
    REQUIRE_FALSE(tunnel.has_value());
    CHECK(tunnel.error().detail.find("[::1]:22") != std::string::npos);
    CHECK(tunnel.error().detail.find("connect_ports") != std::string::npos);
}

TEST_CASE("the most specific pattern wins, then the earlier table") {
    policy::rules const r(
        {
            make_api("wide", {"*.example.com"}, {443, 80}),
            make_api("narrow", {"*.files.example.com"}),
            make_api("exact", {"a.files.example.com"}),
            make_api("exact again", {"a.files.example.com", "*.files.example.com"}, {443, 8443}),
        },
        {}, {});
    check_table(r, {
                       {"x.example.com", 443, "api wide", "api wide"},
                       {"x.files.example.com", 443, "api narrow", "api narrow"},
                       {"a.files.example.com", 443, "api exact", "api exact"},
                       {"files.example.com", 443, "api wide", "api wide"},
                       // A pattern counts on the ports of its API only.
                       {"a.files.example.com", 8443, "api exact again", "api exact again"},
                       {"x.files.example.com", 8443, "api exact again", "api exact again"},
                       {"a.files.example.com", 80, "api wide", "api wide"},
                       {"x.example.com", 8443, "port_denied", "port_denied"},
                       {"a.files.example.com", 8080, "port_denied", "port_denied"},
                       {"example.com", 443, "open", "open"},
                   });
}

TEST_CASE("an IPv4-mapped spelling is no way around a rule that names the IPv4 address") {
    policy::egress e;
    e.deny_by_default = true;
    e.allow = {pattern("192.0.2.7"), pattern("::ffff:192.0.2.8")};
    policy::rules const r({make_api("local", {"10.1.0.1"})}, e, {});
    check_table(r, {
                       {"::ffff:10.1.0.1", 443, "api local", "api local"},
                       {"::ffff:10.1.0.1", 80, "port_denied", "port_denied"},
                       {"::ffff:192.0.2.7", 443, "open", "open"},
                       {"192.0.2.8", 443, "open", "open"},
                       {"::ffff:10.1.0.2", 443, "host_denied", "host_denied"},
                       {"::ffff:0:10.1.0.1", 443, "host_denied", "host_denied"},
                   });
    CHECK(pattern("[::FFFF:10.1.0.1]").text() == "10.1.0.1");
}

TEST_CASE("an address is never taken for a name below a suffix") {
    policy::rules const r({make_api("odd", {"*.example.com"})}, {}, {});
    CHECK(verdict(r.route_connect(http::authority{"10.0.0.1", 443, true})) == "open");
}

TEST_CASE("egress that is denied by default lets only listed hosts through") {
    policy::egress e;
    e.deny_by_default = true;
    e.allow = {pattern("pypi.org"), pattern("*.pythonhosted.org"), pattern("192.0.2.7")};
    policy::rules const r({make_api("acme", {"api.example.com"})}, e, {});
    check_table(r, {
                       {"api.example.com", 443, "api acme", "api acme"},
                       {"api.example.com", 80, "port_denied", "port_denied"},
                       {"pypi.org", 443, "open", "open"},
                       {"pypi.org", 80, "open", "port_denied"},
                       {"files.pythonhosted.org", 443, "open", "open"},
                       {"192.0.2.7", 443, "open", "open"},
                       {"pythonhosted.org", 443, "host_denied", "host_denied"},
                       {"evil.org", 443, "host_denied", "host_denied"},
                       {"evil.org", 22, "host_denied", "host_denied"},
                       {"192.0.2.8", 443, "host_denied", "host_denied"},
                   });
    auto const refused = r.route_request(at("evil.org", 443));
    CHECK(refused.error().detail.find("evil.org:443") == 0);
    CHECK(refused.error().detail.find("[egress] allow") != std::string::npos);
}

TEST_CASE("the ports of tunnels can be listed, or any") {
    policy::egress e;
    SECTION("listed") {
        e.connect_ports = {443, 8443};
        policy::rules const r({}, e, {});
        check_table(r, {{"example.org", 443, "open", "open"},
                        {"example.org", 8443, "open", "open"},
                        {"example.org", 25, "open", "port_denied"}});
    }
    SECTION("none") {
        e.connect_ports.clear();
        policy::rules const r({make_api("acme", {"api.example.com"})}, e, {});
        check_table(r, {{"example.org", 443, "open", "port_denied"}, {"api.example.com", 443, "api acme", "api acme"}});
    }
    SECTION("any") {
        e.any_connect_port = true;
        policy::rules const r({make_api("acme", {"api.example.com"})}, e, {});
        check_table(r, {{"example.org", 25, "open", "open"}, {"api.example.com", 25, "port_denied", "port_denied"}});
    }
}

TEST_CASE("the CA is told each protected host once") {
    policy::rules const r({make_api("a", {"api.example.com", "*.files.example.com", "10.0.0.1"}),
                           make_api("b", {"api.example.com", "*.api.example.com", "::1"}, {8443})},
                          {}, {});
    CHECK(r.protected_names() ==
          std::vector<std::string>{"api.example.com", ".files.example.com", "10.0.0.1", ".api.example.com", "::1"});
    CHECK(policy::rules({}, {}, {}).protected_names().empty());
    REQUIRE(r.apis().size() == 2);
    CHECK(r.apis()[1]->name == "b");
}

TEST_CASE("the guard is the one that was handed in") {
    auto const guard = policy::address_guard::create({"127.0.0.1"});
    REQUIRE(guard.has_value());
    policy::rules const r({}, {}, *guard);
    CHECK(r.guard().check(boost::asio::ip::make_address("127.0.0.1")).has_value());
    CHECK_FALSE(r.guard().check(boost::asio::ip::make_address("127.0.0.2")).has_value());
}

TEST_CASE("whose a host is, whatever the port") {
    policy::rules const r({make_api("acme", {"api.example.com"}), make_api("files", {"*.example.com"}, {443, 8443})},
                          {}, {});
    struct row {
        char const* host;
        std::uint16_t port;
        char const* api;
    };
    for (auto const& v : std::vector<row>{{"api.example.com", 443, "acme"},
                                          {"api.example.com", 80, "acme"},
                                          {"api.example.com", 8443, "files"},
                                          {"a.example.com", 80, "files"},
                                          {"example.org", 443, "none"}}) {
        INFO(v.host << ":" << v.port);
        auto const api = r.api_of_host(at(v.host, v.port));
        CHECK((api ? api->name : "none") == v.api);
    }
}
