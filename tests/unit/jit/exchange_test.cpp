#include "jitproxy/jit/exchange.hpp"

#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"

using namespace jitproxy;
using namespace jitproxy::jit;

namespace {

// ---- events, short enough to be read in a table
snapshot_ptr session(std::uint64_t generation = 1, bool accepting = true, bool bearer = true) {
    auto s = std::make_shared<session_snapshot>();
    s->session_id = "ses_a";
    s->accepting = accepting;
    s->bearer_generation = generation;
    if (bearer) s->bearer = make_secret("own" + std::to_string(generation));
    return s;
}

scoped_bearer const cached_grant{"g_cached", make_secret("scoped_cached"), {}};

request_ready open_host() {
    return {};
}
request_ready api(bool safe = true) {
    return {.protected_api = true, .safe_to_repeat = safe, .session = session()};
}
request_ready api_with_grant() {
    return {.protected_api = true, .safe_to_repeat = true, .session = session(), .grant = &cached_grant};
}
request_ready api_keep(bool grant = false) {
    return {.protected_api = true,
            .keep_authorization = true,
            .safe_to_repeat = true,
            .session = session(),
            .grant = grant ? &cached_grant : nullptr};
}
response_started ok() {
    return {.status = 200};
}
response_started needs(std::string what, bool replayable = true) {
    return {.status = 403, .signal = signal_kind::permission, .replayable = replayable, .needs = std::move(what)};
}
response_started malformed() {
    return {.status = 403, .signal = signal_kind::malformed};
}
response_started dead(bool replayable = true) {
    return {.status = 401, .signal = signal_kind::dead_token, .replayable = replayable};
}
permission_decided granted(std::string const& id, bool cached = false) {
    permission_outcome o;
    o.status = permission_status::granted;
    o.token = make_secret("scoped_" + id);
    o.grant_id = id;
    o.request_id = "req_" + id;
    o.cached = cached;
    return {o};
}
permission_decided decided(permission_status status, std::string reason, int retry_after = 0) {
    permission_outcome o;
    o.status = status;
    o.reason = std::move(reason);
    o.request_id = "req_1";
    o.retry_after = retry_after;
    return {o};
}
bearer_refreshed refreshed(snapshot_ptr s) {
    return {std::move(s)};
}
bearer_refreshed refresh_failed() {
    return {make_error(errc::as_unreachable, "no answer")};
}
upstream_failed lost(bool reused = true, bool nothing = true, bool replayable = true) {
    return {make_error(errc::connection_closed, "reset"), reused, nothing, replayable};
}

// ---- actions as text
struct tell {
    std::string operator()(send_request const& a) const {
        return "send " + (a.bearer ? std::string(a.bearer->reveal()) : "nothing") +
               (a.fresh_connection ? " fresh" : "");
    }
    std::string operator()(ask_permission const& a) const {
        return a.refused_grant.empty() ? "ask" : "ask instead of " + a.refused_grant;
    }
    std::string operator()(refresh_bearer const& a) const {
        return a.dead_grant.empty() ? "refresh " + std::to_string(a.dead_generation) : "drop " + a.dead_grant;
    }
    std::string operator()(relay_response const& a) const {
        if (!a.annotate) return "relay";
        std::string text = "relay " + std::string(to_string(a.why.status));
        if (a.why.retry_after != 0) text += " after " + std::to_string(a.why.retry_after);
        return text + ": " + a.why.reason;
    }
    std::string operator()(answer_locally const& a) const { return "answer " + std::string(name_of(a.what.code)); }
    std::string operator()(finish const&) const { return "finish"; }
    std::string operator()(abandon const&) const { return "abandon"; }
    std::string operator()(broken const& a) const { return "broken: " + a.what; }
};
std::string text_of(exchange_action const& a) {
    return std::visit(tell{}, a);
}

struct step {
    exchange_event event;
    std::string action;
    exchange::state after;
};

void play(std::string const& name, std::vector<step> const& steps, unsigned max_permissions = 3) {
    exchange machine(max_permissions);
    REQUIRE(machine.current() == exchange::state::idle);
    int number = 0;
    for (auto const& s : steps) {
        INFO(name << ", step " << ++number);
        CHECK(text_of(machine.resume(s.event)) == s.action);
        CHECK(machine.current() == s.after);
    }
}

using st = exchange::state;

std::string const not_accepted =
    "relay error: the API did not accept the token that was granted for exactly what it named";
std::string const too_large =
    "relay pending after 1: permission was granted, but the request body is too large to be sent again: send the "
    "request again";

}  // namespace

