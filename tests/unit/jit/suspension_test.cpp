// Tasks that the authorization server suspends, and tokens that are revoked one by one.
#include "fakes.hpp"

using namespace jitproxy;
using namespace jitproxy::jit;
using namespace jitproxy::jit::test;

namespace {

auto const every = minutes(1);
error const suspended{errc::as_inactive, "the authorization server answered 400: Task suspended", 0};

task_manager_options evaluating() {
    return {.evaluate_every = every};
}
evaluation verdict(bool active, std::string reason = {}) {
    return {active, std::move(reason)};
}
void close(world& w, std::string const& id) {
    w.as.complete.answers(completion::completed);
    (void)w.close(id);
    w.clock.settle();
}

}  // namespace

TEST_CASE("an answer that says suspended suspends the session at once") {
    for (std::string const when : {"ask", "poll", "exchange", "evaluate"}) {
        INFO(when);
        world w(when == "evaluate" ? evaluating() : task_manager_options{});
        auto const id = w.open();
        (void)w.grant(id, "old", "scoped-old");
        if (when == "ask") w.as.ask.answers(suspended);
        if (when == "poll" || when == "evaluate") w.as.ask.answers(state_of("req-1", request_status::pending));
        if (when == "poll") w.as.poll.answers(suspended);
        if (when == "exchange") {
            w.as.ask.answers(state_of("req-1", request_status::approved));
            w.as.exchange.answers(suspended);
        }
        if (when == "evaluate") {
            w.as.poll.otherwise = [] { return state_of("req-1", request_status::pending); };
            w.as.evaluated.answers(suspended);
        }
        w.as.complete.holds();
        auto const waiting = w.ask(id);
        w.clock.advance(when == "evaluate" ? milliseconds(every) : milliseconds(1000));
        // Who waited is told by the proxy itself, with the reason.
        CHECK(waiting->one().status == permission_status::error);
        CHECK(waiting->one().instead == errc::as_inactive);
        CHECK(waiting->one().reason.find("Task suspended") != std::string::npos);
        CHECK(w.manager->live_grants() == 0);
        auto const snapshot = w.snapshots.latest.at(id);
        CHECK_FALSE(snapshot->accepts());
        CHECK(snapshot->grants.empty());
        CHECK(snapshot->bearer == nullptr);
        CHECK(snapshot->refusal().code == errc::as_inactive);
        CHECK(snapshot->refusal().detail.find("Task suspended") != std::string::npos);
        CHECK(w.events.count("session.suspended") == 1);
        CHECK(json::serialize(w.events.last("session.suspended").data).find("Task suspended") != std::string::npos);
        auto const after = w.ask(id);
        w.clock.settle();
        CHECK(after->one().instead == errc::as_inactive);
        // Then it is completed, and still known.
        w.as.complete.release(completion::completed);
        CHECK(w.manager->session(id)->status == session_status::completed);
        CHECK(w.journal.open.empty());
        CHECK(w.snapshots.latest.at(id)->refusal().code == errc::as_inactive);
    }
}

TEST_CASE("evaluation: again and again, and only its verdict counts") {
    world w(evaluating());
    auto const id = w.open();
    w.as.evaluated.answers(verdict(true)).fails(errc::as_unclear).fails(errc::as_rejected).answers(verdict(true));
    w.clock.advance(4 * every);
    CHECK(w.as.evaluated.calls() == 4);
    CHECK(w.manager->session(id)->status == session_status::open);
    CHECK(w.count("as evaluate agent-1 task-1") == 4);
    w.as.evaluated.answers(verdict(false, "risk too high"));
    w.as.complete.answers(completion::completed);
    w.clock.advance(every);
    CHECK(w.snapshots.latest.at(id)->refusal().detail == "this session is suspended: risk too high");
    w.clock.advance(10 * every);
    CHECK(w.as.evaluated.calls() == 5);
}

