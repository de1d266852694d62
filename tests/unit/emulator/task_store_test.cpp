#include "jitproxy/emulator/task_store.hpp"

#include "catch.hpp"
#include "fixture.hpp"

using namespace jitproxy;
using namespace jitproxy::emulator;

namespace {

struct store_at {
    explicit store_at(task_settings settings = {}) : tasks([this] { return now; }, tokens, settings) {}

    wall_time now = test_start();
    token_store tokens{[this] { return now; }};
    task_store tasks;

    std::string open(std::string agent = "a", std::string parent = {}) {
        task t;
        t.agent = std::move(agent);
        t.parent = std::move(parent);
        auto const made = tasks.open(std::move(t));
        REQUIRE(made.has_value());
        return (*made)->id;
    }
    permission ask(std::string const& task, char const* action = "read", decision_mode mode = decision_mode::rules) {
        permission p;
        p.task = task;
        p.agent = "a";
        p.details = details_of("document", action);
        p.requested_ttl = seconds{300};
        auto const made = tasks.ask(std::move(p), mode);
        REQUIRE(made.has_value());
        return **made;
    }
    std::string code(outcome<permission const*> const& o) { return o ? "ok" : o.error().code; }
    std::string code(outcome<task const*> const& o) { return o ? "ok" : o.error().code; }
    std::string exchange(std::string const& id, std::string const& agent = "a") {
        auto const o = tasks.exchange(id, agent, task_store::second_exchange::refused);
        return o ? "ok" : o.error().code;
    }
    request_status status(std::string const& id) { return tasks.find_request(id)->status; }
    task_status state(std::string const& id) { return tasks.find_task(id)->status; }
    void advance(long n) {
        now += seconds{n};
        tasks.settle();
    }
};

}  // namespace

TEST_CASE("low and medium are approved at once, the rest waits for a human") {
    store_at s;
    auto const task = s.open();
    CHECK(s.ask(task, "read").status == request_status::approved);
    CHECK(s.ask(task, "write").status == request_status::approved);
    CHECK(s.ask(task, "delete").status == request_status::pending);
    CHECK(s.ask(task, "delete", decision_mode::approve).status == request_status::approved);
    CHECK(s.ask(task, "read", decision_mode::pending).status == request_status::pending);
    CHECK(s.ask(task, "read", decision_mode::deny).status == request_status::denied);
}

TEST_CASE("ownership is checked everywhere") {
    store_at s;
    auto const task = s.open();
    auto const request = s.ask(task);
    CHECK(s.code(s.tasks.owned_task("task_unknown", "a")) == "task_not_found");
    CHECK(s.code(s.tasks.owned_task(task, "b")) == "not_owner");
    CHECK(s.code(s.tasks.complete(task, "b")) == "not_owner");
    CHECK(s.code(s.tasks.owned_request("req_unknown", "a")) == "request_not_found");
    CHECK(s.code(s.tasks.owned_request(request.id, "b")) == "not_owner");
    CHECK(s.exchange(request.id, "b") == "not_owner");
    emulator::task foreign;
    foreign.agent = "b";
    foreign.parent = task;
    CHECK(s.code(s.tasks.open(foreign)) == "not_owner");
    foreign.parent = "task_unknown";
    CHECK(s.code(s.tasks.open(foreign)) == "task_not_found");
}

TEST_CASE("an approval is exchanged once, in time, by a task that is active") {
    store_at s;
    auto const task = s.open();
    auto const request = s.ask(task);
    SECTION("once") {
        CHECK(s.exchange(request.id) == "ok");
        CHECK(s.exchange(request.id) == "already_exchanged");
    }
    SECTION("twice, where the variant says so") {
        auto const first = s.tasks.exchange(request.id, "a", task_store::second_exchange::new_token);
        REQUIRE(first.has_value());
        auto const value = (*first)->value;
        auto const same = s.tasks.exchange(request.id, "a", task_store::second_exchange::same_token);
        REQUIRE(same.has_value());
        CHECK((*same)->value == value);
        auto const other = s.tasks.exchange(request.id, "a", task_store::second_exchange::new_token);
        REQUIRE(other.has_value());
        CHECK((*other)->value != value);
    }
    SECTION("in time") {
        s.advance(300);
        CHECK(s.exchange(request.id) == "approval_expired");
    }
    SECTION("before approval") {
        CHECK(s.exchange(s.ask(task, "delete").id) == "not_approved");
    }
    SECTION("after the task") {
        CHECK(s.code(s.tasks.complete(task, "a")) == "ok");
        CHECK(s.exchange(request.id) == "task_inactive");
    }
}