TEST_CASE("exchange: what is no protected API passes, whatever its answer looks like") {
    for (auto const& answer : {ok(), needs("A"), malformed(), dead()})
        play("open host", {{open_host(), "send nothing", st::sent},
                           {answer, "relay", st::relaying},
                           {response_finished{}, "finish", st::done}});
    // Not even a session or a grant that came along by mistake sends a bearer there.
    request_ready odd = api_with_grant();
    odd.protected_api = false;
    play("open host with a session", {{odd, "send nothing", st::sent}, {needs("A"), "relay", st::relaying}});
}

TEST_CASE("exchange: the bearer of the first attempt") {
    play("own",
         {{api(), "send own1", st::sent}, {ok(), "relay", st::relaying}, {response_finished{}, "finish", st::done}});
    play("grant", {{api_with_grant(), "send scoped_cached", st::sent}, {ok(), "relay", st::relaying}});
    play("kept", {{api_keep(), "send nothing", st::sent}, {ok(), "relay", st::relaying}});
    play("kept beside a grant", {{api_keep(true), "send nothing", st::sent}, {ok(), "relay", st::relaying}});

    request_ready closed = api();
    closed.session = session(1, false);
    play("closing session",
         {{closed, "answer shutting_down", st::relaying}, {response_finished{}, "finish", st::done}});
    closed.grant = &cached_grant;
    play("closing session with a grant", {{closed, "answer shutting_down", st::relaying}});
    closed.keep_authorization = true;
    play("closing session, kept", {{closed, "answer shutting_down", st::relaying}});

    request_ready bare = api();
    bare.session = session(1, true, false);
    play("no bearer yet", {{bare, "refresh 1", st::refreshing}, {refreshed(session(2)), "send own2", st::sent}});
    play("nor later", {{bare, "refresh 1", st::refreshing}, {refresh_failed(), "answer as_unreachable", st::relaying}});
    bare.grant = &cached_grant;
    play("no bearer, but a grant", {{bare, "send scoped_cached", st::sent}});

    static scoped_bearer const empty{"g_empty", nullptr, {}};
    request_ready hollow = api();
    hollow.grant = &empty;
    play("a grant without token", {{hollow, "send own1", st::sent}});
}

TEST_CASE("exchange: permission is asked for and the request sent again") {
    play("the main job", {{api(), "send own1", st::sent},
                          {needs("A"), "ask", st::asking},
                          {granted("g1"), "send scoped_g1", st::sent},
                          {ok(), "relay", st::relaying},
                          {response_finished{}, "finish", st::done}});
    play("agent's own credentials were not enough", {{api_keep(), "send nothing", st::sent},
                                                     {needs("A"), "ask", st::asking},
                                                     {granted("g1"), "send scoped_g1", st::sent},
                                                     {ok(), "relay", st::relaying}});
    play("three in a row", {{api(), "send own1", st::sent},
                            {needs("A"), "ask", st::asking},
                            {granted("g1"), "send scoped_g1", st::sent},
                            {needs("B"), "ask", st::asking},
                            {granted("g2"), "send scoped_g2", st::sent},
                            {needs("C"), "ask", st::asking},
                            {granted("g3"), "send scoped_g3", st::sent},
                            {ok(), "relay", st::relaying}});
}

