// What the model has found, each in the fewest commands that show it.
#include <string>

#include "catch.hpp"
#include "model/world.hpp"

using namespace jitproxy::jit::model;

namespace {

// Empty: nothing was broken.
std::string breach(sequence const& s) {
    auto const found = run_sequence(s);
    return found ? found->invariant + ": " + found->detail : "";
}

}  // namespace

TEST_CASE("a decision on its way to the AS keeps no timer beyond the manager's life") {
    CHECK(breach({
              {verb::open},     // open by hand
              {verb::flow},     // variant 0
              {verb::ask},      // session 0 needs A at origin 0, waits
              {verb::flow, 1},  // variant 1
              {verb::approve},  // through the manager, request #0
              {verb::crash},    // calls are lost, 0 records still written
          }) == "");
}

TEST_CASE("a user's session that ends while it is being opened leaves no delegated token") {
    CHECK(breach({
              {verb::open, 3},  // open for a user
          }) == "");
}

TEST_CASE("what waits for a bearer until its session is closed is not asked for") {
    CHECK(breach({
              {verb::flow},        // variant 0
              {verb::open},        // open by hand
              {verb::write},       // all records
              {verb::answer},      // call #0: none; variant 0
              {verb::advance, 8},  // 3600000 ms
              {verb::write},       // all records
              {verb::ask},         // session 0 needs A at origin 0, waits
              {verb::write},       // all records
          }) == "");
}

TEST_CASE("a task that has ended by the AS's clock alone is not given up") {
    CHECK(breach({
              {verb::answer},           // call #0: none; variant 0
              {verb::open},             // open by hand
              {verb::write},            // all records
              {verb::answer, 0, 0, 2},  // call #0: none; variant 2
              {verb::crash, 0, 1},      // calls are lost, 1 records still written
              {verb::answer, 0, 11},    // call #0: rejected; variant 0
          }) == "");
}

TEST_CASE("an answer that names no request is looked for before the same is asked again") {
    CHECK(breach({
              {verb::open},             // open by hand
              {verb::flow},             // variant 0
              {verb::ask},              // session 0 needs A at origin 0, waits
              {verb::write},            // all records
              {verb::answer, 0, 9, 1},  // call #0: incomplete; variant 1
              {verb::ask},              // session 0 needs A at origin 0, waits
              {verb::flow, 2},          // variant 2
          }) == "");
}

TEST_CASE("a bearer that is refused while polling does not end the request") {
    CHECK(breach({
              {verb::flow},          // variant 0
              {verb::kill_bearers},  // the agent's are dead
              {verb::open},          // open by hand
              {verb::flow},          // variant 0
              {verb::ask},           // session 0 needs A at origin 0, waits
              {verb::flow, 1},       // variant 1
              {verb::advance, 1},    // 500 ms
              {verb::kill_bearers},  // the agent's are dead
              {verb::flow},          // variant 0
              {verb::ask},           // session 0 needs A at origin 0, waits
              {verb::flow},          // variant 0
          }) == "");
}

TEST_CASE("a bearer that is refused while the token is fetched does not throw the approval away") {
    CHECK(breach({
              {verb::flow},           // variant 0
              {verb::open},           // open by hand
              {verb::flow},           // variant 0
              {verb::ask},            // session 0 needs A at origin 0, waits
              {verb::write},          // all records
              {verb::answer},         // call #0: none; variant 0
              {verb::answer, 0, 10},  // call #0: unauthorized; variant 0
              {verb::answer},         // call #0: none; variant 0
              {verb::answer, 0, 10},  // call #0: unauthorized; variant 0
              {verb::ask},            // session 0 needs A at origin 0, waits
              {verb::flow},           // variant 0
          }) == "");
}

TEST_CASE("credentials that are refused do not end a request that waits for a human") {
    CHECK(breach({
              {verb::open},             // open by hand
              {verb::flow},             // variant 0
              {verb::ask},              // session 0 needs A at origin 0, waits
              {verb::write},            // all records
              {verb::answer, 0, 0, 1},  // call #0: none; variant 1
              {verb::refuse_bearer},    // session 0: its own bearer
              {verb::answer, 0, 11},    // call #0: rejected; variant 0
              {verb::advance, 2},       // 1000 ms
              {verb::flow},             // variant 0
              {verb::ask},              // session 0 needs A at origin 0, waits
              {verb::write},            // all records
          }) == "");
}

TEST_CASE("of two permissions the first is not handed out once it has been refused") {
    CHECK(breach({
              {verb::open},                 // open by hand
              {verb::flow},                 // variant 0
              {verb::ask, 0, 0, 2},         // session 0 needs A at origin 0, with D
              {verb::write},                // all records
              {verb::answer, 0, 2},         // call #0: lost_answer; variant 0
              {verb::flow},                 // variant 0
              {verb::refuse_bearer, 0, 1},  // session 0: a scoped token
              {verb::advance, 1},           // 500 ms
              {verb::flow},                 // variant 0
              {verb::advance, 2},           // 1000 ms
              {verb::flow},                 // variant 0
          }) == "");
}
