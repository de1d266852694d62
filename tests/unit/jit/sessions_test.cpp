// Sessions through the task manager: opening, the automatic one, closing, families, idle time, trouble.
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
    CHECK(w.journal.open.size() == 1);
}

TEST_CASE("two sessions have secrets and ids of their own") {
    world w;
    auto const a = w.open("task-1");
    auto const b = w.open("task-2");
    CHECK(a != b);
    CHECK(w.snapshots.latest.at(a)->proxy_secret->reveal() != w.snapshots.latest.at(b)->proxy_secret->reveal());
    CHECK(w.manager->sessions().size() == 2);
    CHECK(w.as.token.calls() == 1);
}