TEST_CASE("exchange: it does not ask for ever") {
    std::string const more =
        "relay error: the API asked for yet another permission after 3 had been granted for this request";
    play("a fourth", {{api(), "send own1", st::sent},
                      {needs("A"), "ask", st::asking},
                      {granted("g1"), "send scoped_g1", st::sent},
                      {needs("B"), "ask", st::asking},
                      {granted("g2"), "send scoped_g2", st::sent},
                      {needs("C"), "ask", st::asking},
                      {granted("g3"), "send scoped_g3", st::sent},
                      {needs("D"), more, st::relaying},
                      {response_finished{}, "finish", st::done}});
    play("to and fro", {{api(), "send own1", st::sent},
                        {needs("A"), "ask", st::asking},
                        {granted("g1"), "send scoped_g1", st::sent},
                        {needs("B"), "ask", st::asking},
                        {granted("g2"), "send scoped_g2", st::sent},
                        {needs("A"), "ask", st::asking},
                        {granted("g1", true), "send scoped_g1", st::sent},
                        {needs("B"), more, st::relaying}});
    play("the very same", {{api(), "send own1", st::sent},
                           {needs("A"), "ask", st::asking},
                           {granted("g1"), "send scoped_g1", st::sent},
                           {needs("A"), not_accepted, st::relaying},
                           {response_finished{}, "finish", st::done}});
    play(
        "one only",
        {{api(), "send own1", st::sent},
         {needs("A"), "ask", st::asking},
         {granted("g1"), "send scoped_g1", st::sent},
         {needs("B"), "relay error: the API asked for yet another permission after 1 had been granted for this request",
          st::relaying}},
        1);
    play("none at all",
         {{api(), "send own1", st::sent},
          {needs("A"),
           "relay error: the API asked for yet another permission after 0 had been granted for this "
           "request",
           st::relaying}},
         0);
}

TEST_CASE("exchange: a grant from before that is not enough is named, and replaced by a fresh one") {
    play("bound to the resource", {{api_with_grant(), "send scoped_cached", st::sent},
                                   {needs("A"), "ask instead of g_cached", st::asking},
                                   {granted("g2"), "send scoped_g2", st::sent},
                                   {ok(), "relay", st::relaying}});
    play("and that one is refused", {{api_with_grant(), "send scoped_cached", st::sent},
                                     {needs("A"), "ask instead of g_cached", st::asking},
                                     {granted("g2"), "send scoped_g2", st::sent},
                                     {needs("A"), not_accepted, st::relaying}});
    play("handed out for equal needs", {{api(), "send own1", st::sent},
                                        {needs("A"), "ask", st::asking},
                                        {granted("g_old", true), "send scoped_g_old", st::sent},
                                        {needs("A"), "ask instead of g_old", st::asking},
                                        {granted("g2"), "send scoped_g2", st::sent},
                                        {needs("A"), not_accepted, st::relaying}});
}

TEST_CASE("exchange: permission that is not given") {
    struct row {
        permission_decided decision;
        std::string action;
    };
    for (auto const& r : std::vector<row>{
             {decided(permission_status::denied, "no"), "relay denied: no"},
             {decided(permission_status::pending, "waiting", 5), "relay pending after 5: waiting"},
             {decided(permission_status::expired, "late"), "relay expired: late"},
             {decided(permission_status::refused, "type"), "relay refused: type"},
             {decided(permission_status::error, "AS down", 10), "relay error after 10: AS down"},
         }) {
        play(r.action, {{api(), "send own1", st::sent},
                        {needs("A"), "ask", st::asking},
                        {r.decision, r.action, st::relaying},
                        {response_finished{}, "finish", st::done}});
        play(r.action + ", body lost", {{api(), "send own1", st::sent},
                                        {needs("A", false), "ask", st::asking},
                                        {r.decision, r.action, st::relaying}});
    }
    exchange machine;
    (void)machine.resume(api());
    (void)machine.resume(needs("A"));
    auto const action = machine.resume(decided(permission_status::denied, "no"));
    REQUIRE(std::holds_alternative<relay_response>(action));
    CHECK(std::get<relay_response>(action).why.request_id == "req_1");
}

TEST_CASE("exchange: a body that cannot be sent again") {
    exchange machine;
    (void)machine.resume(api(false));
    CHECK(text_of(machine.resume(needs("A", false))) == "ask");
    auto const action = machine.resume(granted("g1"));
    CHECK(text_of(action) == too_large);
    REQUIRE(std::holds_alternative<relay_response>(action));
    CHECK(std::get<relay_response>(action).why.request_id == "req_g1");
    CHECK(std::get<relay_response>(action).why.token == nullptr);
    CHECK(std::get<relay_response>(action).why.grant_id.empty());

    std::string const died =
        "relay error after 1: the API refused a token that had died, and the request body is too large to be sent "
        "again with the new one: send the request again";
    play("dead bearer", {{api(), "send own1", st::sent},
                         {dead(false), "refresh 1", st::refreshing},
                         {refreshed(session(2)), died, st::relaying}});
    play("dead grant", {{api_with_grant(), "send scoped_cached", st::sent},
                        {dead(false), "drop g_cached", st::refreshing},
                        {refreshed(session(1)), died, st::relaying}});
    // What matters is the answer that is held, not an earlier one.
    play("lost only in the second attempt", {{api(), "send own1", st::sent},
                                             {needs("A"), "ask", st::asking},
                                             {granted("g1"), "send scoped_g1", st::sent},
                                             {needs("B", false), "ask", st::asking},
                                             {granted("g2"), too_large, st::relaying}});
}

