// How sessions end: confirmed by the AS, whatever is in flight, and family by family.
#include "fakes.hpp"

using namespace jitproxy;
using namespace jitproxy::jit;
using namespace jitproxy::jit::test;

TEST_CASE("closing: workers first, then the AS, then the journal") {
    world w;
    auto const id = w.open();
    (void)w.grant(id, "A", "scoped-A");
    auto const open = w.snapshots.latest.at(id);
    CHECK(open->accepts());
    w.log.clear();
    w.as.complete.holds();
    auto const closed = w.close(id);
    CHECK(w.log == trace{"publish closed grants=0 agent-1", "as complete agent-1 task-1", "as revoke scoped-A"});
    CHECK(w.manager->session(id)->status == session_status::closing);
    CHECK(w.manager->live_grants() == 0);
    CHECK_FALSE(w.snapshots.latest.at(id)->accepting);
    CHECK_FALSE(open->accepts());     // nor by a worker that has not seen the new one yet
    auto const second = w.close(id);  // joins
    w.clock.settle();
    CHECK_FALSE(closed->any());
    w.as.complete.release(completion::completed);
    CHECK(w.log == trace{"publish closed grants=0 agent-1", "as complete agent-1 task-1", "as revoke scoped-A",
                         "withdraw", "journal closed"});
    for (auto const& c : {closed, second}) {
        REQUIRE(c->one().has_value());
        CHECK(c->one()->status == session_status::completed);
        CHECK(c->one()->session_id == id);
        CHECK(c->one()->task_id == "task-1");
        CHECK(c->one()->completed_at == w.clock.wall_now());
    }
    CHECK(w.events.count("session.closed") == 1);
    CHECK(w.manager->sessions().empty());
    // Who asks later is told the same.
    auto const third = w.close(id);
    w.clock.settle();
    CHECK(third->one()->status == session_status::completed);
    CHECK(w.as.complete.calls() == 1);
}

TEST_CASE("closing what is not there") {
    world w;
    auto const closed = w.close("ses_none");
    w.clock.settle();
    CHECK(closed->one().error().code == errc::not_found);
}

TEST_CASE("completion is tried until it is confirmed") {
    world w;
    auto const id = w.open();
    w.as.complete.fails(errc::as_unreachable)
        .fails(errc::as_unreachable)
        .fails(errc::as_rate_limited, 30)
        .fails(errc::as_malformed)
        .answers(completion::already_complete);
    auto const closed = w.close(id);
    std::vector<int> const pauses{1, 2, 30, 8};
    int calls = 1;
    for (int const pause : pauses) {
        w.clock.advance(milliseconds(pause * 1000 - 1));
        CHECK(w.as.complete.calls() == calls);
        CHECK_FALSE(closed->any());
        CHECK(w.journal.open.size() == 1);
        w.clock.advance(milliseconds(1));
        CHECK(w.as.complete.calls() == ++calls);
    }
    w.clock.settle();
    CHECK(closed->one()->status == session_status::completed);
    CHECK(w.journal.open.empty());
}

TEST_CASE("pauses between completions grow to a minute") {
    world w;
    w.as.token.answers(token_of("agent-1", seconds(24 * 3600)));
    auto const id = w.open();
    w.as.complete.otherwise = [] { return make_error(errc::as_unreachable); };
    auto const closed = w.close(id);
    w.clock.advance(minutes(10));
    auto const calls = w.as.complete.calls();
    w.clock.advance(minutes(10));
    CHECK(w.as.complete.calls() == calls + 10);
    w.as.complete.otherwise = [] { return completion::completed; };
    w.clock.advance(minutes(1));
    CHECK(closed->one()->status == session_status::completed);
}

TEST_CASE("a task that the AS calls inactive is as good as completed") {
    world w;
    auto const id = w.open();
    w.as.complete.fails(errc::as_inactive);
    auto const closed = w.close(id);
    w.clock.settle();
    CHECK(closed->one()->status == session_status::completed);
}

TEST_CASE("a completion with a dead bearer renews it") {
    world w;
    auto const id = w.open();
    w.as.token.answers(token_of("agent-2", seconds(3600)));
    w.as.complete.fails(errc::as_unauthorized).answers(completion::completed);
    auto const closed = w.close(id);
    w.clock.settle();
    CHECK(closed->one()->status == session_status::completed);
    CHECK(w.at("as complete agent-2 task-1") > 0);
}

