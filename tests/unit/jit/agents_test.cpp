// Several agents in one daemon: each session is one agent's, and nothing of one is used for another.
#include "fakes.hpp"

using namespace jitproxy;
using namespace jitproxy::jit;
using namespace jitproxy::jit::test;

namespace {

task_manager_options two_agents() {
    task_manager_options o;
    o.agents = {{"reader", "agt_1"}, {"writer", "agt_2"}};
    return o;
}

session_order of_agent(std::string name) {
    session_order order;
    order.agent = std::move(name);
    return order;
}

}  // namespace

TEST_CASE("a session acts as the agent that it names, else as the first") {
    world w(two_agents());
    w.as.token.answers(token_of("agent-reader")).answers(token_of("agent-writer"));
    w.as.task.otherwise = [n = 0]() mutable { return task{"task-" + std::to_string(++n), {}}; };
    w.manager->start();
    w.clock.settle();
    CHECK(w.log == trace{"as token", "as token of agent 1"});
    auto const open = [&](session_order order) {
        auto [opened, done] = listen<result<opened_session>>();
        w.manager->open_session(std::move(order), done);
        w.clock.settle();
        return opened->one();
    };
    auto const first = open({});
    auto const reader = open(of_agent("reader"));
    auto const writer = open(of_agent("writer"));
    REQUIRE(first.has_value());
    REQUIRE(reader.has_value());
    REQUIRE(writer.has_value());
    CHECK(first->info.agent == "reader");
    CHECK(writer->info.agent == "writer");
    CHECK(shown(first->snapshot->bearer) == "agent-reader");
    CHECK(shown(reader->snapshot->bearer) == "agent-reader");
    CHECK(shown(writer->snapshot->bearer) == "agent-writer");
    CHECK(w.at("as task agent-writer") > 0);
    CHECK(w.journal.about.at(writer->info.session_id).agent == "agt_2");

    auto const unknown = open(of_agent("nobody"));
    REQUIRE(unknown.has_error());
    CHECK(unknown.error().code == errc::bad_argument);
    CHECK(unknown.error().detail == "no agent is named \"nobody\"; there are: \"reader\", \"writer\"");

    SECTION("a child is its parent's agent's") {
        session_order child;
        child.parent_session_id = writer->info.session_id;
        CHECK(open(child)->info.agent == "writer");
        child.agent = "reader";
        auto const foreign = open(child);
        REQUIRE(foreign.has_error());
        CHECK(foreign.error().code == errc::bad_argument);
    }
    SECTION("a new token is published in that agent's sessions only") {
        w.as.token.answers(token_of("agent-writer-2"));
        auto [fresh, done] = listen<result<snapshot_ptr>>();
        w.manager->bearer_refused(writer->info.session_id, writer->snapshot->bearer_generation, {}, done);
        w.clock.settle();
        CHECK(shown(fresh->one().value()->bearer) == "agent-writer-2");
        CHECK(shown(w.snapshots.latest.at(first->info.session_id)->bearer) == "agent-reader");
    }
    SECTION("the tokens of all are told") {
        auto const tokens = w.manager->agent_tokens();
        REQUIRE(tokens.size() == 2);
        CHECK(tokens[0].agent == "reader");
        CHECK(tokens[1].agent == "writer");
        CHECK(tokens[1].state == "live");
    }
    SECTION("a delegated token is made and revoked with the agent's own credentials") {
        w.as.delegated.answers(token_of("delegated-ann"));
        w.as.complete.answers(completion::completed);
        auto order = of_agent("writer");
        order.user_token = make_secret("user-ann");
        auto const session = open(order);
        REQUIRE(session.has_value());
        CHECK(w.at("as delegated user-ann agent-writer of agent 1") > 0);
        w.manager->close_session(session->info.session_id, [](result<session_info> const&) {});
        w.clock.settle();
        CHECK(w.at("as revoke delegated-ann of agent 1") > 0);
    }
    SECTION("a grant of one agent's session is of no use in another's, equal needs ask twice") {
        w.as.complete.answers(completion::completed);
        w.grant(first->info.session_id, "A", "scoped-1");
        w.grant(writer->info.session_id, "A", "scoped-2");
        CHECK(w.at("as ask agent-reader task-1") > 0);
        CHECK(w.at("as ask agent-writer task-3") > 0);
        w.manager->close_session(writer->info.session_id, [](result<session_info> const&) {});
        w.clock.settle();
        CHECK(w.at("as complete agent-writer task-3") > 0);
        CHECK(w.at("as revoke scoped-2 of agent 1") > 0);
    }
}

TEST_CASE("an agent whose credentials were mended gets its token at once, and those that have one keep it") {
    world w(two_agents());
    w.as.token.answers(token_of("agent-reader")).fails(errc::as_rejected);
    w.manager->start();
    w.clock.settle();
    CHECK(w.manager->agent_tokens()[1].state == "failed");
    w.as.token.answers(token_of("agent-writer"));
    w.manager->credentials_changed();
    w.clock.settle();
    CHECK(w.manager->agent_tokens()[1].state == "live");
    CHECK(w.as.token.calls() == 3);
}

TEST_CASE("tasks of an earlier life are completed by the agent that made them") {
    world w(two_agents());
    auto const then = w.clock.wall_now() - minutes(30);
    w.journal.left = {{"ses_a", "task-a", then, {}}, {"ses_b", "task-b", then, {}}, {"ses_c", "task-c", then, {}}};
    w.journal.left[1].about.agent = "agt_2";
    w.journal.left[2].about.agent = "agt_gone";
    for (auto const& t : w.journal.left) w.journal.open[t.session_id] = t.task_id;
    w.as.token.answers(token_of("agent-reader")).answers(token_of("agent-writer"));
    w.as.token.otherwise = [] { return token_of("later", seconds(24 * 3600)); };
    w.as.complete.answers(completion::completed).answers(completion::completed);
    w.manager->start();
    w.clock.settle();
    CHECK(w.at("as complete agent-reader task-a") > 0);
    CHECK(w.at("as complete agent-writer task-b") > 0);
    // Nobody here may complete the third: told, and kept in the journal for as long as it may live.
    CHECK(w.events.last("task.uncertain").session_id == "ses_c");
    CHECK(w.events.last("task.uncertain").data.at("reason").as_string() ==
          "its agent agt_gone is not configured any more");
    CHECK(w.journal.open.size() == 1);
    w.clock.advance(std::chrono::hours(24));
    CHECK(w.journal.open.empty());
}