TEST_CASE("exchange: dead tokens") {
    play("own bearer", {{api(), "send own1", st::sent},
                        {dead(), "refresh 1", st::refreshing},
                        {refreshed(session(2)), "send own2", st::sent},
                        {ok(), "relay", st::relaying}});
    play("own bearer, twice", {{api(), "send own1", st::sent},
                               {dead(), "refresh 1", st::refreshing},
                               {refreshed(session(2)), "send own2", st::sent},
                               {dead(), "relay", st::relaying}});
    play("grant, then permission anew", {{api_with_grant(), "send scoped_cached", st::sent},
                                         {dead(), "drop g_cached", st::refreshing},
                                         {refreshed(session(1)), "send own1", st::sent},
                                         {needs("A"), "ask", st::asking},
                                         {granted("g2"), "send scoped_g2", st::sent},
                                         {ok(), "relay", st::relaying}});
    play("grant, then own bearer too", {{api_with_grant(), "send scoped_cached", st::sent},
                                        {dead(), "drop g_cached", st::refreshing},
                                        {refreshed(session(1)), "send own1", st::sent},
                                        {dead(), "refresh 1", st::refreshing},
                                        {refreshed(session(2)), "send own2", st::sent},
                                        {dead(), "relay", st::relaying}});
    play("fresh grants that are dead at once", {{api(), "send own1", st::sent},
                                                {needs("A"), "ask", st::asking},
                                                {granted("g1"), "send scoped_g1", st::sent},
                                                {dead(), "drop g1", st::refreshing},
                                                {refreshed(session(1)), "send own1", st::sent},
                                                {needs("A"), "ask", st::asking},
                                                {granted("g2"), "send scoped_g2", st::sent},
                                                {dead(), "relay", st::relaying}});
    play("the agent's own token", {{api_keep(), "send nothing", st::sent}, {dead(), "relay", st::relaying}});
    play("grant beside the agent's own", {{api_keep(), "send nothing", st::sent},
                                          {needs("A"), "ask", st::asking},
                                          {granted("g1"), "send scoped_g1", st::sent},
                                          {dead(), "drop g1", st::refreshing},
                                          {refreshed(session(1)), "send nothing", st::sent},
                                          {dead(), "relay", st::relaying}});
    play("AS down", {{api(), "send own1", st::sent},
                     {dead(), "refresh 1", st::refreshing},
                     {refresh_failed(), "answer as_unreachable", st::relaying},
                     {response_finished{}, "finish", st::done}});
    play("session closed meanwhile", {{api(), "send own1", st::sent},
                                      {dead(), "refresh 1", st::refreshing},
                                      {refreshed(session(2, false)), "answer shutting_down", st::relaying}});
    play("session without a bearer now", {{api(), "send own1", st::sent},
                                          {dead(), "refresh 1", st::refreshing},
                                          {refreshed(session(2, true, false)), "answer as_unreachable", st::relaying}});
}

TEST_CASE("exchange: a signal that cannot be understood") {
    std::string const reason =
        "relay error: the API's answer names a missing permission in a form that cannot be understood";
    play("own", {{api(), "send own1", st::sent}, {malformed(), reason, st::relaying}});
    play("grant", {{api_with_grant(), "send scoped_cached", st::sent}, {malformed(), reason, st::relaying}});
    play("kept", {{api_keep(), "send nothing", st::sent}, {malformed(), reason, st::relaying}});
}