TEST_CASE("closing while the session is being opened") {
    SECTION("the task is on its way") {
        world w;
        w.as.token.answers(token_of("agent-1"));
        w.as.task.holds();
        auto [opened, done] = listen<result<opened_session>>();
        w.manager->open_session({}, done);
        w.clock.settle();
        auto const closed = w.close(w.manager->sessions().at(0).session_id);
        w.clock.settle();
        CHECK_FALSE(opened->any());
        w.as.complete.answers(completion::completed);
        w.as.task.release(task{"task-1", {}});
        CHECK(opened->one().error().code == errc::shutting_down);
        CHECK(closed->one()->status == session_status::completed);
        CHECK(w.count("publish") == 0);
        CHECK(w.journal.open.empty());
    }
    SECTION("the token is on its way") {
        world w;
        w.as.token.holds();
        auto [opened, done] = listen<result<opened_session>>();
        w.manager->open_session({}, done);
        w.clock.settle();
        auto const closed = w.close(w.manager->sessions().at(0).session_id);
        w.as.token.release(token_of("agent-1"));
        CHECK(opened->one().error().code == errc::shutting_down);
        CHECK(closed->one()->status == session_status::failed);
        CHECK(w.log == trace{"as token"});
    }
    SECTION("and it fails") {
        world w;
        w.as.token.answers(token_of("agent-1"));
        w.as.task.holds();
        auto [opened, done] = listen<result<opened_session>>();
        w.manager->open_session({}, done);
        w.clock.settle();
        auto const closed = w.close(w.manager->sessions().at(0).session_id);
        w.as.task.release(make_error(errc::as_rate_limited));
        CHECK(opened->one().error().code == errc::as_rate_limited);
        CHECK(closed->one()->status == session_status::failed);
        CHECK(w.journal.open.empty());
    }
}

TEST_CASE("children are closed before their parents") {
    world w;
    auto const parent = w.open("task-parent");
    session_order order;
    order.parent_session_id = parent;
    auto const child = w.open("task-child", order);
    order.parent_session_id = child;
    auto const grandchild = w.open("task-grandchild", order);
    CHECK(w.as.tasks.at(1).parent_task_id == "task-parent");
    CHECK(w.as.tasks.at(2).parent_task_id == "task-child");
    w.log.clear();
    w.as.complete.holds().answers(completion::completed).answers(completion::completed);
    auto const closed = w.close(parent);
    // From the first moment none of the family serves.
    for (auto const& id : {parent, child, grandchild}) CHECK_FALSE(w.snapshots.latest.at(id)->accepting);
    CHECK(w.count("as complete") == 1);
    w.as.complete.release(completion::completed);
    CHECK(closed->one()->status == session_status::completed);
    auto const a = w.at("as complete agent-1 task-grandchild");
    auto const b = w.at("as complete agent-1 task-child");
    auto const c = w.at("as complete agent-1 task-parent");
    CHECK(a >= 0);
    CHECK(a < b);
    CHECK(b < c);
}

TEST_CASE("a child that is still being opened is waited for") {
    world w;
    auto const parent = w.open("task-parent");
    session_order order;
    order.parent_session_id = parent;
    w.as.task.holds();
    auto [opened, done] = listen<result<opened_session>>();
    w.manager->open_session(order, done);
    w.clock.settle();
    auto const closed = w.close(parent);
    w.clock.settle();
    CHECK(w.count("as complete") == 0);
    SECTION("it comes to be") {
        w.as.complete.answers(completion::completed).answers(completion::completed);
        w.as.task.release(task{"task-child", {}});
        CHECK(w.at("as complete agent-1 task-child") < w.at("as complete agent-1 task-parent"));
    }
    SECTION("it does not") {
        w.as.complete.answers(completion::completed);
        w.as.task.release(make_error(errc::as_rejected));
    }
    CHECK(opened->one().has_error());
    CHECK(closed->one()->status == session_status::completed);
}

TEST_CASE("a parent must be open") {
    world w;
    auto const id = w.open();
    w.as.complete.holds();
    (void)w.close(id);
    for (auto const& parent : {id, std::string("ses_none")}) {
        session_order order;
        order.parent_session_id = parent;
        auto [opened, done] = listen<result<opened_session>>();
        w.manager->open_session(order, done);
        CHECK_FALSE(opened->any());
        w.clock.settle();
        CHECK(opened->one().error().code == errc::not_found);
    }
}

TEST_CASE("shutting down closes every session, and nothing opens any more") {
    world w;
    auto const a = w.open("task-1");
    auto const b = w.open("task-2");
    w.as.complete.holds().answers(completion::completed);
    int down = 0;
    w.manager->shut_down([&] { ++down; });
    CHECK_FALSE(w.snapshots.latest.at(a)->accepting);
    CHECK_FALSE(w.snapshots.latest.at(b)->accepting);
    auto [opened, done] = listen<result<opened_session>>();
    w.manager->open_session({}, done);
    auto [automatic, done_too] = listen<result<snapshot_ptr>>();
    w.manager->ensure_automatic_session(done_too);
    w.clock.settle();
    CHECK(opened->one().error().code == errc::shutting_down);
    CHECK(automatic->one().error().code == errc::shutting_down);
    CHECK(down == 0);
    w.as.complete.release(completion::completed);
    CHECK(down == 1);
    CHECK(w.journal.open.empty());
    w.manager->shut_down([&] { ++down; });
    CHECK(down == 1);
    w.clock.settle();
    CHECK(down == 2);
}

TEST_CASE("what the AS does not confirm stays in the journal") {
    world w;
    auto const id = w.open();
    w.as.complete.otherwise = [] { return make_error(errc::as_unreachable); };
    int down = 0;
    w.manager->shut_down([&] { ++down; });
    w.clock.advance(minutes(2));
    CHECK(down == 0);
    w.manager.reset();  // the owner's patience is over
    CHECK(w.journal.open.at(id) == "task-1");
}

