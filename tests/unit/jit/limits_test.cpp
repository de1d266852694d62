// How much one session may ask for, and hints that a request is decided.
#include "fakes.hpp"

using namespace jitproxy;
using namespace jitproxy::jit;
using namespace jitproxy::jit::test;

namespace {

request_state pending(std::string const& id) {
    return state_of(id, request_status::pending);
}

}  // namespace

TEST_CASE("new permission requests a minute: beyond that nothing is asked of the AS") {
    world w({.requests_per_minute = 3});
    auto const id = w.open();
    auto const other = w.open("task-2");
    (void)w.grant(id, "A", "scoped-A");
    w.clock.advance(seconds(20));
    (void)w.grant(id, "B", "scoped-B");
    (void)w.grant(id, "C", "scoped-C");
    auto const refused = w.ask(id, "D");
    w.clock.settle();
    CHECK(refused->one().status == permission_status::refused);
    CHECK(refused->one().reason == "too many new permission requests in this session within a minute");
    CHECK(refused->one().retry_after == 40);
    CHECK(w.as.ask.calls() == 3);
    auto const known = w.ask(id, "B");  // what is at hand costs nothing
    w.clock.settle();
    CHECK(known->one().status == permission_status::granted);
    (void)w.grant(other, "D", "scoped-other");  // another session is not harmed
    w.clock.advance(seconds(40));
    (void)w.grant(id, "D", "scoped-D");
    auto const again = w.ask(id, "E");
    w.clock.settle();
    CHECK(again->one().status == permission_status::refused);
    CHECK(again->one().retry_after == 20);
}

TEST_CASE("the members of one need count each, and it is all or nothing") {
    world w({.requests_per_minute = 3});
    auto const id = w.open();
    (void)w.grant(id, "A", "scoped-A");
    (void)w.grant(id, "B", "scoped-B");
    auto need = w.need(id, "C");
    need.details.push_back(details_of("D"));
    auto const refused = w.ask(need);
    w.clock.settle();
    CHECK(refused->one().status == permission_status::refused);
    CHECK(w.as.ask.calls() == 2);
    need.details.front() = details_of("A");  // at hand: one is new
    w.as.ask.answers(state_of("req-D", request_status::approved));
    w.as.exchange.answers(token_of("scoped-D"));
    auto const granted = w.ask(need);
    w.clock.settle();
    CHECK(granted->one().status == permission_status::granted);
}

TEST_CASE("a denial that is remembered, and a request that is joined, are no new requests") {
    world w({.denial_memory = seconds(10), .requests_per_minute = 2});
    auto const id = w.open();
    w.as.ask.answers(state_of("req-A", request_status::denied, "no")).answers(pending("req-B"));
    for (int i = 0; i != 10; ++i) {
        auto const denied = w.ask(id, "A");
        w.clock.settle();
        CHECK(denied->one().status == permission_status::denied);
    }
    w.as.poll.otherwise = [] { return pending("req-B"); };
    for (int i = 0; i != 10; ++i) (void)w.ask(id, "B");
    w.clock.settle();
    CHECK(w.as.ask.calls() == 2);
    w.as.complete.answers(completion::completed);
    (void)w.close(id);
    w.clock.settle();
}

TEST_CASE("a hint polls at once, but not more than once a second") {
    std::string local;
    world w({.poll_first = seconds(5), .callback_url = [&local](std::string const& id) {
                 local = id;
                 return "https://agents.example/" + id;
             }});
    auto const id = w.open();
    w.as.ask.answers(pending("req-1"));
    w.as.poll.otherwise = [] { return pending("req-1"); };
    auto const outcome = w.ask(id);
    w.clock.settle();
    REQUIRE_FALSE(local.empty());
    CHECK(w.as.orders.at(0).callback_url == "https://agents.example/" + local);
    w.manager->hint("local-of-nobody");
    w.clock.settle();
    CHECK(w.as.poll.calls() == 0);
    for (int i = 0; i != 50; ++i) w.manager->hint(local);
    w.clock.settle();
    CHECK(w.as.poll.calls() == 1);
    for (int i = 0; i != 50; ++i) {
        w.manager->hint(local);
        w.clock.advance(milliseconds(20));
    }
    CHECK(w.as.poll.calls() == 2);
    w.as.poll.answers(state_of("req-1", request_status::approved));
    w.as.exchange.answers(token_of("scoped-A"));
    w.manager->hint(local);
    w.clock.advance(milliseconds(1000));
    CHECK(outcome->one().status == permission_status::granted);
    w.manager->hint(local);  // decided: nothing to do
    w.clock.advance(minutes(1));
    CHECK(w.as.poll.calls() == 3);
}
