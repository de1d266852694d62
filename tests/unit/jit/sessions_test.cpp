// Sessions through the task manager: opening, the automatic one, idle time, bearers.
#include "fakes.hpp"

using namespace jitproxy;
using namespace jitproxy::jit;
using namespace jitproxy::jit::test;

TEST_CASE("a session is opened: token, journal, AS, journal, snapshot") {
    world w;
    w.as.token.answers(token_of("agent-1"));
    w.as.task.answers(task{"task-1", w.clock.wall_now() + minutes(60)});
    auto [opened, done] = listen<result<opened_session>>();
    session_order order;
    order.task = {"report", "batch", {}, "ann@example.com"};
    w.manager->open_session(order, done);
    CHECK_FALSE(opened->any());
    w.clock.settle();
    REQUIRE(opened->one().has_value());
    auto const& o = *opened->one();
    CHECK(o.info.task_id == "task-1");
    CHECK(o.info.name == "report");
    CHECK(o.info.status == session_status::open);
    CHECK_FALSE(o.info.automatic);
    CHECK(o.info.session_id.starts_with("ses_"));
    CHECK(o.info.opened_at == w.clock.wall_now());
    CHECK(o.info.expires_at == w.clock.wall_now() + minutes(60));
    REQUIRE(o.snapshot);
    CHECK(o.snapshot->session_id == o.info.session_id);
    CHECK(o.snapshot->proxy_secret->reveal().size() >= 32);
    CHECK(o.snapshot->accepting);
    CHECK(shown(o.snapshot->bearer) == "agent-1");
    CHECK(o.snapshot->bearer_generation == 1);
    CHECK(w.log == trace{"as token", "journal opening", "as task agent-1", "journal opened task-1",
                         "publish accepting grants=0 agent-1"});
    CHECK(w.as.tasks.at(0).name == "report");
    CHECK(w.as.tasks.at(0).type == "batch");
    CHECK(w.as.tasks.at(0).on_behalf_of == "ann@example.com");
    CHECK(w.events.count("session.opened") == 1);
    CHECK(w.events.last("session.opened").data.at("task_id").as_string() == "task-1");
    CHECK(w.journal.open.at(o.info.session_id) == "task-1");
}

TEST_CASE("two sessions have secrets and ids of their own, and share the agent's token") {
    world w;
    auto const a = w.open("task-1");
    auto const b = w.open("task-2");
    CHECK(a != b);
    CHECK(w.snapshots.latest.at(a)->proxy_secret->reveal() != w.snapshots.latest.at(b)->proxy_secret->reveal());
    REQUIRE(w.manager->sessions().size() == 2);
    CHECK(w.manager->session(a)->task_id == "task-1");
    CHECK(w.manager->session(b)->task_id == "task-2");
    CHECK_FALSE(w.manager->session("ses_other").has_value());
    CHECK(w.as.token.calls() == 1);
}

TEST_CASE("a session that cannot be opened") {
    struct row {
        std::string name;
        errc code;
        int retry_after;
        bool in_journal;  // the AS may have made the task
    };
    for (auto const& r : std::vector<row>{
             {"down", errc::as_unreachable, 0, false},
             {"given up on", errc::as_down, 9, false},
             {"unclear", errc::as_unclear, 0, true},
             {"nonsense", errc::as_malformed, 0, true},
             {"slow down", errc::as_rate_limited, 7, false},
             {"inactive", errc::as_inactive, 0, false},
         }) {
        INFO(r.name);
        world w;
        w.as.token.answers(token_of("agent-1"));
        w.as.task.fails(r.code, r.retry_after);
        auto [opened, done] = listen<result<opened_session>>();
        w.manager->open_session({}, done);
        w.clock.settle();
        REQUIRE(opened->one().has_error());
        CHECK(opened->one().error().code == r.code);
        CHECK(opened->one().error().retry_after == r.retry_after);
        CHECK(w.count("publish") == 0);
        CHECK(w.journal.open.size() == (r.in_journal ? 1U : 0U));
        CHECK(w.events.count("task.uncertain") == (r.in_journal ? 1 : 0));
        CHECK(w.events.count("session.failed") == 1);
        CHECK(w.manager->sessions().empty());
    }
}

TEST_CASE("a task without an id is no task") {
    world w;
    w.as.token.answers(token_of("agent-1"));
    w.as.task.answers(task{});
    auto [opened, done] = listen<result<opened_session>>();
    w.manager->open_session({}, done);
    w.clock.settle();
    REQUIRE(opened->one().has_error());
    CHECK(opened->one().error().code == errc::as_malformed);
    CHECK(w.journal.open.size() == 1);
}

