// The bearer of sessions: renewed early, renewed when refused, and the delegated one of sessions that act for a user.
#include "fakes.hpp"

using namespace jitproxy;
using namespace jitproxy::jit;
using namespace jitproxy::jit::test;

namespace {

told_ptr<result<snapshot_ptr>> refused(world& w, std::string const& session, std::uint64_t generation,
                                       std::string const& grant = {}) {
    auto [got, done] = listen<result<snapshot_ptr>>();
    w.manager->bearer_refused(session, generation, grant, done);
    CHECK_FALSE(got->any());
    return got;
}

}  // namespace

TEST_CASE("a renewed agent token reaches every session's workers") {
    world w;
    w.as.token.answers(token_of("agent-1", seconds(600)));
    auto const a = w.open("task-1");
    auto const b = w.open("task-2");
    w.as.token.answers(token_of("agent-2", seconds(6000)));
    w.clock.advance(seconds(480));  // 80 % of its life
    for (auto const& id : {a, b}) {
        CHECK(shown(w.snapshots.latest.at(id)->bearer) == "agent-2");
        CHECK(w.snapshots.latest.at(id)->bearer_generation == 2);
    }
    CHECK(w.as.token.calls() == 2);
}

TEST_CASE("start fetches the agent's token before anybody needs it") {
    world w;
    w.as.token.holds();
    CHECK(w.manager->agent_tokens().front().state == "none");
    w.manager->start();
    w.clock.settle();
    CHECK(w.manager->agent_tokens().front().state == "fetching");
    w.as.token.release(token_of("agent-1", seconds(600)));
    CHECK(w.manager->agent_tokens().front().state == "live");
    CHECK(w.manager->agent_tokens().front().expires_at == w.clock.wall_now() + seconds(600));
}

TEST_CASE("a bearer that an API refused is fetched once for all who say so") {
    world w;
    auto const id = w.open();
    w.as.token.holds();
    std::vector<told_ptr<result<snapshot_ptr>>> all;
    for (int i = 0; i != 20; ++i) all.push_back(refused(w, id, 1));
    w.clock.settle();
    CHECK(w.as.token.calls() == 2);
    w.as.token.release(token_of("agent-2"));
    for (auto const& got : all) {
        REQUIRE(got->one().has_value());
        CHECK(shown((*got->one())->bearer) == "agent-2");
        CHECK((*got->one())->bearer_generation == 2);
    }
    // Late news of the old one cost nothing.
    auto const late = refused(w, id, 1);
    w.clock.settle();
    CHECK(shown((*late->one())->bearer) == "agent-2");
    CHECK(w.as.token.calls() == 2);
}

TEST_CASE("an API that refuses every token does not cost one for each request") {
    world w;
    auto const id = w.open();
    w.as.token.answers(token_of("agent-2", seconds(3600)));
    std::uint64_t generation = 1;
    for (int i = 0; i != 10; ++i) {
        auto const got = refused(w, id, generation);
        w.clock.advance(seconds(1));
        REQUIRE(got->one().has_value());
        generation = (*got->one())->bearer_generation;
        CHECK(generation == 2);
    }
    CHECK(w.as.token.calls() == 2);
    w.as.token.answers(token_of("agent-3", seconds(3600)));
    w.clock.advance(seconds(5));
    auto const got = refused(w, id, generation);
    w.clock.settle();
    CHECK(shown((*got->one())->bearer) == "agent-3");
}

TEST_CASE("a refused bearer that cannot be renewed") {
    world w;
    auto const id = w.open();
    w.as.token.fails(errc::as_unreachable);
    auto const got = refused(w, id, 1);
    w.clock.settle();
    CHECK(got->one().error().code == errc::as_unreachable);
    CHECK(refused(w, "ses_other", 1)->values.empty());
    auto const other = refused(w, "ses_other", 1);
    w.as.token.answers(token_of("agent-2"));
    w.clock.advance(seconds(2));
    CHECK(other->one().error().code == errc::shutting_down);
    CHECK(shown(w.snapshots.latest.at(id)->bearer) == "agent-2");
}