TEST_CASE("exchange: the way upstream fails") {
    struct row {
        std::string name;
        bool safe;
        upstream_failed event;
        bool again;
    };
    for (auto const& r : std::vector<row>{
             {"pooled connection had gone", true, lost(), true},
             {"not idempotent", false, lost(), false},
             {"new connection", true, lost(false), false},
             {"an answer had begun", true, lost(true, false), false},
             {"body gone", true, lost(true, true, false), false},
         }) {
        if (r.again)
            play(r.name, {{api(r.safe), "send own1", st::sent},
                          {r.event, "send own1 fresh", st::sent},
                          {r.event, "answer connection_closed", st::relaying},
                          {response_finished{}, "finish", st::done}});
        else
            play(r.name, {{api(r.safe), "send own1", st::sent}, {r.event, "answer connection_closed", st::relaying}});
    }
    play("what is no API too", {{request_ready{.safe_to_repeat = true}, "send nothing", st::sent},
                                {lost(), "send nothing fresh", st::sent},
                                {ok(), "relay", st::relaying}});
    play("again with the same scoped token", {{api_with_grant(), "send scoped_cached", st::sent},
                                              {lost(), "send scoped_cached fresh", st::sent},
                                              {needs("A"), "ask instead of g_cached", st::asking}});
    play("once for each attempt", {{api(), "send own1", st::sent},
                                   {lost(), "send own1 fresh", st::sent},
                                   {needs("A"), "ask", st::asking},
                                   {granted("g1"), "send scoped_g1", st::sent},
                                   {lost(), "send scoped_g1 fresh", st::sent},
                                   {lost(), "answer connection_closed", st::relaying}});
    play("cut while relaying",
         {{api(), "send own1", st::sent}, {ok(), "relay", st::relaying}, {lost(true, false), "abandon", st::done}});
}

TEST_CASE("exchange: the error that the client is told is the one that happened") {
    exchange machine;
    (void)machine.resume(api());
    auto const action = machine.resume(
        upstream_failed{{errc::response_timeout, "no head from https://api.example:443 in 60s", 7}, false, true, true});
    REQUIRE(std::holds_alternative<answer_locally>(action));
    auto const& what = std::get<answer_locally>(action).what;
    CHECK(what.code == errc::response_timeout);
    CHECK(what.detail == "no head from https://api.example:443 in 60s");
    CHECK(what.retry_after == 7);
}

// ---- the whole matrix: every event in every state
namespace {

exchange in_state(st s) {
    exchange m;
    if (s == st::idle) return m;
    (void)m.resume(api());
    if (s == st::asking) (void)m.resume(needs("A"));
    if (s == st::refreshing) (void)m.resume(dead());
    if (s == st::relaying) (void)m.resume(ok());
    if (s == st::done) (void)m.resume(client_left{});
    REQUIRE(m.current() == s);
    return m;
}

}  // namespace

TEST_CASE("exchange: every event in every state") {
    std::vector<std::pair<std::string, exchange_event>> const events{
        {"request_ready", api()},
        {"response_started", ok()},
        {"permission_decided", granted("g9")},
        {"bearer_refreshed", refreshed(session(2))},
        {"upstream_failed", lost(false)},
        {"client_left", client_left{}},
        {"response_finished", response_finished{}},
    };
    struct row {
        st state;
        char const* name;
        std::vector<std::string> actions;  // "" where the event is illegal
        exchange_event legal;              // still works after all that was illegal
        std::string legal_action;
    };
    std::vector<row> const rows{
        {st::idle, "idle", {"send own1", "", "", "", "", "abandon", ""}, api(), "send own1"},
        {st::sent, "sent", {"", "relay", "", "", "answer connection_closed", "abandon", ""}, needs("A"), "ask"},
        {st::asking, "asking", {"", "", "send scoped_g9", "", "", "abandon", ""}, granted("g1"), "send scoped_g1"},
        {st::refreshing,
         "refreshing",
         {"", "", "", "send own2", "", "abandon", ""},
         refreshed(session(3)),
         "send own3"},
        {st::relaying, "relaying", {"", "", "", "", "abandon", "abandon", "finish"}, response_finished{}, "finish"},
        {st::done, "done", {"", "", "", "", "", "", ""}, client_left{}, "broken: client_left in state done"},
    };
    for (auto const& r : rows) {
        auto abused = in_state(r.state);
        for (std::size_t i = 0; i != events.size(); ++i) {
            INFO(events[i].first << " in " << r.name);
            if (!r.actions[i].empty()) {
                auto machine = in_state(r.state);
                CHECK(text_of(machine.resume(events[i].second)) == r.actions[i]);
                continue;
            }
            CHECK(text_of(abused.resume(events[i].second)) == "broken: " + events[i].first + " in state " + r.name);
            CHECK(abused.current() == r.state);
        }
        INFO(r.name);
        CHECK(text_of(abused.resume(r.legal)) == r.legal_action);
    }
}

