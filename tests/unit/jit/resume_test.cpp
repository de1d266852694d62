// Sessions that outlive the process.
#include "fakes.hpp"

using namespace jitproxy;
using namespace jitproxy::jit;
using namespace jitproxy::jit::test;

namespace {

auto const hash = std::make_shared<keyed_hash const>(make_secret("key"));

task_manager_options resuming() {
    task_manager_options o;
    o.resume = true;
    o.hash = hash;
    return o;
}

open_task left(world const& w, std::string const& name, std::string const& owner = "hand") {
    open_task t{"ses_" + name, "task-" + name, w.clock.wall_now() - minutes(5), {}};
    t.about.name = name;
    t.about.owner = owner;
    t.about.secret_hash = (*hash)("secret of " + name);
    return t;
}

open_permission waiting(world const& w, std::string const& what) {
    return {"https://api.example:443 " + canonical_json(details_of(what)),
            "acme",
            "because",
            w.clock.wall_now() - minutes(1),
            "req-" + what,
            "/status",
            "high",
            w.clock.wall_now() + minutes(30)};
}

}  // namespace

TEST_CASE("what is written of a session is enough to go on with it, and holds no secret") {
    world w(resuming());
    session_order order;
    order.task.name = "by hand";
    order.justification = "why";
    order.idle_timeout = minutes(7);
    auto const id = w.open("task-1", order);
    auto const about = w.journal.about.at(id);
    CHECK(about.owner == "hand");
    CHECK(about.name == "by hand");
    CHECK(about.justification == "why");
    CHECK(about.idle_timeout == minutes(7));
    CHECK(about.secret_hash == (*hash)(w.snapshots.latest.at(id)->proxy_secret->reveal()));
    w.as.ask.answers(state_of("req-A", request_status::pending));
    (void)w.ask(id);
    w.clock.settle();
    REQUIRE(w.journal.pending.size() == 1);
    auto const& p = w.journal.pending.begin()->second;
    CHECK(p.need == "https://api.example:443 " + canonical_json(details_of("A")));
    CHECK(p.request_id == "req-A");
    CHECK(p.api == "acme");
}

TEST_CASE("a session opened by hand goes on under its own credentials") {
    world w(resuming());
    w.journal.left = {left(w, "a")};
    w.as.token.holds();
    w.manager->start();
    w.clock.settle();
    auto const s = w.snapshots.latest.at("ses_a");
    CHECK(s->accepts());
    CHECK(s->has_secret("secret of a"));
    CHECK_FALSE(s->has_secret("secret of b"));
    CHECK_FALSE(s->has_secret(""));
    CHECK_FALSE(s->proxy_secret);
    CHECK_FALSE(s->bearer);
    CHECK(w.events.count("session.resumed") == 1);
    // Who comes before the first bearer waits for it.
    auto [got, done] = listen<result<snapshot_ptr>>();
    w.manager->bearer_refused("ses_a", s->bearer_generation, "", done);
    w.clock.settle();
    CHECK_FALSE(got->any());
    w.as.token.release(token_of("agent-1", seconds(3600)));
    CHECK(shown((*got->one())->bearer) == "agent-1");
    CHECK(shown(w.snapshots.latest.at("ses_a")->bearer) == "agent-1");
    (void)w.grant("ses_a", "A", "scoped-A");
    w.as.complete.answers(completion::completed);
    auto const closed = w.close("ses_a");
    w.clock.settle();
    CHECK(closed->one()->status == session_status::completed);
    CHECK(w.at("as complete agent-1 task-a") > 0);
}

TEST_CASE("what waited for a human is polled for again, and the agent's next attempt joins it") {
    world w(resuming());
    auto t = left(w, "a");
    t.pending = {waiting(w, "A"), waiting(w, "B")};
    w.journal.left = {t};
    w.as.token.answers(token_of("agent-1", seconds(3600)));
    w.manager->start();
    w.clock.settle();
    REQUIRE(w.manager->requests().size() == 2);
    CHECK(w.manager->requests()[0].status == "pending");
    CHECK(w.manager->requests()[0].justification == "because");
    auto const outcome = w.ask("ses_a", "A");
    w.clock.settle();
    CHECK(w.as.ask.calls() == 0);
    w.as.poll.answers(state_of("req-A", request_status::approved)).answers(state_of("req-B", request_status::denied));
    w.as.exchange.answers(token_of("scoped-A"));
    w.clock.advance(seconds(1));
    CHECK(outcome->one().status == permission_status::granted);
    CHECK(w.count("journal settled req-A granted") == 1);
    CHECK(w.count("journal settled req-B denied") == 1);
}

TEST_CASE("everything else is closed, with a reason") {
    world w(resuming());
    auto closing = left(w, "closing");
    closing.closing = true;
    auto expired = left(w, "expired");
    expired.expires_at = w.clock.wall_now();
    auto nameless = left(w, "nameless");
    nameless.about.secret_hash.clear();
    auto orphan = left(w, "orphan");
    orphan.about.parent_session_id = "ses_run";
    auto child = left(w, "child");
    child.about.parent_session_id = "ses_parent";
    w.journal.left = {left(w, "run", "run"),
                      left(w, "shared", "automatic"),
                      left(w, "user", "user"),
                      closing,
                      expired,
                      nameless,
                      orphan,
                      left(w, "parent"),
                      child};
    w.as.token.answers(token_of("agent-1", seconds(3600)));
    w.as.complete.otherwise = [] { return completion::completed; };
    w.manager->start();
    w.clock.settle();
    CHECK(w.snapshots.latest.size() == 2);
    CHECK(w.snapshots.latest.count("ses_parent") == 1);
    CHECK(w.snapshots.latest.count("ses_child") == 1);
    CHECK(w.journal.reasons ==
          std::map<std::string, std::string>{
              {"ses_run", "its command has ended"},
              {"ses_shared", "the proxy was restarted, and sessions of this kind are not taken up again"},
              {"ses_user", "the proxy was restarted, and sessions of this kind are not taken up again"},
              {"ses_closing", "it was being closed"},
              {"ses_expired", "its task has expired"},
              {"ses_nameless", "the proxy was restarted without its hash key"},
              {"ses_orphan", "its parent session was closed"}});
}

TEST_CASE("grants are written with their expiry, and why they were dropped") {
    world w;
    auto const id = w.open();
    auto const granted = w.grant(id, "A", "scoped-A", seconds(300));
    w.clock.settle();
    REQUIRE(w.journal.settled.size() == 1);
    CHECK(w.journal.settled[0].grant_id == granted.grant_id);
    CHECK(w.journal.settled[0].grant_expires_at == w.clock.wall_now() + seconds(300));
    auto [got, done] = listen<result<snapshot_ptr>>();
    w.manager->bearer_refused(id, 1, granted.grant_id, done);
    w.clock.settle();
    CHECK(w.journal.dropped == std::vector<std::string>{granted.grant_id + ": the API refused its token"});
}