TEST_CASE("no token: nothing is journaled, and no task is asked for") {
    world w;
    w.as.token.fails(errc::as_unreachable);
    auto [opened, done] = listen<result<opened_session>>();
    w.manager->open_session({}, done);
    w.clock.settle();
    CHECK(opened->one().error().code == errc::as_unreachable);
    CHECK(opened->one().error().retry_after > 0);
    CHECK(w.log == trace{"as token"});
    CHECK(w.manager->agent_tokens().front().state == "failed");
    CHECK_FALSE(w.manager->agent_tokens().front().last_error.empty());
}

TEST_CASE("a journal that cannot be written: the AS is not told") {
    world w;
    w.journal.failing = {"opening"};
    w.as.token.answers(token_of("agent-1"));
    auto [opened, done] = listen<result<opened_session>>();
    w.manager->open_session({}, done);
    w.clock.settle();
    CHECK(opened->one().error().code == errc::storage);
    CHECK(w.log == trace{"as token"});
}

TEST_CASE("a task that the journal could not record is completed at once") {
    world w;
    w.journal.failing = {"opened"};
    w.as.token.answers(token_of("agent-1"));
    w.as.task.answers(task{"task-1", {}});
    w.as.complete.answers(completion::completed);
    auto [opened, done] = listen<result<opened_session>>();
    w.manager->open_session({}, done);
    w.clock.settle();
    CHECK(opened->one().error().code == errc::storage);
    CHECK(w.log == trace{"as token", "journal opening", "as task agent-1", "as complete agent-1 task-1", "withdraw",
                         "journal closed"});
    CHECK(w.events.count("journal.failed") == 1);
    CHECK(w.manager->sessions().empty());
}

TEST_CASE("a dead bearer is renewed once for the creation of a task") {
    SECTION("it was the bearer") {
        world w;
        w.as.token.answers(token_of("agent-1")).answers(token_of("agent-2"));
        w.as.task.fails(errc::as_unauthorized).answers(task{"task-1", {}});
        auto [opened, done] = listen<result<opened_session>>();
        w.manager->open_session({}, done);
        w.clock.settle();
        REQUIRE(opened->one().has_value());
        CHECK(shown(opened->one()->snapshot->bearer) == "agent-2");
        CHECK(opened->one()->snapshot->bearer_generation == 2);
    }
    SECTION("it was not the bearer") {
        world w;
        w.as.token.answers(token_of("agent-1", seconds(3600))).answers(token_of("agent-2", seconds(3600)));
        w.as.task.fails(errc::as_unauthorized).fails(errc::as_unauthorized).fails(errc::as_unauthorized);
        auto [opened, done] = listen<result<opened_session>>();
        w.manager->open_session({}, done);
        w.clock.settle();
        CHECK(opened->one().error().code == errc::as_unauthorized);
        CHECK(w.journal.open.empty());
        // A second rejection at once does not cost a token.
        auto [again, done_again] = listen<result<opened_session>>();
        w.manager->open_session({}, done_again);
        w.clock.settle();
        CHECK(again->one().error().code == errc::as_unauthorized);
        CHECK(w.as.token.calls() == 2);
    }
    SECTION("and cannot be renewed") {
        world w;
        w.as.token.answers(token_of("agent-1")).fails(errc::as_unreachable);
        w.as.task.fails(errc::as_unauthorized);
        auto [opened, done] = listen<result<opened_session>>();
        w.manager->open_session({}, done);
        w.clock.settle();
        CHECK(opened->one().error().code == errc::as_unreachable);
    }
    SECTION("the call itself is refused: no new token would change that") {
        world w;
        w.as.token.answers(token_of("agent-1", seconds(3600)));
        w.as.task.fails(errc::as_rejected);
        auto [opened, done] = listen<result<opened_session>>();
        w.manager->open_session({}, done);
        w.clock.settle();
        CHECK(opened->one().error().code == errc::as_rejected);
        CHECK(w.as.token.calls() == 1);
    }
}

