// What happens between a record's being given to the journal and its being written.
#include "fakes.hpp"

using namespace jitproxy;
using namespace jitproxy::jit;
using namespace jitproxy::jit::test;

namespace {

struct slow_world : world {
    slow_world() {
        as.token.answers(token_of("agent-1", seconds(3600)));
        manager->start();
        clock.settle();
        log.clear();
        journal.holds = true;
    }
    told_ptr<result<opened_session>> begin(session_order order = {}) {
        auto [opened, done] = listen<result<opened_session>>();
        manager->open_session(std::move(order), done);
        clock.settle();
        return opened;
    }
    void write_one() {
        journal.write_one();
        clock.settle();
    }
    std::string open_session() {
        as.task.answers(task{"task-1", {}});
        auto const opened = begin();
        journal.write_all();
        log.clear();
        return opened->one()->info.session_id;
    }
};

}  // namespace

TEST_CASE("the AS is told nothing, and nobody is answered, before the journal has written") {
    slow_world w;
    w.as.task.answers(task{"task-1", {}});
    auto const opened = w.begin();
    CHECK(w.log.empty());
    w.write_one();
    CHECK(w.log == trace{"journal opening", "as task agent-1"});
    CHECK_FALSE(opened->any());  // its id is not written yet
    CHECK(w.snapshots.all.empty());
    w.write_one();
    CHECK(w.at("journal opened task-1") < w.at("publish accepting"));
    auto const id = opened->one()->info.session_id;

    w.log.clear();
    w.as.ask.answers(state_of("req-A", request_status::approved));
    w.as.exchange.answers(token_of("scoped-A"));
    auto const outcome = w.ask(id);
    auto const joined = w.ask(id);
    w.clock.advance(minutes(1));  // however long it takes
    CHECK(w.log.empty());
    CHECK(w.journal.queued() == 1);
    w.write_one();
    CHECK(w.count("as ask") == 1);
    // What has been granted is used at once; its record follows.
    CHECK(outcome->one().status == permission_status::granted);
    CHECK(joined->one().status == permission_status::granted);
    CHECK(w.count("journal settled") == 0);
    w.write_one();
    CHECK(w.count("journal settled req-A granted") == 1);
}

TEST_CASE("a session that is closed while the journal writes its opening never comes to be") {
    slow_world w;
    auto const opened = w.begin();
    auto const closed = w.close(w.manager->sessions().at(0).session_id);
    w.clock.settle();
    CHECK_FALSE(closed->any());
    SECTION("it is written") {
        w.journal.write_all();
        CHECK(opened->one().error().code == errc::shutting_down);
        CHECK(w.log == trace{"journal opening", "journal closed"});
    }
    SECTION("it is not") {
        w.journal.failing = {"opening"};
        w.journal.write_all();
        CHECK(opened->one().error().code == errc::storage);
        CHECK(w.log.empty());
    }
    CHECK(closed->one()->status == session_status::failed);
    CHECK(w.journal.open.empty());
    CHECK(w.as.task.calls() == 0);
}

TEST_CASE("a session that is closed while the journal writes its task's id is completed") {
    slow_world w;
    w.as.task.answers(task{"task-1", {}});
    auto const opened = w.begin();
    w.write_one();
    auto const closed = w.close(w.manager->sessions().at(0).session_id);
    w.clock.settle();
    CHECK(w.count("as complete") == 0);
    w.as.complete.answers(completion::completed);
    SECTION("it is written") {
        w.write_one();
        CHECK(opened->one().error().code == errc::shutting_down);
    }
    SECTION("it is not") {
        w.journal.failing = {"opened"};
        w.write_one();
        CHECK(opened->one().error().code == errc::storage);
        CHECK(w.events.count("journal.failed") == 1);
    }
    CHECK(w.count("publish") == 0);
    // Confirmed by the AS: nobody waits for the record of that.
    CHECK(closed->one()->status == session_status::completed);
    CHECK(w.journal.open.size() == 1);
    w.journal.write_all();
    CHECK(w.journal.open.empty());
}

TEST_CASE("equal needs join the request that the journal is writing, and a closing session ends it") {
    slow_world w;
    auto const id = w.open_session();
    auto const first = w.ask(id);
    auto const second = w.ask(id);
    w.clock.settle();
    CHECK(w.journal.queued() == 1);
    CHECK(w.manager->requests().at(0).status == "pending");
    w.as.complete.answers(completion::completed);
    (void)w.close(id);
    w.clock.settle();
    for (auto const& outcome : {first, second}) CHECK(outcome->one().reason == "session closed");
    SECTION("it is written") {}
    SECTION("it is not") {
        w.journal.failing = {"asking"};
    }
    w.journal.write_all();
    CHECK(w.as.ask.calls() == 0);
    CHECK(w.journal.open.empty());
}

TEST_CASE("a permission that cannot be written is not asked for, and may be tried again") {
    slow_world w;
    auto const id = w.open_session();
    w.journal.failing = {"asking"};
    auto const outcome = w.ask(id);
    w.journal.write_all();
    CHECK(outcome->one().status == permission_status::error);
    CHECK(outcome->one().reason == "disk full");
    CHECK(w.as.ask.calls() == 0);
    CHECK(w.count("journal settled") == 0);
    w.journal.failing.clear();
    w.as.ask.answers(state_of("req-A", request_status::approved));
    w.as.exchange.answers(token_of("scoped-A"));
    auto const again = w.ask(id);
    w.journal.write_all();
    CHECK(again->one().status == permission_status::granted);
}

TEST_CASE("the automatic session is opened once for all who ask while the journal writes") {
    slow_world w;
    auto [first, tell_first] = listen<result<snapshot_ptr>>();
    auto [second, tell_second] = listen<result<snapshot_ptr>>();
    w.manager->ensure_automatic_session(tell_first);
    w.clock.settle();
    w.manager->ensure_automatic_session(tell_second);
    CHECK(w.journal.queued() == 1);
    w.as.task.answers(task{"task-1", {}});
    w.journal.write_all();
    CHECK(first->one().value()->session_id == second->one().value()->session_id);
}

TEST_CASE("shutting down waits for the opening that the journal is writing") {
    slow_world w;
    auto const opened = w.begin();
    int down = 0;
    w.manager->shut_down([&] { ++down; });
    w.clock.settle();
    CHECK(down == 0);
    w.journal.write_all();
    CHECK(down == 1);
    CHECK(opened->one().error().code == errc::shutting_down);
    CHECK(w.as.task.calls() == 0);
}

TEST_CASE("a journal that answers when the manager is gone does no harm") {
    slow_world w;
    auto const id = w.open_session();
    auto const outcome = w.ask(id);
    auto const opened = w.begin();
    w.manager.reset();
    w.journal.write_all();
    CHECK_FALSE(outcome->any());
    CHECK_FALSE(opened->any());
}
