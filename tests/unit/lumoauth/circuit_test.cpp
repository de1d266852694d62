#include "jitproxy/lumoauth/circuit.hpp"

#include "catch.hpp"

using namespace jitproxy;
using lumoauth::circuit;
using circuit_change = circuit::change;

namespace {

steady_time since_start(int s) {
    return steady_time{} + seconds{100'000 + s};
}
circuit opened_circuit(int when = 0) {
    circuit c{{}};
    for (unsigned i = 1; i != circuit::limits{}.failures; ++i)
        CHECK(c.failed(since_start(when), seconds{0}) == circuit_change::none);
    CHECK(c.failed(since_start(when), seconds{0}) == circuit_change::opened);
    return c;
}

}  // namespace

TEST_CASE("a circuit opens after failures in a row, and only then") {
    CHECK(opened_circuit().open());
    circuit c{{}};
    for (int i = 0; i != 20; ++i) {
        CHECK(c.failed(since_start(i), seconds{0}) == circuit_change::none);
        CHECK(c.failed(since_start(i), seconds{0}) == circuit_change::none);
        CHECK(c.succeeded() == circuit_change::none);
        CHECK_FALSE(c.refuses(since_start(i)).has_value());
    }
}

TEST_CASE("failures that lie far apart are no failure of the server") {
    circuit c{{}};
    for (int i = 0; i != 50; ++i)
        CHECK(c.failed(since_start(16 * i), seconds{0}) == circuit_change::none);  // four a minute
}

TEST_CASE("a circuit that never opens") {
    circuit c{{.failures = 0}};
    for (int i = 0; i != 50; ++i) CHECK(c.failed(since_start(0), seconds{0}) == circuit_change::none);
    CHECK_FALSE(c.refuses(since_start(0)).has_value());
}

TEST_CASE("while it is open callers are told how long; then one of them tries") {
    auto c = opened_circuit();
    CHECK(c.refuses(since_start(0)) == std::optional{seconds{2}});
    CHECK(c.refuses(since_start(1)) == std::optional{seconds{1}});
    CHECK_FALSE(c.refuses(since_start(2)).has_value());  // this one
    CHECK(c.refuses(since_start(2)) == std::optional{seconds{1}});
    CHECK(c.refuses(since_start(9)) == std::optional{seconds{1}});
    CHECK(c.open());
    SECTION("it works: closed, as if nothing had been") {
        CHECK(c.succeeded() == circuit_change::closed);
        CHECK_FALSE(c.open());
        CHECK_FALSE(c.refuses(since_start(9)).has_value());
        CHECK(c.failed(since_start(9), seconds{0}) == circuit_change::none);
    }
    SECTION("it fails: longer pauses, up to the longest, and no news") {
        int now = 9;
        for (int const pause : {4, 8, 16, 30, 30}) {
            CHECK(c.failed(since_start(now), seconds{0}) == circuit_change::none);
            CHECK(c.refuses(since_start(now)) == std::optional{seconds{pause}});
            now += pause;
            CHECK_FALSE(c.refuses(since_start(now)).has_value());
        }
        CHECK(c.succeeded() == circuit_change::closed);
        for (int i = 0; i != 4; ++i) CHECK(c.failed(since_start(now), seconds{0}) == circuit_change::none);
        CHECK(c.failed(since_start(now), seconds{0}) == circuit_change::opened);
        CHECK(c.refuses(since_start(now)) == std::optional{seconds{2}});  // the first pause again
    }
    SECTION("it came to nothing: another one tries") {
        c.undecided();
        CHECK_FALSE(c.refuses(since_start(9)).has_value());
        CHECK(c.refuses(since_start(9)).has_value());
    }
}

TEST_CASE("calls that began before the circuit opened") {
    auto c = opened_circuit();
    CHECK(c.failed(since_start(1), seconds{0}) == circuit_change::none);
    CHECK(c.refuses(since_start(1)) == std::optional{seconds{1}});  // no longer for that
    CHECK(c.succeeded() == circuit_change::closed);
}

TEST_CASE("a server that says how long it wants to be left alone") {
    circuit c{{.failures = 1}};
    CHECK(c.failed(since_start(0), seconds{17}) == circuit_change::opened);
    CHECK(c.refuses(since_start(0)) == std::optional{seconds{17}});
    circuit day{{.failures = 1}};
    CHECK(day.failed(since_start(0), seconds{86'400}) == circuit_change::opened);
    CHECK(day.refuses(since_start(0)) == std::optional{seconds{30}});
}