TEST_CASE("a journal that cannot record the end is told of, and holds nobody up") {
    world w;
    auto const id = w.open();
    w.journal.failing = {"closed"};
    w.as.complete.answers(completion::completed);
    auto const closed = w.close(id);
    w.clock.settle();
    CHECK(closed->one()->status == session_status::completed);
    CHECK(w.events.count("journal.failed") == 1);
    CHECK(w.snapshots.latest.empty());
}

TEST_CASE("closing ends those who wait for permission, and drops what arrives late") {
    SECTION("a human is asked") {
        world w;
        auto const id = w.open();
        w.as.ask.answers(state_of("req-1", request_status::pending));
        auto const outcome = w.ask(id);
        w.clock.settle();
        w.as.complete.answers(completion::completed);
        (void)w.close(id);
        CHECK_FALSE(outcome->any());
        w.clock.settle();
        CHECK(outcome->one().status == permission_status::error);
        CHECK(outcome->one().reason == "session closed");
        CHECK(w.manager->requests().at(0).status == "error");
        w.clock.advance(minutes(10));  // and is not polled for any more
        CHECK(w.as.poll.calls() == 0);
    }
    SECTION("the AS is being asked") {
        world w;
        auto const id = w.open();
        w.as.ask.holds();
        auto const outcome = w.ask(id);
        w.clock.settle();
        w.as.complete.answers(completion::completed);
        (void)w.close(id);
        w.clock.settle();
        CHECK(outcome->one().reason == "session closed");
        w.as.ask.release(state_of("req-1", request_status::approved));
        CHECK(w.as.exchange.calls() == 0);
    }
    SECTION("the token is on its way") {
        world w;
        auto const id = w.open();
        w.as.ask.answers(state_of("req-1", request_status::approved));
        w.as.exchange.holds();
        auto const outcome = w.ask(id);
        w.clock.settle();
        w.as.complete.answers(completion::completed);
        (void)w.close(id);
        w.clock.settle();
        w.as.exchange.release(token_of("scoped-late"));
        CHECK(outcome->one().status == permission_status::error);
        CHECK(outcome->one().token == nullptr);
        CHECK(w.manager->live_grants() == 0);
        for (auto const& s : w.snapshots.all) CHECK(s->grants.empty());
        CHECK(w.count("as revoke scoped-late") == 1);
    }
    SECTION("nobody asks for a closed session") {
        world w;
        auto const id = w.open();
        w.as.complete.holds();
        (void)w.close(id);
        auto const outcome = w.ask(id);
        auto const other = w.ask("ses_none");
        w.clock.settle();
        CHECK(outcome->one().status == permission_status::error);
        CHECK(other->one().status == permission_status::error);
        CHECK(w.as.ask.calls() == 0);
    }
}

TEST_CASE("a task that died at the AS takes its session with it") {
    for (std::string const when : {"ask", "poll", "exchange"}) {
        INFO(when);
        world w;
        auto const id = w.open();
        (void)w.grant(id, "old", "scoped-old");
        if (when == "ask") w.as.ask.fails(errc::as_inactive);
        if (when == "poll") {
            w.as.ask.answers(state_of("req-1", request_status::pending));
            w.as.poll.fails(errc::as_inactive);
        }
        if (when == "exchange") {
            w.as.ask.answers(state_of("req-1", request_status::approved));
            w.as.exchange.fails(errc::as_inactive);
        }
        w.as.complete.holds();
        auto const outcome = w.ask(id);
        w.clock.advance(seconds(1));
        CHECK(outcome->one().status == permission_status::error);
        CHECK(outcome->one().reason == when + " failed");
        CHECK(w.manager->live_grants() == 0);
        CHECK_FALSE(w.snapshots.latest.at(id)->accepting);
        CHECK(w.snapshots.latest.at(id)->grants.empty());
        CHECK(w.events.count("session.suspended") == 0);  // it ended, which is not the same
        auto const after = w.ask(id);
        w.clock.settle();
        CHECK(after->one().status == permission_status::error);
        w.as.complete.release(make_error(errc::as_inactive));
        CHECK(w.manager->session(id)->status == session_status::completed);
        CHECK(w.journal.open.empty());
    }
}

TEST_CASE("closing waits for requests in flight, and for its children's") {
    world w;
    auto const parent = w.open();
    session_order order;
    order.parent_session_id = parent;
    auto const child = w.open("task-2", order);
    w.as.complete.answers(completion::completed);
    w.as.complete.answers(completion::completed);
    w.snapshots.busy = true;
    auto const closed = w.close(parent);
    w.clock.settle();
    CHECK(w.as.complete.calls() == 0);
    CHECK(w.manager->session(parent)->status == session_status::closing);
    CHECK(w.manager->session(child)->status == session_status::closing);
    w.snapshots.release();
    w.clock.settle();
    CHECK(w.as.complete.calls() == 2);
    CHECK(closed->one().value().status == session_status::completed);
}
