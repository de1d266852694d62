#include "jitproxy/http/target.hpp"

#include <string>

#include "catch.hpp"

using namespace jitproxy;
using namespace jitproxy::http;
using namespace std::string_literals;
using namespace std::string_view_literals;

TEST_CASE("hosts come out in one form") {
    struct row {
        std::string_view text;
        std::string_view host;
        bool is_ip = false;
    };
    std::string const label(63, 'a');
    std::string const longest = label + '.' + label + '.' + label + '.' + std::string(61, 'a');
    row const rows[] = {
        {"example.com", "example.com"},
        {"EXAMPLE.Com", "example.com"},
        {"example.com.", "example.com"},
        {"localhost", "localhost"},
        {"xn--bcher-kva.example", "xn--bcher-kva.example"},
        {"_dmarc.under_score", "_dmarc.under_score"},
        {"1und1.de", "1und1.de"},
        {"a-.-b", "a-.-b"},
        {"0xg", "0xg"},
        {"10.example", "10.example"},
        {"1.2.3.4a", "1.2.3.4a"},
        {longest, longest},
        // inet_aton's notations
        {"127.0.0.1", "127.0.0.1", true},
        {"127.0.0.1.", "127.0.0.1", true},
        {"127.1", "127.0.0.1", true},
        {"127.0.1", "127.0.0.1", true},
        {"10.258", "10.0.1.2", true},
        {"1.2.772", "1.2.3.4", true},
        {"2130706433", "127.0.0.1", true},
        {"0", "0.0.0.0", true},
        {"0x7f000001", "127.0.0.1", true},
        {"0X7F.1", "127.0.0.1", true},
        {"0x7f.0x0.0x0.0x1", "127.0.0.1", true},
        {"0177.0.0.01", "127.0.0.1", true},
        {"017700000001", "127.0.0.1", true},
        {"00.00.00.00", "0.0.0.0", true},
        {"0xA9FEA9FE", "169.254.169.254", true},
        {"0251.0376.0251.0376", "169.254.169.254", true},
        {"255.255.255.255", "255.255.255.255", true},
        {"4294967295", "255.255.255.255", true},
        {"1.16777215", "1.255.255.255", true},
        // IPv6
        {"[::1]", "::1", true},
        {"::1", "::1", true},
        {"[2001:DB8:0:0:0:0:0:1]", "2001:db8::1", true},
        {"[0000:0000::0001]", "::1", true},
        {"[::ffff:127.0.0.1]", "::ffff:127.0.0.1", true},
        {"[::ffff:7f00:1]", "::ffff:127.0.0.1", true},
    };
    for (auto const& r : rows) {
        INFO(r.text);
        auto const parsed = normalise_host(r.text);
        REQUIRE(parsed.has_value());
        CHECK(parsed->host == r.host);
        CHECK(parsed->is_ip == r.is_ip);
        CHECK(parsed->port == 0);
        auto const again = normalise_host(parsed->host);  // a fixed point
        REQUIRE(again.has_value());
        CHECK(*again == *parsed);
    }
}

TEST_CASE("what is no host is refused") {
    std::string const label64(64, 'a');
    std::string const too_long =
        std::string(63, 'a') + '.' + std::string(63, 'a') + '.' + std::string(63, 'a') + '.' + std::string(62, 'a');
    for (auto text : {"",
                      ".",
                      "..",
                      ".example.com",
                      "example..com",
                      "example.com..",
                      "exa mple.com",
                      "exa\tmple",
                      "example.com/",
                      "example.com\\evil",
                      "user@example.com",
                      "a,b",
                      "a;b",
                      "a!b",
                      "*.example.com",
                      "a*",
                      "%65xample.com",
                      "example%2ecom",
                      "b\xc3\xbc"
                      "cher.example",
                      "\xe2\x93\x94xample.com",
                      "ex\xef\xbc\x8e"
                      "com",
                      "256.0.0.1",
                      "1.2.3.256",
                      "1.2.3.4.5",
                      "1.2.65536",
                      "1.16777216",
                      "4294967296",
                      "0x100000000",
                      "09",
                      "08.1",
                      "1.2.3.08",
                      "0x",
                      "1.0x",
                      "1..2",
                      "example.1",
                      "example.0x1f",
                      "99999999999999999999",
                      "[::1",
                      "::1]",
                      "[]",
                      "[1.2.3.4]",
                      "[example.com]",
                      "[::1%eth0]",
                      "[fe80::1%25eth0]",
                      "fe80::1%1",
                      "[v1.x]",
                      "[::g]",
                      "[1:2:3:4:5:6:7]",
                      "[1:2:3:4:5:6:7:8:9]",
                      "[::1::]",
                      "[[::1]]",
                      "example.com:80",
                      "<script>"}) {
        INFO(text);
        auto const parsed = normalise_host(text);
        REQUIRE_FALSE(parsed.has_value());
        CHECK(parsed.error().code == errc::bad_target);
        CHECK_FALSE(parsed.error().detail.empty());
    }
    CHECK_FALSE(normalise_host(label64).has_value());
    CHECK_FALSE(normalise_host(too_long).has_value());
    CHECK_FALSE(normalise_host("a\0b"sv).has_value());
    CHECK_FALSE(normalise_host("[::1\0]"sv).has_value());
    CHECK_FALSE(normalise_host("::1\0"sv).has_value());
    CHECK(normalise_host("b\xc3\xbc"
                         "cher")
              .error()
              .detail.find("A-label") != std::string::npos);
}

