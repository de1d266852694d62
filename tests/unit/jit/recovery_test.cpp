// What an earlier life left open.
#include "fakes.hpp"

using namespace jitproxy;
using namespace jitproxy::jit;
using namespace jitproxy::jit::test;

TEST_CASE("start completes what was left open") {
    world w;
    auto const then = w.clock.wall_now() - minutes(30);
    w.journal.left = {{"ses_a", "task-a", then, {}}, {"ses_b", "", then, {}}, {"ses_c", "task-c", then, {}}};
    w.journal.left[2].about.owner = "run";
    for (auto const& t : w.journal.left) w.journal.open[t.session_id] = t.task_id;
    w.as.token.answers(token_of("agent-1"));
    w.as.complete.answers(completion::completed).answers(completion::already_complete);
    w.manager->start();
    // Nobody can know the id of what was asked for and never answered.
    CHECK(w.events.count("task.uncertain") == 1);
    CHECK(w.events.last("task.uncertain").session_id == "ses_b");
    w.clock.settle();
    CHECK(w.events.count("task.recovered") == 2);
    CHECK(w.events.last("task.recovered").data.at("task_id").as_string() == "task-c");
    CHECK(w.events.last("task.recovered").data.at("result").as_string() == "already_complete");
    CHECK(w.journal.reasons.at("ses_a") == "the proxy was restarted");
    CHECK(w.journal.reasons.at("ses_c") == "its command has ended");
    CHECK(w.as.token.calls() == 1);
    auto const info = w.manager->recovered();
    CHECK(info.results ==
          std::map<std::string, std::uint64_t>{{"already_complete", 1}, {"completed", 1}, {"uncertain", 1}});
    REQUIRE(info.uncertain.size() == 1);
    // It stays in the journal for as long as it may live.
    CHECK(w.journal.open.size() == 1);
    w.as.token.otherwise = [] { return token_of("agent-2", seconds(24 * 3600)); };
    w.clock.advance(std::chrono::hours(23));
    CHECK(w.journal.open.count("ses_b") == 1);
    w.clock.advance(std::chrono::hours(1));
    CHECK(w.journal.open.empty());
    CHECK(w.manager->recovered().uncertain.empty());
    CHECK(w.at("as complete agent-1 task-a") > 0);
    CHECK(w.at("as complete agent-1 task-c") > 0);
    CHECK(w.manager->sessions().empty());
    CHECK(w.snapshots.all.empty());
}

TEST_CASE("recovery goes on until the AS has confirmed") {
    world w;
    w.journal.left = {{"ses_a", "task-a", w.clock.wall_now(), {}}};
    w.journal.open["ses_a"] = "task-a";
    w.as.token.fails(errc::as_unreachable).answers(token_of("agent-1", seconds(3600)));
    w.as.complete.fails(errc::as_unreachable).fails(errc::as_rate_limited, 20).fails(errc::as_inactive);
    w.manager->start();
    w.clock.settle();
    CHECK(w.as.complete.calls() == 0);
    w.clock.advance(seconds(1));  // the token comes at the second attempt, and with it the first completion
    w.clock.advance(seconds(1));
    CHECK(w.as.complete.calls() >= 1);
    CHECK(w.journal.open.size() == 1);
    w.clock.advance(minutes(1));
    CHECK(w.as.complete.calls() == 3);
    CHECK(w.events.count("task.recovered") == 1);
    CHECK(w.journal.open.empty());
}

TEST_CASE("a journal that cannot be read is told of; new sessions are served") {
    world w;
    w.journal.failing = {"left_open"};
    w.as.token.answers(token_of("agent-1"));
    w.manager->start();
    w.clock.settle();
    CHECK(w.events.count("journal.failed") == 1);
    (void)w.open();
}

TEST_CASE("recovery does not hold up new sessions, nor the shut-down") {
    world w;
    w.journal.left = {{"ses_old", "task-old", w.clock.wall_now(), {}}};
    w.journal.open["ses_old"] = "task-old";
    w.as.token.answers(token_of("agent-1", seconds(3600)));
    w.as.complete.holds();
    w.manager->start();
    w.clock.settle();
    auto const id = w.open("task-new");
    w.as.complete.answers(completion::completed);
    int down = 0;
    w.manager->shut_down([&] { ++down; });
    w.clock.settle();
    CHECK(down == 1);
    CHECK(w.journal.open.size() == 1);
    CHECK(w.journal.open.count("ses_old") == 1);
    CHECK(w.manager->session(id)->status == session_status::completed);
}

TEST_CASE("a completion that is refused is given up when the task's time is over, not before, and not at full speed") {
    world w;
    auto const now = w.clock.wall_now();
    w.journal.left = {{"ses_a", "task-a", now, now + minutes(60)}};
    w.journal.open["ses_a"] = "task-a";
    w.as.token.otherwise = [] { return token_of("agent-1", seconds(24 * 3600)); };
    w.as.complete.otherwise = [] { return make_error(errc::as_rejected, "not yours"); };
    w.manager->start();
    w.clock.advance(minutes(30));
    CHECK(w.journal.open.size() == 1);
    CHECK(w.manager->recovered().waiting.size() == 1);
    auto const calls = w.as.complete.calls();
    w.clock.advance(minutes(20));
    CHECK(w.as.complete.calls() - calls <= 8);  // every five minutes, twice each: a bearer may be what is refused
    w.clock.advance(minutes(20));
    CHECK(w.journal.open.empty());
    CHECK(w.journal.reasons.at("ses_a").starts_with("given up: "));
    CHECK(w.events.count("task.uncertain") == 1);
    CHECK(w.manager->recovered().results.at("uncertain") == 1);
    CHECK(w.manager->recovered().waiting.size() == 0);
    auto const in_all = w.as.complete.calls();
    w.clock.advance(minutes(60));
    CHECK(w.as.complete.calls() == in_all);
}

TEST_CASE("a task that nobody heard of is watched while serving, too") {
    world w;
    w.as.token.answers(token_of("agent-1", seconds(3600)));
    w.as.task.fails(errc::as_unclear);
    auto [opened, done] = listen<result<opened_session>>();
    w.manager->open_session({}, done);
    w.clock.settle();
    CHECK(opened->one().has_error());
    CHECK(w.events.count("task.uncertain") == 1);
    REQUIRE(w.manager->recovered().uncertain.size() == 1);
    CHECK(w.journal.open.size() == 1);
}
