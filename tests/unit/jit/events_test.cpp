// What is told of a session's life, and who brought it about: the audit trail is made of this.
#include "fakes.hpp"

using namespace jitproxy;
using namespace jitproxy::jit;
using namespace jitproxy::jit::test;

namespace {

actor const alice{actor::kind::peer, 1000, 100, 4711, "alice"};

std::vector<std::string> types(world const& w) {
    std::vector<std::string> out;
    for (auto const& e : w.events.all) out.push_back(e.type);
    return out;
}

}  // namespace

TEST_CASE("an actor as JSON") {
    CHECK(to_json({}) == json::object{{"kind", "daemon"}});
    CHECK(to_json({.who = actor::kind::session}) == json::object{{"kind", "session"}});
    CHECK(to_json({.who = actor::kind::control_token}) == json::object{{"kind", "control_token"}});
    CHECK(to_json({.who = actor::kind::authorization_server}) == json::object{{"kind", "authorization_server"}});
    CHECK(to_json(alice) ==
          json::object{{"kind", "peer"}, {"uid", 1000}, {"gid", 100}, {"pid", 4711}, {"user", "alice"}});
}

TEST_CASE("a session's life, from who opened it to who closed it") {
    world w;
    session_order order;
    order.who = alice;
    order.task.on_behalf_of = "bob";
    order.task.name = "report";
    auto const id = w.open("task-1", order);
    auto const granted = w.grant(id, "A", "scoped-A");
    w.manager->token_used(id, granted.grant_id);
    w.as.complete.answers(completion::completed);
    w.as.revoked.answers(result<void>{});
    w.manager->close_session(id, [](result<session_info> const&) {}, {.who = actor::kind::control_token});
    w.clock.settle();
    CHECK(types(w) == std::vector<std::string>{"session.opened", "request.asked", "request.granted", "token.used",
                                               "session.closing", "session.closed", "token.revoked"});
    auto const opened = w.events.last("session.opened");
    CHECK(opened.who.user == "alice");
    CHECK(opened.data.at("on_behalf_of") == "bob");
    CHECK(opened.data.at("name") == "report");
    auto const asked = w.events.last("request.asked");
    CHECK(asked.who.who == actor::kind::session);
    CHECK(asked.data.at("method") == "GET");
    CHECK(asked.data.at("url") == "https://api.example/A");
    CHECK(asked.data.at("authorization_details") == json::array{details_of("A")});
    auto const said = w.events.last("request.granted");
    CHECK(said.who.who == actor::kind::authorization_server);
    CHECK(said.data.at("grant_id") == json::value(granted.grant_id));
    CHECK(w.events.last("token.revoked").data.at("grant_id") == json::value(granted.grant_id));
    CHECK(w.events.last("session.closing").who.who == actor::kind::control_token);
    CHECK(w.events.last("session.closed").who.who == actor::kind::control_token);
}

TEST_CASE("the first use of a token is told once, by whoever sends it first") {
    world w;
    auto const id = w.open();
    auto const granted = w.grant(id, "A", "scoped-A");
    auto const again = w.ask(id, "A");
    w.clock.settle();
    auto const of_snapshot = w.snapshots.latest.at(id)->grants.all().begin()->second.used;
    CHECK(first_use(of_snapshot));
    CHECK_FALSE(first_use(of_snapshot));
    CHECK_FALSE(first_use(granted.used));
    CHECK_FALSE(first_use(again->one().used));
    CHECK_FALSE(first_use(nullptr));
    w.manager->token_used("ses_other", granted.grant_id);
    w.clock.settle();
    CHECK(w.events.count("token.used") == 0);
    w.manager->token_used(id, granted.grant_id);
    w.clock.settle();
    CHECK(w.events.count("token.used") == 1);
    CHECK(w.events.last("token.used").data.at("request_id") == "req-A");
}

TEST_CASE("the first use of a token is told also where its grant has ended meanwhile") {
    world w;
    auto const id = w.open();
    auto const granted = w.grant(id, "A", "scoped-A");
    w.manager->bearer_refused(id, 1, granted.grant_id, [](result<snapshot_ptr> const&) {});
    w.clock.settle();
    w.manager->token_used(id, granted.grant_id);
    w.clock.settle();
    REQUIRE(w.events.count("token.used") == 1);
    auto const told = w.events.last("token.used");
    CHECK(told.session_id == id);
    CHECK(told.data == json::object{{"grant_id", granted.grant_id}});
    CHECK(told.who.who == actor::kind::session);
}

TEST_CASE("what nobody waits for is told a moment after the answer, and before what is told at once") {
    world w({.tell_after = milliseconds(2)});
    auto const id = w.open();
    auto const granted = w.grant(id, "A", "scoped-A");
    w.manager->token_used(id, granted.grant_id);
    w.clock.settle();
    CHECK(types(w) == std::vector<std::string>{"session.opened"});
    CHECK(w.journal.settled.empty());
    w.clock.advance(milliseconds(2));
    std::vector<std::string> const escalation{"session.opened", "request.asked", "request.granted", "token.used"};
    CHECK(types(w) == escalation);
    CHECK(w.journal.settled.size() == 1);

    (void)w.grant(id, "B", "scoped-B");
    w.as.complete.answers(completion::completed);
    w.manager->close_session(
        id, [](result<session_info> const&) {}, alice);
    auto all = escalation;
    all.insert(all.end(), {"request.asked", "request.granted", "session.closing"});
    CHECK(types(w) == all);
    w.clock.settle();
    CHECK(w.journal.settled.size() == 2);
}