TEST_CASE("the automatic session is opened once for all who ask") {
    world w;
    w.as.token.answers(token_of("agent-1"));
    w.as.task.holds();
    std::vector<told_ptr<result<snapshot_ptr>>> all;
    for (int i = 0; i != 20; ++i) {
        auto [got, done] = listen<result<snapshot_ptr>>();
        w.manager->ensure_automatic_session(done);
        w.clock.settle();
        all.push_back(got);
    }
    CHECK(w.as.task.calls() == 1);
    w.as.task.release(task{"task-1", {}});
    for (auto const& got : all) {
        REQUIRE(got->one().has_value());
        CHECK((*got->one())->automatic);
        CHECK((*got->one())->proxy_secret->empty());
        CHECK((*got->one())->session_id == (*all.front()->one())->session_id);
    }
    auto [later, done] = listen<result<snapshot_ptr>>();
    w.manager->ensure_automatic_session(done);
    CHECK_FALSE(later->any());
    w.clock.settle();
    CHECK((*later->one())->session_id == (*all.front()->one())->session_id);
    CHECK(w.as.task.calls() == 1);
}

TEST_CASE("an automatic session that failed is tried again, but not by each request") {
    world w;
    w.as.token.answers(token_of("agent-1"));
    w.as.task.fails(errc::as_unreachable).answers(task{"task-2", {}});
    auto const ensure = [&] {
        auto [got, done] = listen<result<snapshot_ptr>>();
        w.manager->ensure_automatic_session(done);
        w.clock.settle();
        return got;
    };
    CHECK(ensure()->one().error().code == errc::as_unreachable);
    CHECK(ensure()->one().error().code == errc::as_unreachable);
    CHECK(w.as.task.calls() == 1);
    w.clock.advance(milliseconds(1000));
    CHECK(ensure()->one().has_value());
    CHECK(w.as.task.calls() == 2);
}

TEST_CASE("the automatic session closes when nothing was seen of it, and another one opens") {
    world w({.idle_timeout = minutes(15)});
    w.as.token.answers(token_of("agent-1", seconds(24 * 3600)));
    w.as.task.answers(task{"task-1", {}}).answers(task{"task-2", {}});
    auto [first, done] = listen<result<snapshot_ptr>>();
    w.manager->ensure_automatic_session(done);
    w.clock.settle();
    auto const id = (*first->one())->session_id;
    w.clock.advance(minutes(14));
    w.manager->touch(id);
    w.clock.advance(minutes(14));
    CHECK(w.manager->session(id)->status == session_status::open);
    w.as.complete.answers(completion::completed);
    w.clock.advance(minutes(1));
    CHECK(w.manager->session(id)->status == session_status::completed);
    CHECK(w.events.last("session.closed").data.at("reason").as_string() == "idle");
    auto [second, done_again] = listen<result<snapshot_ptr>>();
    w.manager->ensure_automatic_session(done_again);
    w.clock.settle();
    CHECK((*second->one())->session_id != id);
}

TEST_CASE("other sessions close for idleness where they were told to, and not while a human is asked") {
    world w({.idle_timeout = minutes(15)});
    auto const kept = w.open("task-1");
    session_order order;
    order.idle_timeout = minutes(2);
    auto const idle = w.open("task-2", order);
    w.as.ask.answers(state_of("req-1", request_status::pending));
    w.as.poll.otherwise = [] { return state_of("req-1", request_status::pending); };
    (void)w.ask(idle);
    w.clock.advance(minutes(30));
    CHECK(w.manager->session(idle)->status == session_status::open);
    w.as.poll.otherwise = [] { return state_of("req-1", request_status::denied); };
    w.as.complete.answers(completion::completed);
    w.clock.advance(minutes(5));
    CHECK(w.manager->session(idle)->status == session_status::completed);
    CHECK(w.manager->session(kept)->status == session_status::open);
}

TEST_CASE("a session closes when its task expires, unless the clocks disagree") {
    for (bool const skewed : {false, true}) {
        world w;
        w.as.token.answers(token_of("agent-1", seconds(24 * 3600)));
        w.as.task.answers(task{"task-1", w.clock.wall_now() + (skewed ? -minutes(1) : minutes(30))});
        auto [opened, done] = listen<result<opened_session>>();
        w.manager->open_session({}, done);
        w.clock.settle();
        auto const id = opened->one()->info.session_id;
        w.clock.advance(minutes(29));
        CHECK(w.manager->session(id)->status == session_status::open);
        if (!skewed) w.as.complete.answers(completion::already_complete);
        w.clock.advance(minutes(2));
        CHECK(w.manager->session(id)->status == (skewed ? session_status::open : session_status::completed));
    }
}
