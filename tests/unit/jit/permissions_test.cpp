// Permission requests through the task manager: joining, granting, refusing, waiting.
#include "fakes.hpp"

using namespace jitproxy;
using namespace jitproxy::jit;
using namespace jitproxy::jit::test;

TEST_CASE("permission: journal, AS, exchange, ledger, answer") {
    world w;
    auto const id = w.open();
    w.log.clear();
    auto const outcome = w.grant(id, "A", "scoped-A");
    CHECK(shown(outcome.token) == "scoped-A");
    CHECK_FALSE(outcome.grant_id.empty());
    CHECK(outcome.request_id == "req-A");
    CHECK_FALSE(outcome.cached);
    CHECK(w.log == trace{R"(journal asking https://api.example:443 {"identifier":"A","type":"document"})",
                         "as ask agent-1 task-1", "as exchange agent-1 req-A", "publish accepting grants=1 agent-1",
                         "journal settled req-A granted"});
    REQUIRE(w.as.orders.size() == 1);
    auto const& order = w.as.orders.front();
    CHECK(order.task_id == "task-1");
    CHECK(order.authorization_details == details_of("A"));
    CHECK(order.requested_ttl == seconds(300));
    CHECK(order.justification == "GET https://api.example/A");
    auto const& bearer = w.snapshots.latest.at(id)->grants.at("GET https://api.example:443/A?q=1");
    CHECK(shown(bearer.token) == "scoped-A");
    CHECK(bearer.grant_id == outcome.grant_id);
    CHECK(w.manager->session(id)->live_grants == 1);
    CHECK(w.manager->session(id)->pending_requests == 0);
    REQUIRE(w.manager->requests().size() == 1);
    auto const info = w.manager->requests().front();
    CHECK(info.request_id == "req-A");
    CHECK(info.session_id == id);
    CHECK(info.api == "acme");
    CHECK(info.status == "granted");
    CHECK(info.risk_level == "high");
    CHECK(info.authorization_details == json::array{details_of("A")});
    CHECK(info.created_at == w.clock.wall_now());
    auto const told = w.events.last("request.granted");
    CHECK(told.session_id == id);
    CHECK(told.data.at("request_id").as_string() == "req-A");
    CHECK(told.data.at("authorization_details").as_array().size() == 1);
}

TEST_CASE("fifty with one need make one request") {
    world w;
    auto const id = w.open();
    w.as.ask.holds();
    std::vector<told_ptr<permission_outcome>> all;
    for (int i = 0; i != 50; ++i) {
        auto n = w.need(id);
        n.resource += std::to_string(i);
        all.push_back(w.ask(n));
    }
    // The order of members makes no difference.
    auto other = w.need(id);
    other.details = {json::object{{"identifier", "A"}, {"type", "document"}}};
    all.push_back(w.ask(other));
    w.clock.settle();
    w.as.exchange.answers(token_of("scoped-A"));
    w.as.ask.release(state_of("req-1", request_status::approved));
    for (auto const& outcome : all) {
        CHECK(outcome->one().status == permission_status::granted);
        CHECK(outcome->one().grant_id == all.front()->one().grant_id);
        CHECK_FALSE(outcome->one().cached);
    }
    CHECK(w.as.ask.calls() == 1);
    CHECK(w.manager->live_grants() == 1);
    // Each one's resource is served from now on.
    CHECK(w.snapshots.latest.at(id)->grants.size() == 51);
}

TEST_CASE("different needs, origins and sessions never share a request") {
    world w;
    auto const a = w.open("task-1");
    auto const b = w.open("task-2");
    w.as.ask.holds().holds().holds().holds();
    auto elsewhere = w.need(a);
    elsewhere.origin = "https://api.example:8443";
    elsewhere.resource = "GET https://api.example:8443/A?q=1";
    std::vector<told_ptr<permission_outcome>> const all{w.ask(a, "A"), w.ask(a, "B"), w.ask(elsewhere), w.ask(b, "A")};
    w.clock.settle();
    CHECK(w.as.ask.calls() == 4);
    for (int i = 0; i != 4; ++i) {
        w.as.exchange.answers(token_of("scoped-" + std::to_string(i)));
        w.as.ask.release(state_of("req-" + std::to_string(i), request_status::approved));
    }
    for (std::size_t i = 0; i != 4; ++i) CHECK(shown(all[i]->one().token) == "scoped-" + std::to_string(i));
    auto const& grants_a = w.snapshots.latest.at(a)->grants;
    auto const& grants_b = w.snapshots.latest.at(b)->grants;
    CHECK(grants_a.size() == 3);
    REQUIRE(grants_b.size() == 1);
    CHECK(shown(grants_b.begin()->second.token) == "scoped-3");
    for (auto const& [resource, bearer] : grants_a) CHECK(shown(bearer.token) != "scoped-3");
    CHECK(shown(grants_a.at("GET https://api.example:8443/A?q=1").token) == "scoped-2");
}