TEST_CASE("a stop tells what has not been told yet before it is done") {
    world w({.tell_after = milliseconds(2)});
    auto const id = w.open();
    auto const granted = w.grant(id, "A", "scoped-A");
    w.as.complete.answers(completion::completed);
    w.as.revoked.answers(result<void>{});
    bool done = false;
    w.manager->shut_down([&] {
        CHECK(w.events.count("token.used") == 1);
        done = true;
    });
    w.manager->token_used(id, granted.grant_id);
    w.clock.settle();
    CHECK(done);
}

TEST_CASE("an automatic session is opened by itself, and an idle one closed by the daemon") {
    world w({.idle_timeout = seconds(60)});
    w.as.token.answers(token_of("agent-1", seconds(3600)));
    w.as.task.answers(task{"task-1", std::nullopt});
    w.manager->ensure_automatic_session([](result<snapshot_ptr> const&) {});
    w.clock.settle();
    CHECK(w.events.last("session.opened").who.who == actor::kind::session);
    w.as.complete.answers(completion::completed);
    w.clock.advance(seconds(61));
    w.clock.settle();
    auto const closed = w.events.last("session.closed");
    CHECK(closed.who.who == actor::kind::daemon);
    CHECK(closed.data.at("reason") == "idle");
}

TEST_CASE("a refusal by local policy is told, and a flood of them counted") {
    world w({.requests_per_minute = 1});
    auto const id = w.open();
    (void)w.grant(id, "A", "scoped-A");
    auto const refuse = [&](int times) {
        for (int i = 0; i != times; ++i) (void)w.ask(id, "B");
        w.clock.settle();
    };
    refuse(1);
    auto const told = w.events.last("request.refused");
    CHECK(told.session_id == id);
    CHECK(told.data.at("url") == "https://api.example/B");
    CHECK(told.data.at("reason") == "too many new permission requests in this session within a minute");
    CHECK_FALSE(told.data.contains("more_refused_before"));
    refuse(69);
    CHECK(w.events.count("request.refused") == 60);
    w.clock.advance(seconds(30));
    (void)w.ask(id, "B");
    w.clock.settle();
    CHECK(w.events.count("request.refused") == 60);
}

TEST_CASE("a decision names who sent it, also where the AS does not take it") {
    world w;
    auto const id = w.open();
    w.as.ask.answers(state_of("req-A", request_status::pending));
    auto const outcome = w.ask(id);
    w.clock.settle();
    auto const ignore = [](result<request_info> const&) {};
    w.as.decision.answers(make_error(errc::as_rejected, "not yours"));
    w.manager->approve("req-A", make_secret("user-1"), "notes", ignore, alice);
    w.clock.settle();
    auto const failed = w.events.last("decision.approval_failed");
    CHECK(failed.who.pid == 4711);
    CHECK(failed.data.at("error") == "as_rejected");
    w.as.decision.answers(state_of("req-A", request_status::denied));
    w.manager->deny("req-A", make_secret("user-1"), "no", ignore, alice);
    w.clock.settle();
    auto const denied = w.events.last("decision.denied");
    CHECK(denied.who.uid == 1000);
    CHECK(denied.data.at("words") == "no");
    CHECK(outcome->one().status == permission_status::denied);
}

TEST_CASE("all events of a permission request have one id in common, whatever the authorization server calls it") {
    world w;
    auto const id = w.open();
    w.as.ask.answers(state_of("req-A", request_status::pending));
    (void)w.ask(id, "A");
    w.clock.settle();
    w.as.decision.answers(state_of("req-A", request_status::denied));
    w.manager->deny(
        "req-A", make_secret("user-1"), "no", [](result<request_info> const&) {}, alice);
    w.clock.settle();
    auto const local = std::string(w.events.last("request.asked").data.at("local_id").as_string());
    CHECK(local.starts_with("local-"));
    CHECK(w.events.last("request.pending").data.at("request_id") == "req-A");
    for (auto const* type : {"request.pending", "decision.denied", "request.denied"})
        CHECK(w.events.last(type).data.at("local_id") == json::value(local));
    REQUIRE(w.manager->requests().size() == 1);
    CHECK(w.manager->requests().front().local_id == local);
    w.as.ask.answers(state_of("req-B", request_status::pending));
    (void)w.ask(id, "B");
    w.clock.settle();
    CHECK(w.events.last("request.pending").data.at("local_id") != json::value(local));
}

TEST_CASE("where something stands against it, nothing is begun") {
    result<void> state;
    world w({.ready = [&state] { return state; }});
    auto const id = w.open();
    state = make_error(errc::storage, "the trail cannot be written");
    auto [opened, done] = listen<result<opened_session>>();
    w.manager->open_session({}, done);
    auto const asked = w.ask(id, "A");
    w.clock.settle();
    REQUIRE(opened->one().has_error());
    CHECK(opened->one().error().code == errc::storage);
    CHECK(asked->one().status == permission_status::error);
    CHECK(asked->one().reason == "the trail cannot be written");
    CHECK(w.as.ask.calls() == 0);
    w.as.complete.answers(completion::completed);
    CHECK(w.close(id)->values.empty());  // what ends is not held up
    w.clock.settle();
    CHECK(w.events.count("session.closed") == 1);
}
