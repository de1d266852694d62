#include "jitproxy/emulator/token_store.hpp"

#include "catch.hpp"
#include "fixture.hpp"

using namespace jitproxy;
using namespace jitproxy::emulator;

namespace {

struct tokens_at {
    wall_time now = test_start();
    token_store tokens{[this] { return now; }};

    std::string issue(token_kind kind, std::string task = {}) {
        token t;
        t.kind = kind;
        t.agent = "agt_demo";
        t.task = std::move(task);
        return tokens.issue(std::move(t), seconds{60}).value;
    }
};

}  // namespace

TEST_CASE("tokens are told apart by their prefix and differ from each other") {
    tokens_at at;
    auto const agent = at.issue(token_kind::agent);
    auto const delegated = at.issue(token_kind::delegated);
    auto const jit = at.issue(token_kind::jit, "task_1");
    CHECK(agent.starts_with("emu_agent_"));
    CHECK(delegated.starts_with("emu_deleg_"));
    CHECK(jit.starts_with("emu_jit_"));
    CHECK(at.issue(token_kind::agent) != agent);
    CHECK(agent.size() > 40);
}

TEST_CASE("a token dies when its time is over, not before") {
    tokens_at at;
    auto const value = at.issue(token_kind::agent);
    at.now += seconds{59};
    REQUIRE(at.tokens.find_live(value) != nullptr);
    at.now += seconds{1};
    CHECK(at.tokens.find_live(value) == nullptr);
    CHECK(at.tokens.find(value) != nullptr);  // still known, so that its use is recognised
    CHECK(at.tokens.live().empty());
}

TEST_CASE("revoking by value, by task and by kind") {
    tokens_at at;
    auto const agent = at.issue(token_kind::agent);
    auto const one = at.issue(token_kind::jit, "task_1");
    auto const two = at.issue(token_kind::jit, "task_2");
    SECTION("value") {
        CHECK(at.tokens.revoke(one));
        CHECK_FALSE(at.tokens.revoke("emu_jit_unknown"));
        CHECK(at.tokens.find_live(one) == nullptr);
        CHECK(at.tokens.live().size() == 2);
    }
    SECTION("task") {
        CHECK(at.tokens.revoke_task("task_1") == 1);
        CHECK(at.tokens.revoke_task("task_1") == 0);
        CHECK(at.tokens.find_live(one) == nullptr);
        CHECK(at.tokens.find_live(two) != nullptr);
        CHECK(at.tokens.find_live(agent) != nullptr);
        CHECK(at.tokens.live_of_task("task_2").size() == 1);
    }
    SECTION("kind") {
        CHECK(at.tokens.revoke_kind(token_kind::jit) == 2);
        CHECK(at.tokens.live().size() == 1);
    }
}

TEST_CASE("users' tokens never expire, are not listed, and outlive a reset") {
    tokens_at at;
    at.tokens.add_user("user_a", "user_a", true);
    at.issue(token_kind::agent);
    at.now += seconds{1'000'000};
    REQUIRE(at.tokens.find_live("user_a") != nullptr);
    CHECK(at.tokens.find_live("user_a")->approver);
    CHECK(at.tokens.live().empty());
    at.tokens.clear();
    CHECK(at.tokens.find_live("user_a") != nullptr);
}
