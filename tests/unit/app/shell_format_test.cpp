// The lines are evaluated by real shells: what comes out must be what went in.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "catch.hpp"
#include "jitproxy/app/client_environment.hpp"

using namespace jitproxy;
using namespace jitproxy::app;

namespace {

std::string output_of(std::string const& command) {
    std::string out;
    FILE* const pipe = popen(command.c_str(), "r");
    REQUIRE(pipe);
    char piece[256];
    while (auto const n = fread(piece, 1, sizeof piece, pipe)) out.append(piece, n);
    CHECK(pclose(pipe) == 0);
    return out;
}

environment const nasty{
    {"PLAIN", "http://ses_1:pw@127.0.0.1:8080"},
    {"SPACES", "  two words  "},
    {"QUOTES", "it's \"quoted\" `x` $(y) $HOME"},
    {"BACK", "a\\b\\\\c\\"},
    {"GLOB", "* ? [a] ~ # ; & | < > ! {1,2}"},
    {"UTF8", "größe"},
    {"EMPTY", ""},
};

}  // namespace

TEST_CASE("sh evaluates the lines to the very values") {
    char name[] = "/tmp/jitproxy-sh-XXXXXX";
    int const fd = mkstemp(name);
    REQUIRE(fd >= 0);
    {
        auto const lines = format_environment(nasty, shell_format::sh);
        REQUIRE(lines.has_value());
        std::ofstream(name) << *lines;
    }
    for (auto const* shell : {"/bin/sh", "/bin/bash"}) {
        if (!std::filesystem::exists(shell)) continue;
        for (auto const& [variable, value] : nasty) {
            INFO(shell << " " << variable);
            auto const got =
                output_of(std::string(shell) + " -c '. " + name + "; printf \"%s\" \"$" + variable + "\"'");
            CHECK(got == value);
        }
    }
    std::filesystem::remove(name);
}

TEST_CASE("the other formats") {
    environment const one{{"A", "it's \\ $x"}};
    CHECK(*format_environment(one, shell_format::sh) == "export A='it'\\''s \\ $x'\n");
    CHECK(*format_environment(one, shell_format::fish) == "set -gx A 'it\\'s \\\\ $x'\n");
    CHECK(*format_environment(one, shell_format::dotenv) == "A=\"it's \\\\ \\$x\"\n");
    CHECK(*format_environment({{"A", "two words"}}, shell_format::dotenv) == "A='two words'\n");
    CHECK(*format_environment({{"A", "x\"y"}, {"B", ""}}, shell_format::json) == "{\"A\":\"x\\\"y\",\"B\":\"\"}\n");
}

TEST_CASE("a line break is refused, not mangled") {
    for (auto const* value : {"a\nb", "a\rb"}) {
        auto const lines = format_environment({{"A", value}}, shell_format::dotenv);
        REQUIRE_FALSE(lines.has_value());
        CHECK(lines.error().code == errc::bad_argument);
    }
}

TEST_CASE("names of formats") {
    CHECK(parse_shell_format("sh") == shell_format::sh);
    CHECK(parse_shell_format("json") == shell_format::json);
    CHECK_FALSE(parse_shell_format("csh"));
}