TEST_CASE("equal needs later are served by the grant, until shortly before it expires") {
    world w;
    auto const id = w.open();
    auto const first = w.grant(id, "A", "scoped-A", seconds(100));  // usable for 90 s
    auto n = w.need(id);
    n.resource = "GET https://api.example:443/other";
    w.clock.advance(seconds(89));
    auto const again = w.ask(n);
    w.clock.settle();
    CHECK(again->one().status == permission_status::granted);
    CHECK(again->one().cached);
    CHECK(again->one().grant_id == first.grant_id);
    CHECK(again->one().request_id == "req-A");
    CHECK(w.as.ask.calls() == 1);
    CHECK(w.snapshots.latest.at(id)->grants.count(n.resource) == 1);
    CHECK(w.snapshots.latest.at(id)->grants.size() == 2);
    w.clock.advance(seconds(1));
    CHECK(w.manager->live_grants() == 0);
    CHECK(w.snapshots.latest.at(id)->grants.empty());
    auto const fresh = w.grant(id, "A", "scoped-B", seconds(100));
    CHECK(fresh.grant_id != first.grant_id);
}

TEST_CASE("a grant that the API did not find enough is not handed out again") {
    world w;
    auto const id = w.open();
    auto const first = w.grant(id, "A", "scoped-A");
    auto n = w.need(id);
    n.refused_grant = first.grant_id;
    w.as.ask.answers(state_of("req-2", request_status::approved));
    w.as.exchange.answers(token_of("scoped-B"));
    auto const second = w.ask(n);
    CHECK(w.snapshots.latest.at(id)->grants.empty());
    w.clock.settle();
    CHECK(shown(second->one().token) == "scoped-B");
    // One that was refused for other needs stays.
    auto other = w.need(id, "B");
    other.refused_grant = second->one().grant_id;
    w.as.ask.answers(state_of("req-3", request_status::approved));
    w.as.exchange.answers(token_of("scoped-C"));
    (void)w.ask(other);
    w.clock.settle();
    CHECK(w.manager->live_grants() == 2);
    // And who names an old one gets the one that replaced it.
    auto const third = w.ask(n);
    w.clock.settle();
    CHECK(third->one().cached);
    CHECK(shown(third->one().token) == "scoped-B");
}

TEST_CASE("an array is asked for member by member") {
    world w;
    auto const id = w.open();
    auto n = w.need(id);
    n.details = {details_of("A"), details_of("B"), details_of("A")};
    SECTION("all granted") {
        w.as.ask.answers(state_of("req-A", request_status::approved))
            .answers(state_of("req-B", request_status::approved));
        w.as.exchange.answers(token_of("scoped-A")).answers(token_of("scoped-B"));
        auto const outcome = w.ask(n);
        w.clock.settle();
        CHECK(outcome->one().status == permission_status::granted);
        CHECK(w.as.ask.calls() == 2);
        CHECK(w.manager->live_grants() == 2);
    }
    SECTION("one denied: the answer does not wait for the other") {
        w.as.ask.holds().answers(state_of("req-B", request_status::denied, "no"));
        auto const outcome = w.ask(n);
        w.clock.settle();
        CHECK(outcome->one().status == permission_status::denied);
        CHECK(outcome->one().request_id == "req-B");
        w.as.exchange.answers(token_of("scoped-A"));
        w.as.ask.release(state_of("req-A", request_status::approved));
        CHECK(outcome->values.size() == 1);
        CHECK(w.manager->live_grants() == 1);
    }
    SECTION("one is there already") {
        (void)w.grant(id, "A", "scoped-A");
        w.as.ask.answers(state_of("req-B", request_status::approved));
        w.as.exchange.answers(token_of("scoped-B"));
        n.details = {details_of("A"), details_of("B")};
        auto const outcome = w.ask(n);
        w.clock.settle();
        CHECK(shown(outcome->one().token) == "scoped-B");
        CHECK_FALSE(outcome->one().cached);
    }
}