TEST_CASE("what is granted is bounded") {
    task_settings settings;
    SECTION("by what was asked for") {
        store_at s;
        CHECK(s.ask(s.open()).granted_ttl == seconds{300});
    }
    SECTION("by the flag") {
        settings.grant_ttl = seconds{7};
        store_at s{settings};
        CHECK(s.ask(s.open()).granted_ttl == seconds{7});
    }
    SECTION("by the human") {
        store_at s;
        auto const request = s.ask(s.open(), "delete");
        CHECK(s.code(s.tasks.approve(request.id, "human", seconds{20}, "")) == "ok");
        CHECK(s.tasks.find_request(request.id)->granted_ttl == seconds{20});
    }
    SECTION("by 900 seconds") {
        store_at s;
        auto const request = s.ask(s.open(), "delete");
        CHECK(s.code(s.tasks.approve(request.id, "human", seconds{5000}, "")) == "ok");
        CHECK(s.tasks.find_request(request.id)->granted_ttl == seconds{900});
    }
}

TEST_CASE("completing a task kills what it was granted, and only that") {
    store_at s;
    auto const one = s.open();
    auto const two = s.open();
    CHECK(s.exchange(s.ask(one).id) == "ok");
    CHECK(s.exchange(s.ask(one, "write").id) == "ok");
    CHECK(s.exchange(s.ask(two).id) == "ok");
    auto const waiting = s.ask(one, "delete");
    REQUIRE(s.tokens.live().size() == 3);
    CHECK(s.code(s.tasks.complete(one, "a")) == "ok");
    CHECK(s.tokens.live().size() == 1);
    CHECK(s.status(waiting.id) == request_status::expired);
    CHECK(s.code(s.tasks.approve(waiting.id, "human", std::nullopt, "")) == "already_decided");
    CHECK(s.code(s.tasks.complete(one, "a")) == "task_completed");
    permission late;
    late.task = one;
    late.agent = "a";
    CHECK(s.code(s.tasks.ask(late, decision_mode::approve)) == "task_inactive");
    emulator::task child;
    child.agent = "a";
    child.parent = one;
    CHECK(s.code(s.tasks.open(child)) == "task_inactive");
}

TEST_CASE("nobody decides: the request expires") {
    store_at s;
    auto const request = s.ask(s.open(), "delete");
    s.advance(299);
    CHECK(s.status(request.id) == request_status::pending);
    s.advance(1);
    CHECK(s.status(request.id) == request_status::expired);
    CHECK(s.code(s.tasks.deny(request.id, "human", "")) == "already_decided");
}

TEST_CASE("the stand-in human decides after a while") {
    task_settings settings;
    settings.auto_after = seconds{10};
    SECTION("approves") {
        store_at s{settings};
        auto const request = s.ask(s.open(), "delete");
        s.advance(9);
        CHECK(s.status(request.id) == request_status::pending);
        s.advance(1);
        CHECK(s.status(request.id) == request_status::approved);
        CHECK(s.exchange(request.id) == "ok");
    }
    SECTION("denies") {
        settings.auto_approves = false;
        store_at s{settings};
        auto const request = s.ask(s.open(), "delete");
        s.advance(10);
        CHECK(s.status(request.id) == request_status::denied);
    }
    SECTION("too late") {
        settings.request_expiry = seconds{5};
        store_at s{settings};
        auto const request = s.ask(s.open(), "delete");
        s.advance(60);
        CHECK(s.status(request.id) == request_status::expired);
    }
}

TEST_CASE("a task's own time runs out") {
    task_settings settings;
    settings.task_ttl = seconds{100};
    store_at s{settings};
    auto const task = s.open();
    CHECK(s.exchange(s.ask(task).id) == "ok");
    s.advance(99);
    CHECK(s.state(task) == task_status::active);
    REQUIRE(s.tokens.live().size() == 1);
    s.advance(1);
    CHECK(s.state(task) == task_status::expired);
    CHECK(s.tokens.live().empty());
    CHECK(s.code(s.tasks.complete(task, "a")) == "ok");
}

TEST_CASE("repeated denials escalate, then suspend, and everything dies at once") {
    store_at s;
    auto const task = s.open();
    CHECK(s.exchange(s.ask(task).id) == "ok");
    for (int i = 1; i <= 2; ++i) {
        auto const request = s.ask(task, "delete");
        CHECK(s.code(s.tasks.deny(request.id, "human", "no")) == "ok");
        CHECK(s.tasks.find_task(task)->denials == i);
        CHECK(s.state(task) == task_status::active);
    }
    auto const read = s.ask(task, "read");
    CHECK(read.risk == risk_level::critical);
    REQUIRE(read.status == request_status::pending);
    auto const other = s.ask(task, "delete");
    REQUIRE(s.tokens.live().size() == 1);
    CHECK(s.code(s.tasks.deny(read.id, "human", "no")) == "ok");
    CHECK(s.state(task) == task_status::suspended);
    CHECK(s.tokens.live().empty());
    CHECK(s.status(other.id) == request_status::expired);
    CHECK(s.tasks.find_task(task)->events.back().type == "session-revoked");
}