TEST_CASE("authorities carry a port") {
    struct row {
        std::string_view text;
        std::uint16_t fallback;
        std::string_view host;
        std::uint16_t port;
    };
    row const rows[] = {
        {"example.com:443", 0, "example.com", 443},
        {"example.com", 80, "example.com", 80},
        {"example.com:", 80, "example.com", 80},
        {"example.com.:8080", 80, "example.com", 8080},
        {"example.com:1", 80, "example.com", 1},
        {"example.com:65535", 80, "example.com", 65535},
        {"example.com:00080", 443, "example.com", 80},
        {"[::1]:443", 0, "::1", 443},
        {"[::1]", 443, "::1", 443},
        {"[::1]:", 443, "::1", 443},
        {"0x7f.1:80", 0, "127.0.0.1", 80},
    };
    for (auto const& r : rows) {
        INFO(r.text);
        auto const parsed = parse_authority(r.text, r.fallback);
        REQUIRE(parsed.has_value());
        CHECK(parsed->host == r.host);
        CHECK(parsed->port == r.port);
    }
}

TEST_CASE("what is no authority is refused") {
    for (auto text : {"",
                      ":",
                      ":80",
                      "example.com:0",
                      "example.com:65536",
                      "example.com:99999",
                      "example.com:000080",
                      "example.com:-1",
                      "example.com:+80",
                      "example.com: 80",
                      "example.com:80 ",
                      "example.com:8o",
                      "example.com:http",
                      "example.com:80:80",
                      "::1",
                      "::1:80",
                      "[::1]80",
                      "[::1]x:80",
                      "[::1]:x",
                      "[]:80",
                      "user@example.com",
                      "user:pass@example.com:80",
                      "@example.com",
                      "example.com@",
                      "[::1]@x:80",
                      "example.com/",
                      "example.com?x",
                      "example.com#x",
                      "[::1%25lo]:80",
                      "[::1"}) {
        INFO(text);
        auto const parsed = parse_authority(text, 80);
        REQUIRE_FALSE(parsed.has_value());
        CHECK(parsed.error().code == errc::bad_target);
    }
    // CONNECT's authority needs its port
    for (auto text : {"example.com", "example.com:", "[::1]", "[::1]:"})
        CHECK_FALSE(parse_authority(text, 0).has_value());
}

TEST_CASE("an error about a target never repeats its password") {
    auto const parsed = parse_request_target("GET", "http://user:hunter2@example.com/");
    REQUIRE_FALSE(parsed.has_value());
    CHECK(parsed.error().detail.find("hunter2") == std::string::npos);
}

TEST_CASE("authorities and origins are written") {
    authority const name{"example.com", 443, false};
    CHECK(format_authority(name, scheme::https) == "example.com");
    CHECK(format_authority(name, scheme::http) == "example.com:443");
    CHECK(origin_of(scheme::https, name) == "https://example.com:443");
    authority const v6{"::1", 8080, true};
    CHECK(format_authority(v6, scheme::http) == "[::1]:8080");
    CHECK(format_authority({"::1", 80, true}, scheme::http) == "[::1]");
    CHECK(origin_of(scheme::http, v6) == "http://[::1]:8080");
    CHECK(default_port(scheme::http) == 80);
    CHECK(default_port(scheme::https) == 443);
}

