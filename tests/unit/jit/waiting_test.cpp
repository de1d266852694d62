// Those who wait for a human, and what the AS's trouble does to them.
#include "fakes.hpp"

using namespace jitproxy;
using namespace jitproxy::jit;
using namespace jitproxy::jit::test;

namespace {

request_state pending(std::string const& id = "req-1") {
    return state_of(id, request_status::pending, "waits for approval");
}
request_state approved(std::string const& id = "req-1") {
    return state_of(id, request_status::approved);
}

}  // namespace

TEST_CASE("a human is asked, and says yes while the client waits") {
    world w;
    auto const id = w.open();
    w.as.ask.answers(pending());
    w.as.poll.answers(pending()).answers(approved());
    w.as.exchange.answers(token_of("scoped-A"));
    auto const outcome = w.ask(id);
    w.clock.settle();
    CHECK(w.events.count("request.pending") == 1);
    CHECK(w.manager->requests().at(0).status == "pending");
    CHECK(w.manager->session(id)->pending_requests == 1);
    w.clock.advance(milliseconds(500));
    CHECK(w.as.poll.calls() == 1);
    w.clock.advance(milliseconds(749));
    CHECK(w.as.poll.calls() == 1);
    w.clock.advance(milliseconds(1));
    CHECK(w.as.poll.calls() == 2);
    CHECK(outcome->one().status == permission_status::granted);
    CHECK(w.events.count("request.pending") == 1);
    CHECK(w.events.count("request.granted") == 1);
}