TEST_CASE("evaluation: off by itself, and over when the session closes") {
    SECTION("off") {
        world w;
        (void)w.open();
        w.clock.advance(minutes(30));
        CHECK(w.as.evaluated.calls() == 0);
    }
    SECTION("closed") {
        world w(evaluating());
        auto const id = w.open();
        close(w, id);
        w.clock.advance(10 * every);
        CHECK(w.as.evaluated.calls() == 0);
    }
    SECTION("closed while it is under way") {
        world w(evaluating());
        auto const id = w.open();
        w.as.evaluated.holds();
        w.clock.advance(every);
        w.as.complete.holds();
        (void)w.close(id);
        w.clock.settle();
        w.as.evaluated.release(verdict(false, "late"));
        CHECK(w.events.count("session.suspended") == 0);
        w.as.complete.release(completion::completed);
    }
}

TEST_CASE("a suspended automatic session is not replaced at once") {
    world w;
    w.as.token.answers(token_of("agent-1", seconds(3600)));
    w.as.task.answers(task{"task-1", {}}).answers(task{"task-2", {}});
    auto const ensure = [&] {
        auto [got, done] = listen<result<snapshot_ptr>>();
        w.manager->ensure_automatic_session(done);
        w.clock.settle();
        return got->one();
    };
    auto const id = (*ensure())->session_id;
    w.as.ask.answers(suspended);
    w.as.complete.answers(completion::completed);
    (void)w.ask(id);
    w.clock.settle();
    CHECK(w.snapshots.latest.empty());
    auto const refused = ensure();
    CHECK(refused.error().code == errc::as_inactive);
    CHECK(refused.error().detail.find("Task suspended") != std::string::npos);
    CHECK(refused.error().retry_after == 60);
    w.clock.advance(seconds(60));
    CHECK(ensure().has_value());
}

TEST_CASE("of many suspended sessions the latest are known") {
    world w;
    std::vector<std::string> ids;
    for (int i = 0; i != 103; ++i) {
        ids.push_back(w.open("task-" + std::to_string(i)));
        w.as.ask.answers(suspended);
        w.as.complete.answers(completion::completed);
        (void)w.ask(ids.back());
        w.clock.settle();
    }
    CHECK(w.snapshots.latest.size() == 100);
    CHECK(w.snapshots.latest.count(ids.front()) == 0);
    CHECK(w.snapshots.latest.count(ids.back()) == 1);
}

TEST_CASE("closing revokes each live scoped token besides completing the task") {
    SECTION("and the completion goes first") {
        world w;
        auto const id = w.open();
        auto const other = w.open("task-2");
        (void)w.grant(id, "A", "scoped-A");
        (void)w.grant(id, "B", "scoped-B");
        (void)w.grant(other, "A", "scoped-other");
        (void)w.grant(id, "short", "scoped-short", seconds(30));
        w.clock.advance(seconds(60));  // expired: nothing to revoke
        close(w, id);
        CHECK(w.count("as revoke") == 2);
        CHECK(w.at("as revoke scoped-A") > w.at("as complete agent-1 task-1"));
        CHECK(w.at("as revoke scoped-B") > w.at("as complete agent-1 task-1"));
    }
    SECTION("once, however often the completion is tried; a failure changes nothing") {
        world w;
        auto const id = w.open();
        (void)w.grant(id, "A", "scoped-A");
        w.as.revoked.fails(errc::as_unclear);
        w.as.complete.fails(errc::as_unclear).fails(errc::as_unclear).answers(completion::completed);
        auto const closed = w.close(id);
        w.clock.advance(seconds(10));
        CHECK(closed->one()->status == session_status::completed);
        CHECK(w.count("as revoke") == 1);
    }
    SECTION("not where it is not wanted") {
        world w({.revoke_tokens = false});
        auto const id = w.open();
        (void)w.grant(id, "A", "scoped-A");
        close(w, id);
        CHECK(w.count("as revoke") == 0);
    }
}
