#include "jitproxy/app/doctor.hpp"

#include "catch.hpp"
#include "config_fixture.hpp"
#include "jitproxy/http/forward.hpp"

using namespace jitproxy;
using namespace jitproxy::app;
using namespace jitproxy::app::testing;

TEST_CASE("NO_PROXY entries that lead around the proxy") {
    struct row {
        char const* list;
        char const* host;
        char const* entry;
    };
    for (auto const& [list, host, entry] : {
             row{"localhost,127.0.0.1", "api.acme.example", ""},
             row{"api.acme.example", "api.acme.example", "api.acme.example"},
             row{"x, acme.example", "api.acme.example", "acme.example"},
             row{".acme.example", "api.acme.example", ".acme.example"},
             row{"*.acme.example", "api.acme.example", "*.acme.example"},
             row{"acme.example:443", "acme.example", "acme.example:443"},
             row{"cme.example", "acme.example", ""},
             row{"*", "acme.example", "*"},
             row{"::1", "acme.example", ""},
             row{"", "acme.example", ""},
             row{",,", "acme.example", ""},
         }) {
        INFO(list << " and " << host);
        CHECK(bypass_of(list, host) == entry);
    }
}

TEST_CASE("the clock is compared with the server's Date") {
    auto const now = std::chrono::time_point_cast<seconds>(std::chrono::system_clock::now());
    struct row {
        int off;  // our clock, in seconds before (-) or after the server's
        verdict status;
        char const* text;
    };
    for (auto const& [off, status, text] : {
             row{0, verdict::ok, "agrees"},
             row{20, verdict::ok, "agrees"},
             row{-20, verdict::ok, "agrees"},
             row{61, verdict::warning, "1m ahead of"},
             row{-60, verdict::warning, "1m behind"},
             row{3601, verdict::failure, "1h ahead of"},
             row{-3600, verdict::failure, "1h behind"},
         }) {
        INFO(off);
        findings f;
        auto const ours = now + seconds{off};
        judge_clock(f, http::http_date(now), ours, ours);
        REQUIRE(f.all().size() == 1);
        CHECK(f.all()[0].check == "clock");
        CHECK(f.all()[0].status == status);
        CHECK(f.all()[0].detail.find(text) != std::string::npos);
        CHECK(f.all()[0].mend.empty() == (status == verdict::ok));
    }
    findings slow;  // an answer that took a minute says nothing against the clock
    judge_clock(slow, http::http_date(now), now - seconds{30}, now + seconds{30});
    CHECK(slow.worst() == verdict::ok);
    findings silent;
    judge_clock(silent, "", now, now);
    CHECK(silent.worst() == verdict::ok);
    CHECK(silent.all()[0].detail.find("not compared") != std::string::npos);
}

TEST_CASE("findings as text and as JSON") {
    findings f;
    f.ok("journal", "whole");
    CHECK(f.worst() == verdict::ok);
    f.warning("secret_files", "/x can be read", "chmod 600 /x");
    CHECK(f.worst() == verdict::warning);
    f.failure("api", "evil\x1b[2J", "mend it");
    f.ok("ca", "there");
    CHECK(f.worst() == verdict::failure);
    CHECK(f.text() ==
          "  ok       journal: whole\n"
          "  warning  secret_files: /x can be read\n           chmod 600 /x\n"
          "  FAIL     api: evil?[2J\n           mend it\n"
          "  ok       ca: there\n");
    CHECK(json::serialize(f.document()) ==
          R"({"status":"failure","checks":[{"check":"journal","status":"ok","detail":"whole","mend":null},)"
          R"({"check":"secret_files","status":"warning","detail":"/x can be read","mend":"chmod 600 /x"},)"
          R"({"check":"api","status":"failure","detail":"evil\u001b[2J","mend":"mend it"},)"
          R"({"check":"ca","status":"ok","detail":"there","mend":null}]})");
}

TEST_CASE("a NO_PROXY that covers a protected host is a warning, and names both") {
    config c;
    c.apis.resize(1);
    c.apis[0].hosts = {"api.acme.example", "*.files.example"};
    c.state.directory = "/nonexistent";
    common_options o;
    o.variables = lookup({{"no_proxy", "files.example"}, {"PATH", "/nonexistent"}});
    findings f;
    examine_clients(f, c, o);
    REQUIRE(f.worst() == verdict::warning);
    CHECK(f.text().find("no_proxy has \"files.example\": clients of this shell reach *.files.example") !=
          std::string::npos);
}

TEST_CASE("the address in a proxy variable, without its credentials") {
    CHECK(proxy_address("http://user:secret@proxy.corp:3128/") == "proxy.corp:3128");
    CHECK(proxy_address("proxy.corp:3128") == "proxy.corp:3128");
    CHECK(proxy_address("http://localhost:8080") == "127.0.0.1:8080");
    CHECK(proxy_address("https://[::1]:8080/x?y") == "[::1]:8080");
}