TEST_CASE("policy decides what may be asked for; the AS is not told") {
    world w;
    auto const id = w.open();
    policy::api strict;
    strict.name = "acme";
    strict.types = {"report"};
    auto n = w.need(id);
    n.api = std::make_shared<policy::api const>(strict);
    auto mixed = n;
    mixed.details = {json::object{{"type", "report"}}, details_of("A")};
    auto elsewhere = w.need(id);
    elsewhere.details = {json::object{{"type", "document"}, {"locations", json::array{"https://evil.example/"}}}};
    auto nothing = w.need(id);
    nothing.details.clear();
    for (auto const& each : {n, mixed, elsewhere, nothing}) {
        auto const outcome = w.ask(each);
        w.clock.settle();
        CHECK(outcome->one().status == permission_status::refused);
        CHECK_FALSE(outcome->one().reason.empty());
        CHECK(outcome->one().request_id.empty());
        CHECK(outcome->one().retry_after == 0);
    }
    CHECK(w.as.ask.calls() == 0);
    CHECK(w.count("journal asking") == 0);
}

TEST_CASE("a journal that cannot be written: nothing is asked for") {
    world w;
    auto const id = w.open();
    w.journal.failing = {"asking"};
    auto const outcome = w.ask(id);
    w.clock.settle();
    CHECK(outcome->one().status == permission_status::error);
    CHECK(outcome->one().reason == "disk full");
    CHECK(w.as.ask.calls() == 0);
    CHECK(w.count("journal settled") == 0);  // what was not begun is not ended
    CHECK(w.events.count("journal.failed") == 0);
    w.journal.failing = {"settled"};
    (void)w.grant(id, "A", "scoped-A");
    CHECK(w.events.count("journal.failed") >= 1);
}

TEST_CASE("what the AS is told") {
    world w;
    auto const id = w.open();
    struct row {
        std::string own;
        seconds ttl;
        std::string pattern;
        std::string said;
        seconds asked;
    };
    int number = 0;
    for (auto const& r : std::vector<row>{
             {"weekly report", seconds(60), "{method} {url}", "weekly report", seconds(60)},
             {"", seconds(5000), "{api} on {host}: {method}", "acme on api.example:443: GET", seconds(900)},
             {"two\r\nlines", seconds(0), "{method}", "two  lines", seconds(300)},
             {std::string(600, 'x'), seconds(-1), "{method}", std::string(500, 'x'), seconds(300)},
         }) {
        policy::api a;
        a.name = "acme";
        a.requested_ttl = r.ttl;
        a.justification = r.pattern;
        auto n = w.need(id, std::to_string(++number));
        n.api = std::make_shared<policy::api const>(a);
        n.justification = r.own;
        w.as.ask.answers(state_of("req", request_status::expired));
        (void)w.ask(n);
        w.clock.settle();
        CHECK(w.as.orders.back().justification == r.said);
        CHECK(w.as.orders.back().requested_ttl == r.asked);
    }
}

TEST_CASE("a session does not ask without end") {
    world w;
    auto const id = w.open();
    w.as.ask.otherwise = [] { return state_of("req", request_status::pending); };
    w.as.poll.otherwise = [] { return state_of("req", request_status::pending); };
    for (int i = 0; i != 64; ++i) (void)w.ask(id, std::to_string(i));
    auto const outcome = w.ask(id, "one more");
    w.clock.settle();
    CHECK(outcome->one().status == permission_status::refused);
    CHECK(outcome->one().retry_after > 0);
    CHECK(w.as.ask.calls() == 64);
    CHECK(w.manager->session(id)->pending_requests == 64);
}

TEST_CASE("a manager that is gone calls nobody back") {
    told_ptr<permission_outcome> outcome;
    told_ptr<result<session_info>> closed;
    {
        world w;
        auto const id = w.open();
        w.as.ask.holds();
        w.as.complete.holds();
        outcome = w.ask(id);
        w.clock.settle();
        closed = w.close(id);
        w.manager.reset();
        w.as.ask.release(state_of("req-1", request_status::approved));
        w.as.complete.release(completion::completed);
        w.clock.advance(minutes(10));
    }
    CHECK_FALSE(outcome->any());
    CHECK_FALSE(closed->any());
}