TEST_CASE("targets in their four forms") {
    struct row {
        std::string_view method, target;
        target_form form;
        http::scheme scheme;
        std::string_view host;
        std::uint16_t port;
        std::string_view path;
    };
    using enum target_form;
    constexpr auto http = scheme::http;
    constexpr auto https = scheme::https;
    row const rows[] = {
        {"GET", "/", origin, http, "", 0, "/"},
        {"GET", "/a%2Fb;c?d=e&f", origin, http, "", 0, "/a%2Fb;c?d=e&f"},
        {"GET", "//evil.example/x", origin, http, "", 0, "//evil.example/x"},
        {"GET", "/http://x@y:z/", origin, http, "", 0, "/http://x@y:z/"},
        {"GET", "/caf\xc3\xa9", origin, http, "", 0, "/caf\xc3\xa9"},
        {"OPTIONS", "*", asterisk, http, "", 0, "*"},
        {"GET", "http://example.com/a?b", absolute, http, "example.com", 80, "/a?b"},
        {"GET", "HTTP://EXAMPLE.COM/A", absolute, http, "example.com", 80, "/A"},
        {"GET", "hTTps://example.com:8443/", absolute, https, "example.com", 8443, "/"},
        {"GET", "https://example.com", absolute, https, "example.com", 443, "/"},
        {"GET", "http://example.com:/x", absolute, http, "example.com", 80, "/x"},
        {"GET", "http://example.com?x=1", absolute, http, "example.com", 80, "/?x=1"},
        {"GET", "http://example.com?/a/b", absolute, http, "example.com", 80, "/?/a/b"},
        {"GET", "http://example.com?", absolute, http, "example.com", 80, "/?"},
        {"OPTIONS", "http://example.com", absolute, http, "example.com", 80, "*"},
        {"OPTIONS", "http://example.com/", absolute, http, "example.com", 80, "/"},
        {"OPTIONS", "http://example.com?x", absolute, http, "example.com", 80, "/?x"},
        {"GET", "http://[2001:DB8::1]:81/x", absolute, http, "2001:db8::1", 81, "/x"},
        {"GET", "http://2130706433/x", absolute, http, "127.0.0.1", 80, "/x"},
        {"GET", "http://h//x/../y/./z", absolute, http, "h", 80, "//x/../y/./z"},
        {"GET", "http://h/u@x:y", absolute, http, "h", 80, "/u@x:y"},
        {"GET", "http://h/a\\b", absolute, http, "h", 80, "/a\\b"},
        {"CONNECT", "example.com:443", target_form::authority, http, "example.com", 443, ""},
        {"CONNECT", "[::1]:8443", target_form::authority, http, "::1", 8443, ""},
    };
    for (auto const& r : rows) {
        INFO(r.method << ' ' << r.target);
        auto const parsed = parse_request_target(r.method, r.target);
        REQUIRE(parsed.has_value());
        CHECK(parsed->form == r.form);
        CHECK(parsed->scheme == r.scheme);
        CHECK(parsed->authority.host == r.host);
        CHECK(parsed->authority.port == r.port);
        CHECK(parsed->path == r.path);
    }
}

TEST_CASE("a path that had to be made lives as long as any copy of its target") {
    request_target last;
    {
        auto parsed = parse_request_target("GET", "http://h?x");
        REQUIRE(parsed.has_value());
        auto copy = *parsed;
        auto moved = std::move(*parsed);
        last = copy;
        CHECK(moved.path == "/?x");
    }
    CHECK(last.path == "/?x");
    auto const usual = parse_request_target("GET", "http://h/x");
    CHECK(usual->rewritten == nullptr);
}

TEST_CASE("targets that a proxy must not take are refused") {
    struct row {
        std::string_view method, target;
    };
    row const rows[] = {
        {"GET", ""},
        {"GET", "*"},
        {"GET", "example.com"},
        {"GET", "example.com:80"},
        {"GET", "example.com/x"},
        {"GET", "?x"},
        {"GET", "http"},
        {"GET", "http:"},
        {"GET", "http:/"},
        {"GET", "http://"},
        {"GET", "http:///path"},
        {"GET", "http://?x"},
        {"GET", "http:example.com"},
        {"GET", "http:/example.com/"},
        {"GET", "http:\\\\example.com/"},
        {"GET", "http://\\example.com/"},
        {"GET", "http://example.com\\@evil.example/"},
        {"GET", "http://user@example.com/"},
        {"GET", "http://user:pw@example.com/"},
        {"GET", "http://example.com@evil.example/"},
        {"GET", "http://example.com:80@evil.example/"},
        {"GET", "http://example.com#frag"},
        {"GET", "http://example.com/#frag"},
        {"GET", "http://example.com#@evil.example/"},
        {"GET", "/path#frag"},
        {"GET", "/a b"},
        {"GET", "/a\tb"},
        {"GET", "/a\nb"},
        {"GET", "/a\x7f"},
        {"GET", "/a\0b"sv},
        {"GET", "ftp://example.com/"},
        {"GET", "httpx://example.com/"},
        {"GET", "file:///etc/passwd"},
        {"GET", "ws://example.com/"},
        {"GET", "https ://example.com/"},
        {"GET",
         "http://b\xc3\xbc"
         "cher.example/"},
        {"GET", "http://ex%61mple.com/"},
        {"GET", "http://[fe80::1%25eth0]/"},
        {"GET", "http://example.com:0/"},
        {"GET", "http://example.com:65536/"},
        {"GET", "http://example.com:80:81/"},
        {"GET", "http://::1/"},
        {"GET", "http://1.2.3.4.5/"},
        {"OPTIONS", "**"},
        {"OPTIONS", "*/"},
        {"CONNECT", "example.com"},
        {"CONNECT", "example.com:"},
        {"CONNECT", "/"},
        {"CONNECT", "*"},
        {"CONNECT", "http://example.com:80"},
        {"CONNECT", "http://example.com:80/"},
        {"CONNECT", "example.com:443/"},
        {"CONNECT", "u@example.com:443"},
        {"CONNECT", ":443"},
        {"CONNECT", "::1:443"},
    };
    for (auto const& r : rows) {
        INFO(r.method << ' ' << r.target);
        auto const parsed = parse_request_target(r.method, r.target);
        REQUIRE_FALSE(parsed.has_value());
        CHECK(parsed.error().code == errc::bad_target);
    }
}

TEST_CASE("paths without their query") {
    CHECK(without_query("/a/b?c=d?e") == "/a/b");
    CHECK(without_query("/a") == "/a");
    CHECK(without_query("?x") == "");
    CHECK(without_query("") == "");
}
