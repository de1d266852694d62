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

TEST_CASE("nothing from elsewhere hides or turns around what is read") {
    for (auto const* hidden : {"\u200b", "\u200f", "\u2028", "\u202a", "\u202e", "\u2060", "\u2069", "\ufeff"})
        CHECK(for_terminal(std::string("pay ") + hidden + "001") == "pay ?001");
    CHECK(for_terminal("\u200a\u2010\u2030\u206a\ufefe größe €") == "\u200a\u2010\u2030\u206a\ufefe größe €");
    CHECK(for_terminal("\xe2") == "\xe2");
}

TEST_CASE("a long cell is cut, between code points") {
    auto const row = [](std::string const& text) {
        text_table t({"A"});
        t.add({text});
        return t.text().substr(2);
    };
    CHECK(row(std::string(80, 'x')) == std::string(80, 'x') + "\n");
    CHECK(row(std::string(81, 'x')) == std::string(79, 'x') + "…\n");
    std::string wide;
    for (int i = 0; i < 90; ++i) wide += "ö";
    CHECK(row(wide) == wide.substr(0, 2 * 79) + "…\n");
}

TEST_CASE("an age is told in two units") {
    CHECK(age_text(seconds{-3}) == "0s");
    CHECK(age_text(seconds{59}) == "59s");
    CHECK(age_text(seconds{252}) == "4m12s");
    CHECK(age_text(seconds{3600 * 3 + 301}) == "3h5m");
    CHECK(age_text(seconds{86'400 * 2 + 3600 * 4}) == "2d4h");
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
