// The model's own tools: sequences as data, and what makes them short.
#include <algorithm>
#include <map>
#include <optional>
#include <string>

#include "catch.hpp"
#include "model/shrink.hpp"
#include "model/world.hpp"

using namespace jitproxy::jit::model;

namespace {

int count(sequence const& s, verb v) {
    return static_cast<int>(std::count_if(s.begin(), s.end(), [&](command const& c) { return c.what == v; }));
}

}  // namespace

TEST_CASE("sequences are the same for the same seed, and others for another") {
    CHECK(generate(7, 100) == generate(7, 100));
    CHECK(generate(7, 100) != generate(8, 100));
    CHECK(generate(7, 100).size() == 100);
}

TEST_CASE("a sequence is printed as the code that runs it") {
    CHECK(print(sequence{{verb::open, 2, 1}, {verb::ask, 0, 4, 1}, {verb::flow}}) ==
          "run_sequence({\n"
          "    {verb::open, 2, 1},  // open as a child of session 1\n"
          "    {verb::ask, 0, 4, 1},  // session 0 needs B at origin 1, does not wait\n"
          "    {verb::flow},  // variant 0\n"
          "})\n");
}

TEST_CASE("a session that is left out moves the later ones up") {
    sequence const s{{verb::open}, {verb::open}, {verb::close, 0}, {verb::open, 2, 1}, {verb::close, 2}};
    CHECK(without(s, 0, 1) == sequence{{verb::open}, {verb::close, 0}, {verb::open, 2, 0}, {verb::close, 1}});
    CHECK(without(s, 2, 5) == sequence{{verb::open}, {verb::open}});
}

TEST_CASE("shrinking finds what a breach needs, and keeps the breach") {
    // Broken where two advances come after a crash, and one of them is long.
    auto const run = [](sequence const& s) -> std::optional<violation> {
        int advances = 0;
        bool crashed = false;
        bool by_far = false;
        for (std::size_t i = 0; i != s.size(); ++i) {
            if (s[i].what == verb::hint) return violation{"another", "", i};
            crashed = crashed || s[i].what == verb::crash;
            if (!crashed || s[i].what != verb::advance) continue;
            by_far = by_far || s[i].a >= 3;
            if (++advances >= 2 && by_far) return violation{"far", "too far", i};
        }
        return std::nullopt;
    };
    sequence s;
    std::optional<violation> found;
    for (std::uint64_t seed = 1; !found || found->invariant != "far"; ++seed) {
        s = generate(seed, 300);
        std::erase_if(s, [](command const& c) { return c.what == verb::hint; });
        found = run(s);
    }
    auto const least = shrink(s, *found, run);
    REQUIRE(least.commands.size() == 3);
    CHECK(least.commands.front() == command{verb::crash});
    CHECK(count(least.commands, verb::advance) == 2);
    CHECK(least.commands[1].a + least.commands[2].a == 3);
    CHECK(least.found.invariant == "far");
    CHECK(least.found.step == 2);
    CHECK(report(12, s.size(), least).find("seed 12, 3 of ") != std::string::npos);
}

TEST_CASE("shrinking ends where it may not run any more") {
    int runs = 0;
    auto const run = [&](sequence const& s) -> std::optional<violation> {
        ++runs;
        return s.empty() ? std::nullopt : std::optional(violation{"any", "", s.size() - 1});
    };
    auto const s = generate(1, 50);
    CHECK(shrink(s, {"any", "", 49}, run, 5).runs == 5);
    CHECK(runs == 5);
    CHECK(shrink(s, {"any", "", 49}, run).commands.size() == 1);
}

TEST_CASE("a sequence runs the same way every time") {
    for (std::uint64_t seed = 1; seed != 6; ++seed) {
        std::map<std::string, int> first;
        std::map<std::string, int> again;
        CHECK_FALSE(run_sequence(generate(seed, 150), &first));
        CHECK_FALSE(run_sequence(generate(seed, 150), &again));
        CHECK(first == again);
    }
}

TEST_CASE("every command can be run in every state") {
    for (int v = 0; v != verbs; ++v)
        for (int parameter = 0; parameter != 4; ++parameter) {
            command const c{static_cast<verb>(v), parameter, parameter, parameter};
            INFO(print(c));
            CHECK_FALSE(run_sequence({c}));
            CHECK_FALSE(run_sequence({{verb::open}, {verb::flow}, c}));
        }
}