TEST_CASE("holding a client has an end; the request goes on and the next attempt joins it") {
    world w({.hold = seconds(60)});
    auto const id = w.open();
    w.as.ask.answers(pending());
    w.as.poll.otherwise = [] { return pending(); };
    auto const first = w.ask(id);
    w.clock.advance(milliseconds(59'999));
    CHECK_FALSE(first->any());
    w.clock.advance(milliseconds(1));
    CHECK(first->one().status == permission_status::pending);
    CHECK(first->one().request_id == "req-1");
    CHECK(first->one().reason == "waits for approval");
    CHECK(first->one().retry_after == 5);
    auto const polls = w.as.poll.calls();
    w.clock.advance(seconds(30));
    CHECK(w.as.poll.calls() > polls);

    SECTION("and waits again") {
        auto const second = w.ask(id);
        w.as.poll.otherwise = [] { return approved(); };
        w.as.exchange.answers(token_of("scoped-A"));
        w.clock.advance(seconds(5));
        CHECK(second->one().status == permission_status::granted);
        CHECK(w.as.ask.calls() == 1);
    }
    SECTION("decided meanwhile: it is served at once") {
        w.as.poll.otherwise = [] { return approved(); };
        w.as.exchange.answers(token_of("scoped-A"));
        w.clock.advance(seconds(5));
        CHECK(w.manager->live_grants() == 1);
        // Even the 403 is spared: the resource is bound to the grant already.
        CHECK(w.snapshots.latest.at(id)->grants.size() == 1);
        auto const second = w.ask(id);
        w.clock.settle();
        CHECK(second->one().status == permission_status::granted);
        CHECK(w.as.ask.calls() == 1);
    }
    SECTION("and its hold is its own") {
        auto const second = w.ask(id);
        w.clock.advance(milliseconds(59'999));
        CHECK_FALSE(second->any());
        w.clock.advance(milliseconds(1));
        CHECK(second->one().status == permission_status::pending);
    }
    CHECK(first->values.size() == 1);
}

TEST_CASE("how long a client waits") {
    struct row {
        std::string name;
        milliseconds api_hold;
        std::optional<seconds> prefer;
        milliseconds waits;
    };
    for (auto const& r : std::vector<row>{
             {"as configured", milliseconds(0), {}, seconds(300)},
             {"of the API", seconds(20), {}, seconds(20)},
             {"the client wants less", milliseconds(0), seconds(10), seconds(10)},
             {"the client wants more", seconds(20), seconds(600), seconds(20)},
             {"the client does not want to wait", milliseconds(0), seconds(0), milliseconds(0)},
             {"nonsense", milliseconds(0), seconds(-5), milliseconds(0)},
         }) {
        INFO(r.name);
        world w({.hold = seconds(300)});
        auto const id = w.open();
        w.as.ask.holds();
        w.as.poll.otherwise = [] { return pending(); };
        policy::api a;
        a.hold = r.api_hold;
        auto n = w.need(id);
        n.api = std::make_shared<policy::api const>(a);
        n.wait = r.prefer;
        auto const outcome = w.ask(n);
        w.clock.advance(seconds(2));
        CHECK_FALSE(outcome->any());  // the AS has not said yet that a human must be asked
        w.as.ask.release(pending());
        if (r.waits > milliseconds(0)) {
            w.clock.advance(r.waits - milliseconds(1));
            CHECK_FALSE(outcome->any());
            w.clock.advance(milliseconds(1));
        }
        CHECK(outcome->one().status == permission_status::pending);
    }
}

TEST_CASE("a client that has left is not told; the request goes on") {
    world w;
    auto const id = w.open();
    w.as.ask.answers(pending());
    w.as.poll.answers(approved());
    w.as.exchange.answers(token_of("scoped-A"));
    auto const gone = w.ask(id);
    auto const ticket = w.last_ticket;
    auto const stays = w.ask(id);
    w.clock.settle();
    w.manager->cancel(ticket);
    w.manager->cancel(ticket);
    w.manager->cancel(987654);
    w.clock.advance(seconds(1));
    CHECK_FALSE(gone->any());
    CHECK(stays->one().status == permission_status::granted);
}

TEST_CASE("cancelling between the decision and its delivery") {
    world w;
    auto const id = w.open();
    (void)w.grant(id, "A", "scoped-A");
    auto const outcome = w.ask(id);
    w.manager->cancel(w.last_ticket);
    w.clock.settle();
    CHECK_FALSE(outcome->any());
}

TEST_CASE("a denial is remembered for a while, not for ever") {
    world w({.denial_memory = seconds(10)});
    auto const id = w.open();
    w.as.ask.answers(state_of("req-1", request_status::denied, "not\r\nyours"));
    auto const first = w.ask(id);
    w.clock.settle();
    CHECK(first->one().status == permission_status::denied);
    CHECK(first->one().reason == "not  yours");
    CHECK(first->one().request_id == "req-1");
    CHECK(first->one().retry_after == 0);
    w.clock.advance(milliseconds(9'999));
    auto const second = w.ask(id);
    w.clock.settle();
    CHECK(second->one().status == permission_status::denied);
    CHECK(second->one().request_id == "req-1");
    CHECK(w.as.ask.calls() == 1);
    CHECK(w.manager->requests().size() == 1);
    CHECK(w.manager->session(id)->pending_requests == 0);
    w.clock.advance(milliseconds(1));
    (void)w.grant(id, "A", "scoped-A");
    CHECK(w.as.ask.calls() == 2);
    CHECK(w.manager->requests().size() == 2);
}

TEST_CASE("nobody decides") {
    world w;
    auto const id = w.open();
    auto state = pending();
    state.expires_at = w.clock.wall_now() + seconds(60);
    w.as.ask.answers(state);
    SECTION("and the AS says so") {
        w.as.poll.answers(state_of("req-1", request_status::expired));
        auto const outcome = w.ask(id);
        w.clock.advance(seconds(1));
        CHECK(outcome->one().status == permission_status::expired);
    }
    SECTION("and the AS is in trouble") {
        w.as.poll.otherwise = [] { return make_error(errc::as_unreachable); };
        auto const outcome = w.ask(id);
        w.clock.advance(seconds(59));
        CHECK_FALSE(outcome->any());
        w.clock.advance(seconds(1));
        CHECK(outcome->one().status == permission_status::expired);
    }
    SECTION("and the AS is silent") {
        w.as.poll.holds();
        auto const outcome = w.ask(id);
        w.clock.advance(seconds(66));
        CHECK(outcome->one().status == permission_status::expired);
        w.as.poll.release(approved());  // too late
        CHECK(w.as.exchange.calls() == 0);
    }
    CHECK(w.events.count("request.expired") == 1);
    CHECK(w.journal.permissions.begin()->second == "expired");
}

TEST_CASE("trouble when asking") {
    struct row {
        errc code;
        int retry_after;
        int told;
    };
    for (auto const& r : std::vector<row>{{errc::as_unreachable, 0, 5},
                                          {errc::as_unreachable, 17, 17},
                                          {errc::as_rate_limited, 60, 60},
                                          {errc::as_rate_limited, 0, 5},
                                          {errc::as_down, 8, 8}}) {
        world w;
        auto const id = w.open();
        w.as.ask.fails(r.code, r.retry_after);
        auto const outcome = w.ask(id);
        w.clock.settle();
        CHECK(outcome->one().status == permission_status::error);
        CHECK(outcome->one().reason == "ask failed");
        CHECK(outcome->one().retry_after == r.told);
        // The next attempt asks again.
        (void)w.grant(id, "A", "scoped-A");
    }
}

TEST_CASE("no clear answer when asking: what is pending is looked at before anything is filed again") {
    world w;
    auto const id = w.open();
    auto const listed = [](std::string request, std::string task, std::string what) {
        return pending_request{std::move(task), canonical_json(details_of(what)),
                               state_of(std::move(request), request_status::pending)};
    };
    SECTION("it is there: adopted") {
        w.as.ask.fails(errc::as_unclear);
        w.as.pending.answers(std::vector{listed("req-other", "task-1", "B"), listed("req-foreign", "task-9", "A"),
                                         listed("req-1", "task-1", "A")});
        w.as.poll.answers(approved());
        w.as.exchange.answers(token_of("scoped-A"));
        auto const outcome = w.ask(id);
        w.clock.advance(milliseconds(500));
        CHECK(w.manager->requests().at(0).request_id == "req-1");
        auto const joined = w.ask(id);
        w.clock.advance(milliseconds(500));
        CHECK(outcome->one().status == permission_status::granted);
        CHECK(joined->one().status == permission_status::granted);
        CHECK(w.at("as poll agent-1 req-1") > w.at("as pending agent-1"));
        CHECK(w.as.ask.calls() == 1);
        CHECK(w.count("journal asking") == 1);
    }
    SECTION("it is there, but another one's: the same need at another origin") {
        for (int i = 0; i != 2; ++i) w.as.pending.answers(std::vector{listed("req-1", "task-1", "A")});
        auto other = w.need(id);
        other.origin = "https://other.example:443";
        w.as.ask.answers(pending()).fails(errc::as_unclear).answers(state_of("req-2", request_status::pending));
        (void)w.ask(other);
        w.clock.settle();
        (void)w.ask(id);
        w.as.poll.otherwise = [] { return pending(); };
        w.clock.advance(milliseconds(1500));
        CHECK(w.as.ask.calls() == 3);
        w.as.complete.answers(completion::completed);
        (void)w.close(id);
        w.clock.settle();
    }
    SECTION("the list is not shown: the same is not asked for again for a while") {
        w.as.ask.fails(errc::as_unclear);
        w.as.pending.fails(errc::as_rejected);
        auto const outcome = w.ask(id);
        w.clock.advance(milliseconds(500));
        CHECK(outcome->one().status == permission_status::error);
        CHECK(outcome->one().retry_after == 10);
        w.clock.advance(seconds(4));
        auto const soon = w.ask(id);
        w.clock.settle();
        CHECK(soon->one().status == permission_status::error);
        CHECK(soon->one().retry_after == 6);
        CHECK(w.as.ask.calls() == 1);
        CHECK(w.manager->session(id)->pending_requests == 0);
        (void)w.grant(id, "B", "scoped-B");  // others are not harmed
        w.clock.advance(seconds(6));
        (void)w.grant(id, "A", "scoped-A");
    }
    SECTION("the session closes while we look") {
        w.as.ask.fails(errc::as_unclear);
        w.as.pending.holds();
        auto const outcome = w.ask(id);
        w.clock.advance(milliseconds(500));
        w.as.complete.answers(completion::completed);
        (void)w.close(id);
        w.clock.settle();
        CHECK(outcome->one().reason == "session closed");
        w.as.pending.release(std::vector{listed("req-1", "task-1", "A")});
        CHECK(w.as.poll.calls() == 0);
    }
}

TEST_CASE("a short rate limit is waited for") {
    world w;
    auto const id = w.open();
    w.as.ask.fails(errc::as_rate_limited, 3).answers(approved());
    w.as.exchange.answers(token_of("scoped-A"));
    auto const outcome = w.ask(id);
    w.clock.advance(milliseconds(2'999));
    CHECK_FALSE(outcome->any());
    w.clock.advance(milliseconds(1));
    CHECK(outcome->one().status == permission_status::granted);
    CHECK(w.count("journal asking") == 1);
    CHECK(w.count("journal settled") == 1);
}

TEST_CASE("trouble when polling is sat out, with what the AS asks for") {
    world w;
    auto const id = w.open();
    w.as.ask.answers(pending());
    w.as.poll.fails(errc::as_unreachable)
        .fails(errc::as_rate_limited, 20)
        .fails(errc::as_malformed)
        .answers(approved());
    w.as.exchange.answers(token_of("scoped-A"));
    auto const outcome = w.ask(id);
    w.clock.advance(milliseconds(500 + 750));
    CHECK(w.as.poll.calls() == 2);
    w.clock.advance(milliseconds(19'999));
    CHECK(w.as.poll.calls() == 2);
    w.clock.advance(milliseconds(1));
    CHECK(w.as.poll.calls() == 3);
    w.clock.advance(seconds(5));
    CHECK(outcome->one().status == permission_status::granted);
}

TEST_CASE("an approval whose token could not be fetched is kept for the next attempt") {
    world w;
    auto const id = w.open();
    w.as.ask.answers(approved());
    for (int i = 0; i != 4; ++i) w.as.exchange.fails(errc::as_unreachable);
    auto const first = w.ask(id);
    w.clock.advance(seconds(7));
    CHECK(first->one().status == permission_status::error);
    CHECK(first->one().retry_after > 0);
    CHECK(first->one().request_id == "req-1");
    CHECK(w.manager->requests().at(0).status == "approved");
    w.clock.advance(minutes(1));
    CHECK(w.as.exchange.calls() == 4);
    SECTION("and then it works") {
        w.as.exchange.answers(token_of("scoped-A"));
        auto const second = w.ask(id);
        w.clock.settle();
        CHECK(second->one().status == permission_status::granted);
        CHECK(w.as.ask.calls() == 1);
    }
    SECTION("or it is too late, and a new request is made") {
        w.as.exchange.fails(errc::as_rejected);
        auto const second = w.ask(id);
        w.clock.settle();
        CHECK(second->one().status == permission_status::error);
        (void)w.grant(id, "A", "scoped-A");
        CHECK(w.as.ask.calls() == 2);
    }
}

TEST_CASE("a JIT call with a dead bearer renews it once") {
    SECTION("asking") {
        world w;
        auto const id = w.open();
        w.as.token.answers(token_of("agent-2"));
        w.as.ask.fails(errc::as_unauthorized).answers(approved());
        w.as.exchange.answers(token_of("scoped-A"));
        auto const outcome = w.ask(id);
        w.clock.settle();
        CHECK(outcome->one().status == permission_status::granted);
        CHECK(w.at("as ask agent-2 task-1") > w.at("as ask agent-1 task-1"));
        CHECK(shown(w.snapshots.latest.at(id)->bearer) == "agent-2");
    }
    SECTION("and it was not the bearer") {
        world w;
        auto const id = w.open();
        w.as.token.answers(token_of("agent-2", seconds(3600)));
        w.as.ask.fails(errc::as_unauthorized).fails(errc::as_unauthorized).fails(errc::as_unauthorized);
        auto const first = w.ask(id);
        w.clock.settle();
        CHECK(first->one().status == permission_status::error);
        CHECK(first->one().retry_after == 0);
        auto const second = w.ask(id);
        w.clock.settle();
        CHECK(second->one().status == permission_status::error);
        CHECK(w.as.token.calls() == 2);
    }
    SECTION("polling") {
        world w;
        auto const id = w.open();
        w.as.token.answers(token_of("agent-2"));
        w.as.ask.answers(pending());
        w.as.poll.fails(errc::as_unauthorized).answers(approved());
        w.as.exchange.answers(token_of("scoped-A"));
        auto const outcome = w.ask(id);
        w.clock.advance(seconds(1));
        CHECK(outcome->one().status == permission_status::granted);
        CHECK(w.at("as poll agent-2 req-1") > 0);
    }
    SECTION("exchanging") {
        world w;
        auto const id = w.open();
        w.as.token.answers(token_of("agent-2"));
        w.as.ask.answers(approved());
        w.as.exchange.fails(errc::as_unauthorized).answers(token_of("scoped-A"));
        auto const outcome = w.ask(id);
        w.clock.settle();
        CHECK(outcome->one().status == permission_status::granted);
        CHECK(w.at("as exchange agent-2 req-1") > 0);
    }
    SECTION("the call itself is refused: nothing is renewed, however often") {
        world w;
        auto const id = w.open();
        w.as.ask.otherwise = [] { return make_error(errc::as_rejected); };
        for (int i = 0; i != 5; ++i) {
            (void)w.ask(id);
            w.clock.advance(minutes(1));
        }
        CHECK(w.as.ask.calls() == 5);
        CHECK(w.as.token.calls() == 1);
    }
}

TEST_CASE("a human decides through the proxy, with a token of their own") {
    world w;
    auto const id = w.open();
    w.as.ask.answers(pending());
    w.as.poll.otherwise = [] { return pending(); };
    auto const outcome = w.ask(id);
    w.clock.settle();
    auto [decided, done] = listen<result<request_info>>();
    auto const ann = make_secret("user-ann");
    SECTION("approved") {
        w.as.decision.answers(state_of({}, request_status::approved));
        w.as.exchange.answers(token_of("scoped-A"));
        w.manager->approve("req-1", ann, "fine", done);
        CHECK_FALSE(decided->any());
        w.clock.settle();
        CHECK(decided->one()->request_id == "req-1");
        CHECK(decided->one()->status == "approved");
        CHECK(outcome->one().status == permission_status::granted);
        CHECK(w.at("as approve user-ann req-1 fine") > 0);
    }
    SECTION("denied") {
        w.as.decision.answers(state_of({}, request_status::denied));
        w.manager->deny("req-1", ann, "too risky", done);
        w.clock.settle();
        CHECK(decided->one()->status == "denied");
        CHECK(outcome->one().status == permission_status::denied);
        CHECK(w.at("as deny user-ann req-1 too risky") > 0);
        CHECK(decided->one()->reason == "too risky");
        auto [again, done_again] = listen<result<request_info>>();
        w.manager->approve("req-1", ann, "", done_again);
        w.clock.settle();
        CHECK(again->one().error().code == errc::bad_argument);
        w.clock.advance(minutes(1));
        auto [later, done_later] = listen<result<request_info>>();
        w.manager->deny("req-1", ann, "", done_later);
        w.clock.settle();
        CHECK(later->one().error().code == errc::bad_argument);
    }
    SECTION("the AS says no") {
        w.as.decision.fails(errc::as_rejected);
        w.manager->approve("req-1", ann, "", done);
        w.clock.settle();
        CHECK(decided->one().error().code == errc::as_rejected);
        CHECK_FALSE(outcome->any());
        CHECK(w.as.token.calls() == 1);  // it was not our token
    }
    SECTION("unknown") {
        for (auto const* unknown : {"req-2", "", "local-1"}) {
            auto [nothing, done_nothing] = listen<result<request_info>>();
            w.manager->approve(unknown, ann, "", done_nothing);
            w.clock.settle();
            CHECK(nothing->one().error().code == errc::not_found);
        }
    }
}

TEST_CASE("a request has a local name until the AS gives it one") {
    world w;
    auto const id = w.open();
    w.as.ask.holds();
    (void)w.ask(id);
    w.clock.settle();
    REQUIRE(w.manager->requests().size() == 1);
    CHECK(w.manager->requests().at(0).request_id.starts_with("local-"));
    CHECK(w.manager->requests().at(0).status == "pending");
    w.as.poll.otherwise = [] { return pending(); };
    w.as.ask.release(pending());
    CHECK(w.manager->requests().at(0).request_id == "req-1");
}
