#include "jitproxy/app/table.hpp"

#include "catch.hpp"
#include "jitproxy/app/endpoint.hpp"

using namespace jitproxy;
using namespace jitproxy::app;

TEST_CASE("columns are padded by what is seen, without trailing space") {
    text_table t({"A", "LONG", "C"});
    t.add({"größe", "x", ""});
    t.add({"1", "", "z"});
    CHECK(t.text() == "A      LONG  C\ngröße  x\n1            z\n");
}

TEST_CASE("nothing from elsewhere steers the terminal") {
    CHECK(for_terminal("a\x1b[31mb\nc\x7f") == "a?[31mb?c?");
    CHECK(for_terminal("\xc2\x9b"
                       "31m größe") == "?31m größe");
    text_table t({"A"});
    t.add({"x\ny"});
    CHECK(t.text() == "A\nx?y\n");
    CHECK(describe({{"why", "x\x1b]0;y"}, {"none", nullptr}, {"empty", ""}, {"n", 1}}) == "why: x?]0;y\nn: 1\n");
}

TEST_CASE("addresses with ports") {
    struct row {
        char const* text;
        bool good;
        bool loopback;
    };
    row const rows[] = {
        {"127.0.0.1:8080", true, true},
        {"[::1]:0", true, true},
        {"0.0.0.0:65535", true, false},
        {"[::]:80", true, false},
        {"127.9.9.9:1", true, true},
        {"::1:80", false, false},
        {"127.0.0.1", false, false},
        {"127.0.0.1:", false, false},
        {"127.0.0.1:65536", false, false},
        {"127.0.0.1:+1", false, false},
        {"localhost:80", false, false},
        {"[127.0.0.1]:80", false, false},
        {"", false, false},
        {":80", false, false},
    };
    for (auto const& [text, good, loopback] : rows) {
        INFO(text);
        auto const parsed = parse_endpoint(text);
        REQUIRE(parsed.has_value() == good);
        if (!good) continue;
        CHECK(parsed->text() == text);
        CHECK(parsed->loopback() == loopback);
    }
}