TEST_CASE("exchange: events that contradict themselves change nothing") {
    exchange machine;
    request_ready no_session = api();
    no_session.session = nullptr;
    CHECK(text_of(machine.resume(no_session)) ==
          "broken: request_ready without a session for a protected API in state idle");
    CHECK(text_of(machine.resume(api())) == "send own1");
    CHECK(text_of(machine.resume(needs("A"))) == "ask");
    auto hollow = granted("g1");
    hollow.outcome.token = nullptr;
    CHECK(text_of(machine.resume(hollow)) == "broken: permission_decided: granted without a token in state asking");
    CHECK(machine.current() == st::asking);
    CHECK(text_of(machine.resume(granted("g1"))) == "send scoped_g1");
    CHECK(text_of(machine.resume(dead())) == "drop g1");
    CHECK(text_of(machine.resume(refreshed(nullptr))) ==
          "broken: bearer_refreshed without a session in state refreshing");
    CHECK(text_of(machine.resume(refreshed(session(1)))) == "send own1");
}

TEST_CASE("exchange: the client may leave at any time") {
    std::vector<exchange_event> const way{api(), needs("A"), granted("g1"), dead(), refreshed(session(1)), ok()};
    for (std::size_t length = 0; length <= way.size(); ++length) {
        exchange machine;
        for (std::size_t i = 0; i != length; ++i) (void)machine.resume(way[i]);
        INFO("after " << length << " events");
        CHECK(text_of(machine.resume(client_left{})) == "abandon");
        CHECK(machine.current() == st::done);
    }
}

TEST_CASE("exchange: what a client is told holds no token") {
    exchange machine;
    (void)machine.resume(api());
    (void)machine.resume(needs("A", false));
    auto const action = machine.resume(granted("g1"));
    CHECK(text_of(action).find("scoped_") == std::string::npos);
}

TEST_CASE("resource keys hold the query: another query is another resource") {
    CHECK(resource_key("GET", "https://api.example:443", "/a?b=1") == "GET https://api.example:443/a?b=1");
    CHECK(resource_key("GET", "https://api.example:443", "/a?b=1") !=
          resource_key("GET", "https://api.example:443", "/a?b=2"));
    CHECK(resource_key("PUT", "https://api.example:443", "/a") != resource_key("GET", "https://api.example:443", "/a"));
}

TEST_CASE("permission status as the client reads it") {
    CHECK(to_string(permission_status::granted) == "granted");
    CHECK(to_string(permission_status::denied) == "denied");
    CHECK(to_string(permission_status::pending) == "pending");
    CHECK(to_string(permission_status::expired) == "expired");
    CHECK(to_string(permission_status::refused) == "refused");
    CHECK(to_string(permission_status::error) == "error");
}

TEST_CASE("exchange: what carries a grant's token names the grant; that it is used is the driver's to say") {
    auto const sent = [](exchange_action const& a) { return std::get<send_request>(a); };
    scoped_bearer fresh = cached_grant;
    fresh.used = std::make_shared<std::atomic<bool>>(false);
    auto ready = api_with_grant();
    ready.grant = &fresh;
    exchange cached;
    auto first = sent(cached.resume(ready));
    CHECK(first.grant_id == "g_cached");
    CHECK(first.used == fresh.used);
    auto const renewed = sent(cached.resume(lost()));  // on a new connection
    CHECK(renewed.grant_id == "g_cached");
    CHECK(renewed.used == fresh.used);
    CHECK_FALSE(fresh.used->load());
    (void)cached.resume(dead());
    auto const own = sent(cached.resume(refreshed(session(2))));
    CHECK(own.grant_id.empty());
    CHECK(own.used == nullptr);
    exchange asks;
    CHECK(sent(asks.resume(api())).grant_id.empty());
    (void)asks.resume(needs("A"));
    auto outcome = granted("g1");
    outcome.outcome.used = std::make_shared<std::atomic<bool>>(false);
    auto const granted_now = sent(asks.resume(outcome));
    CHECK(granted_now.grant_id == "g1");
    CHECK(granted_now.used == outcome.outcome.used);
}