TEST_CASE("a refused grant is dropped, and only by its own session") {
    world w;
    auto const a = w.open("task-1");
    auto const b = w.open("task-2");
    auto const granted = w.grant(a, "A", "scoped-A");
    CHECK(w.snapshots.latest.at(a)->grants.size() == 1);
    auto const wrong = refused(w, b, 1, granted.grant_id);
    w.clock.settle();
    CHECK((*wrong->one())->session_id == b);
    CHECK(w.manager->live_grants() == 1);
    auto const got = refused(w, a, 1, granted.grant_id);
    w.clock.settle();
    REQUIRE(got->one().has_value());
    CHECK((*got->one())->grants.empty());
    CHECK(w.snapshots.latest.at(a)->grants.empty());
    CHECK(w.manager->live_grants() == 0);
    CHECK(w.as.token.calls() == 1);
    auto const again = refused(w, a, 1, granted.grant_id);
    w.clock.settle();
    CHECK(again->one().has_value());
}

TEST_CASE("a session that acts for a user has a token of its own, for JIT calls and APIs") {
    world w;
    session_order order;
    order.task.on_behalf_of = "ann";
    order.user_token = make_secret("user-ann");
    w.as.delegated.answers(token_of("delegated-1", seconds(600)));
    auto const ann = w.open("task-1", order);
    auto const plain = w.open("task-2");
    w.as.delegated.otherwise = [] { return make_error(errc::as_unreachable); };
    CHECK(w.at("as delegated user-ann agent-1") == 1);
    CHECK(w.at("as task delegated-1") > 0);
    CHECK(shown(w.snapshots.latest.at(ann)->bearer) == "delegated-1");
    CHECK(shown(w.snapshots.latest.at(plain)->bearer) == "agent-1");

    SECTION("permission is asked for with it") {
        (void)w.grant(ann, "A", "scoped-A");
        CHECK(w.at("as ask delegated-1 task-1") > 0);
        CHECK(w.at("as exchange delegated-1 req-A") > 0);
    }
    SECTION("it is renewed early") {
        w.as.delegated.answers(token_of("delegated-2", seconds(6000)));
        w.clock.advance(seconds(480));
        CHECK(shown(w.snapshots.latest.at(ann)->bearer) == "delegated-2");
        CHECK(shown(w.snapshots.latest.at(plain)->bearer) == "agent-1");
    }
    SECTION("it is renewed when refused") {
        w.as.delegated.answers(token_of("delegated-2"));
        auto const got = refused(w, ann, 1);
        w.clock.settle();
        CHECK(shown((*got->one())->bearer) == "delegated-2");
        CHECK(w.as.token.calls() == 1);
    }
    SECTION("it is revoked when the session has closed") {
        w.as.complete.answers(completion::completed);
        auto const closed = w.close(ann);
        w.clock.settle();
        CHECK(closed->one()->status == session_status::completed);
        CHECK(w.at("as revoke delegated-1") > w.at("as complete delegated-1 task-1"));
        CHECK(w.count("as revoke") == 1);
    }
    SECTION("where it is dead the agent's own completes the task") {
        w.as.delegated.fails(errc::as_rejected);
        w.as.complete.fails(errc::as_unauthorized).answers(completion::completed);
        auto const closed = w.close(ann);
        w.clock.advance(seconds(2));
        CHECK(closed->one()->status == session_status::completed);
        CHECK(w.at("as complete agent-1 task-1") > 0);
    }
}

TEST_CASE("a user's token that the AS does not take: no session") {
    world w;
    w.as.token.answers(token_of("agent-1"));
    w.as.delegated.fails(errc::as_rejected);
    session_order order;
    order.user_token = make_secret("user-ann");
    auto [opened, done] = listen<result<opened_session>>();
    w.manager->open_session(order, done);
    w.clock.settle();
    CHECK(opened->one().error().code == errc::as_rejected);
    CHECK(w.journal.open.empty());
}
