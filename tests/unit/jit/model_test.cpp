// The task manager against its reference: random sequences, from JITPROXY_MODEL_SEED on, JITPROXY_MODEL_RUNS of them;
// JITPROXY_MODEL_SHOW tells what happened in them. CONTRIBUTING.md says how to read a report.
#include <cstdlib>
#include <map>
#include <string>

#include "catch.hpp"
#include "model/shrink.hpp"
#include "model/world.hpp"

using namespace jitproxy::jit::model;

namespace {

constexpr std::size_t length = 150;
constexpr std::uint64_t usual_runs = 300;

std::uint64_t setting(char const* name, std::uint64_t otherwise) {
    auto const* text = std::getenv(name);
    return text == nullptr || *text == '\0' ? otherwise : std::strtoull(text, nullptr, 10);
}

}  // namespace

TEST_CASE("whatever happens, what must always hold does hold") {
    auto const first = setting("JITPROXY_MODEL_SEED", 1);
    auto const runs = setting("JITPROXY_MODEL_RUNS", usual_runs);
    std::map<std::string, int> seen;
    for (auto seed = first; seed != first + runs; ++seed) {
        auto const commands = generate(seed, length);
        auto const found = run_sequence(commands, &seen);
        if (!found) continue;
        auto const trial = [](sequence const& s) { return run_sequence(s); };
        FAIL(report(seed, length, shrink(commands, *found, trial)));
    }
    // The sequences have been where it matters.
    if (runs >= usual_runs)
        for (auto const* what : {"granted",         "granted cached",
                                 "denied",          "pending",
                                 "expired",         "error",
                                 "asked",           "approve done",
                                 "deny done",       "refuse_bearer done",
                                 "request.granted", "request.expired",
                                 "request resumed", "session.opened",
                                 "session.resumed", "session.suspended",
                                 "session.closed",  "session.failed",
                                 "task.recovered",  "task.uncertain",
                                 "journal.failed",  "crash",
                                 "shut_down done",  "second agent"}) {
            INFO(what);
            CHECK(seen[what] > 3);
        }
    if (std::getenv("JITPROXY_MODEL_SHOW") != nullptr)
        for (auto const& [what, count] : seen) WARN(what << ": " << count);
}
