#include "jitproxy/jit/permission_request.hpp"

#include <cmath>
#include <utility>
#include <vector>

#include "catch.hpp"

using namespace jitproxy;
using namespace jitproxy::jit;

namespace {

using pr = permission_request;
using st = pr::state;

wall_time at(double s) {
    return wall_time{} + std::chrono::hours(24 * 365 * 50) + milliseconds(static_cast<std::int64_t>(s * 1000));
}
request_state state_of(request_status status, std::string id = "r1") {
    request_state s;
    s.request_id = std::move(id);
    s.status = status;
    return s;
}
request_state pending(std::optional<double> expires = {}, std::optional<seconds> retry_after = {}) {
    auto s = state_of(request_status::pending);
    s.reason = "waits for approval";
    if (expires) s.expires_at = at(*expires);
    s.retry_after = retry_after;
    return s;
}
request_state approved() {
    return state_of(request_status::approved);
}
request_state denied(std::string reason = "no") {
    auto s = state_of(request_status::denied);
    s.reason = std::move(reason);
    return s;
}
request_state expired() {
    return state_of(request_status::expired);
}
error trouble(errc code, int retry_after = 0) {
    return {code, std::string(name_of(code)), retry_after};
}
pr::looked found(std::optional<request_state> s) {
    return {result<std::optional<request_state>>(std::move(s))};
}
pr::looked not_found_out(errc code, int retry_after = 0) {
    return {trouble(code, retry_after)};
}
access_token token() {
    return {make_secret("scoped"), seconds(300)};
}

struct tell {
    std::string operator()(pr::nothing const&) const { return "nothing"; }
    std::string operator()(pr::record const&) const { return "record"; }
    std::string operator()(pr::ask const&) const { return "ask"; }
    std::string operator()(pr::look const&) const { return "look"; }
    std::string operator()(pr::poll const& a) const { return "poll " + std::to_string(a.deadline.count()); }
    std::string operator()(pr::exchange const&) const { return "exchange"; }
    std::string operator()(pr::pause const& a) const { return "pause " + std::to_string(a.delay.count()); }
    std::string operator()(pr::fail_for_now const& a) const { return "fail for now: " + a.outcome.reason; }
    std::string operator()(pr::settle const& a) const {
        auto text = std::string(to_string(a.outcome.status));
        if (!a.outcome.reason.empty()) text += ": " + a.outcome.reason;
        if (a.outcome.retry_after != 0) text += " after " + std::to_string(a.outcome.retry_after);
        if (a.token) text += " " + std::string(a.token->value->reveal());
        return text;
    }
    std::string operator()(pr::broken const& a) const { return "broken: " + a.what; }
};
std::string text_of(pr::action const& a) {
    return std::visit(tell{}, a);
}

struct step {
    double when;
    pr::event event;
    std::string action;
    st after;
};
void play(std::string const& name, std::vector<step> const& steps) {  // from when somebody needs it
    pr machine{{}};
    CHECK(text_of(machine.resume(pr::start{}, at(0))) == "record");
    int number = 0;
    for (auto const& s : steps) {
        INFO(name << ", step " << ++number);
        CHECK(text_of(machine.resume(s.event, at(s.when))) == s.action);
        CHECK(machine.current() == s.after);
    }
}
pr::event recorded() {
    return pr::recorded{result<void>{}};
}
step start() {
    return {0, recorded(), "ask", st::asking};
}

}  // namespace

TEST_CASE("permission request: approved at once") {
    play("approved", {start(),
                      {1, pr::asked{approved()}, "exchange", st::exchanging},
                      {2, pr::exchanged{token()}, "granted scoped", st::settled}});
}

TEST_CASE("permission request: polls with growing pauses") {
    std::vector<step> steps{start()};
    double now = 0;
    std::vector<int> const pauses{500, 750, 1125, 1687, 2530, 3795, 5000, 5000, 5000};
    steps.push_back({now, pr::asked{pending()}, "pause 500", st::pending});
    for (std::size_t i = 0; i + 1 != pauses.size(); ++i) {
        now += pauses[i] / 1000.0;
        auto const left = 3'600'000 - std::lround(now * 1000) + 5000;
        steps.push_back({now, pr::timer_fired{}, "poll " + std::to_string(left), st::polling});
        steps.push_back({now, pr::polled{pending()}, "pause " + std::to_string(pauses[i + 1]), st::pending});
    }
    steps.push_back({now + 5, pr::timer_fired{},
                     "poll " + std::to_string(3'600'000 - std::lround((now + 5) * 1000) + 5000), st::polling});
    steps.push_back({now + 5, pr::polled{approved()}, "exchange", st::exchanging});
    play("growing", steps);
}

TEST_CASE("permission request: Retry-After is honoured") {
    play("longer", {start(),
                    {0, pr::asked{pending({}, seconds(7))}, "pause 7000", st::pending},
                    {7, pr::timer_fired{}, "poll 3598000", st::polling},
                    {7, pr::polled{pending({}, seconds(600))}, "pause 60000", st::pending},
                    {67, pr::timer_fired{}, "poll 3538000", st::polling},
                    {67, pr::polled{trouble(errc::as_rate_limited, 12)}, "pause 12000", st::pending}});
    play("senseless", {start(),
                       {0, pr::asked{pending({}, seconds(0))}, "pause 500", st::pending},
                       {1, pr::timer_fired{}, "poll 3604000", st::polling},
                       {1, pr::polled{pending({}, seconds(-4))}, "pause 750", st::pending}});
}

TEST_CASE("permission request: decided") {
    for (auto const& [news, action] : std::vector<std::pair<request_state, std::string>>{
             {denied(), "denied: no"},
             {denied(""), "denied: denied, without a reason"},
             {expired(), "expired: nobody decided in time"},
         }) {
        play(action + " at once", {start(), {0, pr::asked{news}, action, st::settled}});
        play(action + " later", {start(),
                                 {0, pr::asked{pending()}, "pause 500", st::pending},
                                 {1, pr::timer_fired{}, "poll 3604000", st::polling},
                                 {1, pr::polled{news}, action, st::settled}});
        play(action + " through us", {start(),
                                      {0, pr::asked{pending()}, "pause 500", st::pending},
                                      {0.2, pr::learned{news}, action, st::settled},
                                      {0.3, pr::learned{approved()}, "nothing", st::settled}});
    }
    play("approved through us", {start(),
                                 {0, pr::asked{pending()}, "pause 500", st::pending},
                                 {0.1, pr::learned{pending()}, "nothing", st::pending},
                                 {0.2, pr::learned{approved()}, "exchange", st::exchanging},
                                 {0.2, pr::learned{denied()}, "nothing", st::exchanging},
                                 {0.3, pr::exchanged{token()}, "granted scoped", st::settled}});
    play("approved through us while polling", {start(),
                                               {0, pr::asked{pending()}, "pause 500", st::pending},
                                               {0.5, pr::timer_fired{}, "poll 3604500", st::polling},
                                               {0.6, pr::learned{approved()}, "exchange", st::exchanging}});
    // A denied request's own id may be missing; an open one's may not, and is looked for.
    play("denied without id",
         {start(),
          {0, pr::asked{state_of(request_status::denied, "")}, "denied: denied, without a reason", st::settled}});
    for (auto const status : {request_status::pending, request_status::approved})
        play("without id", {start(),
                            {0, pr::asked{state_of(status, "")}, "pause 500", st::look_later},
                            {0.5, pr::timer_fired{}, "look", st::looking}});
}

TEST_CASE("permission request: nobody decides") {
    play("last poll when its time is over",
         {start(),
          {0, pr::asked{pending(0.8)}, "pause 500", st::pending},
          {0.5, pr::timer_fired{}, "poll 5300", st::polling},
          {0.5, pr::polled{pending(0.8)}, "pause 300", st::pending},
          {0.8, pr::timer_fired{}, "poll 5000", st::polling},
          {0.9, pr::polled{pending(0.8)}, "expired: nobody decided in time", st::settled}});
    play("approved at the last moment", {start(),
                                         {0, pr::asked{pending(0.3)}, "pause 300", st::pending},
                                         {0.3, pr::timer_fired{}, "poll 5000", st::polling},
                                         {0.4, pr::polled{approved()}, "exchange", st::exchanging}});
    play("the AS is silent", {start(),
                              {0, pr::asked{pending(60)}, "pause 500", st::pending},
                              {0.5, pr::timer_fired{}, "poll 64500", st::polling},
                              {65, pr::timer_fired{}, "expired: nobody decided in time", st::settled}});
    play("the AS is down",
         {start(),
          {0, pr::asked{pending(1)}, "pause 500", st::pending},
          {0.5, pr::timer_fired{}, "poll 5500", st::polling},
          {0.5, pr::polled{trouble(errc::as_unreachable)}, "pause 500", st::pending},
          {1, pr::timer_fired{}, "poll 5000", st::polling},
          {1, pr::polled{trouble(errc::as_unreachable)}, "expired: nobody decided in time", st::settled}});
    play("clocks disagree", {start(),
                             {0, pr::asked{pending(-100)}, "pause 500", st::pending},
                             {0.5, pr::timer_fired{}, "poll 3604500", st::polling}});
    play("no expiry: an hour", {start(),
                                {0, pr::asked{pending()}, "pause 500", st::pending},
                                {3600, pr::timer_fired{}, "poll 5000", st::polling},
                                {3600, pr::polled{pending()}, "expired: nobody decided in time", st::settled}});
    play("the AS gives more time", {start(),
                                    {0, pr::asked{pending(1)}, "pause 500", st::pending},
                                    {0.5, pr::timer_fired{}, "poll 5500", st::polling},
                                    {0.5, pr::polled{pending(100)}, "pause 750", st::pending}});
}

TEST_CASE("permission request: trouble when asking") {
    play("journal", {{0, pr::recorded{trouble(errc::storage)}, "error: storage", st::settled}});
    play("down",
         {start(), {0, pr::asked{trouble(errc::as_unreachable)}, "error: as_unreachable after 5", st::settled}});
    play("rejected", {start(), {0, pr::asked{trouble(errc::as_rejected)}, "error: as_rejected", st::settled}});
    play("inactive", {start(), {0, pr::asked{trouble(errc::as_inactive)}, "error: as_inactive", st::settled}});
    play("rate limit",
         {start(),
          {0, pr::asked{trouble(errc::as_rate_limited, 10)}, "pause 10000", st::ask_later},
          {10, pr::timer_fired{}, "ask", st::asking},
          {10, pr::asked{trouble(errc::as_rate_limited, 1)}, "pause 1000", st::ask_later},
          {11, pr::timer_fired{}, "ask", st::asking},
          {11, pr::asked{trouble(errc::as_rate_limited, 1)}, "error: as_rate_limited after 1", st::settled}});
    play("long rate limit",
         {start(), {0, pr::asked{trouble(errc::as_rate_limited, 11)}, "error: as_rate_limited after 11", st::settled}});
}

TEST_CASE("permission request: no clear answer to the asking") {
    step const unclear{0, pr::asked{trouble(errc::as_unclear)}, "pause 500", st::look_later};
    step const look{0.5, pr::timer_fired{}, "look", st::looking};
    std::string const in_doubt = "fail for now: it is not clear whether the permission was asked for: as_unclear";
    play("it is there", {start(), unclear, look, {0.5, found(pending()), "pause 500", st::pending}});
    step const absent{0.5, found({}), "pause 1000", st::look_later};
    step const look_again{1.5, pr::timer_fired{}, "look", st::looking};
    play("it is there the second time: a slow AS",
         {start(), unclear, look, absent, look_again, {1.5, found(pending()), "pause 500", st::pending}});
    play("it is not there, and is asked for again", {start(),
                                                     unclear,
                                                     look,
                                                     absent,
                                                     look_again,
                                                     {1.5, found({}), "ask", st::asking},
                                                     {1.5, pr::asked{approved()}, "exchange", st::exchanging}});
    play("malformed is unclear too",
         {start(), {0, pr::asked{trouble(errc::as_malformed)}, "pause 500", st::look_later}, look});
    std::vector<step> steps{start()};
    for (int i = 0; i != 3; ++i) {
        for (auto const& s : {unclear, look, absent, look_again}) steps.push_back(s);
        steps.push_back(
            {1.5, found({}), i == 2 ? "error: as_unclear after 5" : "ask", i == 2 ? st::settled : st::asking});
    }
    play("not for ever", steps);
    play("the list is not for us: not again blindly, but after a while",
         {start(),
          unclear,
          look,
          {1, not_found_out(errc::as_rejected), in_doubt, st::in_doubt},
          {2, pr::start{}, in_doubt, st::in_doubt},
          {10.9, pr::start{}, in_doubt, st::in_doubt},
          {11, pr::start{}, "ask", st::asking}});
    play("the list cannot be had: the next attempt looks first",
         {start(),
          unclear,
          look,
          {1, not_found_out(errc::as_unclear), "pause 1000", st::look_later},
          {2, pr::timer_fired{}, "look", st::looking},
          {2, not_found_out(errc::as_rate_limited, 2), "pause 2000", st::look_later},
          {4, pr::timer_fired{}, "look", st::looking},
          {4, not_found_out(errc::as_unreachable), in_doubt, st::in_doubt},
          {5, pr::start{}, "look", st::looking},
          {5, found(pending()), "pause 500", st::pending}});
    play("the server is down: nobody hangs for that",
         {start(),
          unclear,
          look,
          {1, not_found_out(errc::as_down, 2), "fail for now: as_down", st::in_doubt},
          {2, pr::start{}, "look", st::looking}});
    play("the server wants to be left alone for long",
         {start(), {0, pr::asked{trouble(errc::as_unclear, 60)}, in_doubt, st::in_doubt}});
    play("the task is dead",
         {start(), unclear, look, {1, not_found_out(errc::as_inactive), "error: as_inactive", st::settled}});
    for (auto const code : {errc::as_unreachable, errc::as_down, errc::as_unauthorized})
        play("nothing was filed: no doubt",
             {start(),
              {0, pr::asked{trouble(code)},
               "error: " + std::string(name_of(code)) + (retry_may_help(code) ? " after 5" : ""), st::settled}});
}

TEST_CASE("permission request: a token that was made and got lost") {
    std::string const lost = "error: the token was made, but lost on its way: send the request again after 1";
    for (auto const code : {errc::as_unclear, errc::as_malformed}) {
        std::vector<step> const before{start(),
                                       {0, pr::asked{approved()}, "exchange", st::exchanging},
                                       {0, pr::exchanged{trouble(code)}, "pause 1000", st::exchange_later},
                                       {1, pr::timer_fired{}, "exchange", st::exchanging}};
        auto again = before;
        again.push_back({1, pr::exchanged{token()}, "granted scoped", st::settled});
        play("made again", again);
        auto refused = before;
        refused.push_back({1, pr::exchanged{trouble(errc::as_rejected)}, lost, st::settled});
        play("not made again", refused);
    }
    play("refused at once: it was never made",
         {start(),
          {0, pr::asked{approved()}, "exchange", st::exchanging},
          {0, pr::exchanged{trouble(errc::as_unreachable)}, "pause 1000", st::exchange_later},
          {1, pr::timer_fired{}, "exchange", st::exchanging},
          {1, pr::exchanged{trouble(errc::as_rejected)}, "error: as_rejected", st::settled}});
}

TEST_CASE("permission request: trouble when polling") {
    for (auto const code : {errc::as_rejected, errc::as_inactive})
        play("over", {start(),
                      {0, pr::asked{pending()}, "pause 500", st::pending},
                      {0.5, pr::timer_fired{}, "poll 3604500", st::polling},
                      {0.5, pr::polled{trouble(code)}, "error: " + std::string(name_of(code)), st::settled}});
    for (auto const code : {errc::as_unreachable, errc::as_rate_limited, errc::as_malformed})
        play("goes on", {start(),
                         {0, pr::asked{pending()}, "pause 500", st::pending},
                         {0.5, pr::timer_fired{}, "poll 3604500", st::polling},
                         {0.5, pr::polled{trouble(code)}, "pause 750", st::pending}});
}

TEST_CASE("permission request: trouble when exchanging") {
    play("short", {start(),
                   {0, pr::asked{approved()}, "exchange", st::exchanging},
                   {0, pr::exchanged{trouble(errc::as_unreachable)}, "pause 1000", st::exchange_later},
                   {1, pr::timer_fired{}, "exchange", st::exchanging},
                   {1, pr::exchanged{trouble(errc::as_rate_limited, 9)}, "pause 9000", st::exchange_later},
                   {10, pr::timer_fired{}, "exchange", st::exchanging},
                   {10, pr::exchanged{token()}, "granted scoped", st::settled}});
    std::vector<step> steps{start(), {0, pr::asked{approved()}, "exchange", st::exchanging}};
    for (int const pause : {1000, 2000, 4000}) {
        steps.push_back(
            {0, pr::exchanged{trouble(errc::as_unreachable)}, "pause " + std::to_string(pause), st::exchange_later});
        steps.push_back({0, pr::timer_fired{}, "exchange", st::exchanging});
    }
    steps.push_back({0, pr::exchanged{trouble(errc::as_unreachable)}, "fail for now: as_unreachable", st::approved});
    steps.push_back({100, pr::start{}, "exchange", st::exchanging});
    steps.push_back({100, pr::exchanged{trouble(errc::as_unreachable)}, "pause 1000", st::exchange_later});
    steps.push_back({101, pr::timer_fired{}, "exchange", st::exchanging});
    steps.push_back({101, pr::exchanged{token()}, "granted scoped", st::settled});
    play("long", steps);
    play("very slow",
         {start(),
          {0, pr::asked{approved()}, "exchange", st::exchanging},
          {0, pr::exchanged{trouble(errc::as_rate_limited, 60)}, "fail for now: as_rate_limited", st::approved}});
    play("down", {start(),
                  {0, pr::asked{approved()}, "exchange", st::exchanging},
                  {0, pr::exchanged{trouble(errc::as_down, 2)}, "fail for now: as_down", st::approved},
                  {1, pr::start{}, "exchange", st::exchanging}});
    for (auto const code : {errc::as_rejected, errc::as_inactive}) {
        auto const after = retry_may_help(code) ? " after 5" : "";
        play("over", {start(),
                      {0, pr::asked{approved()}, "exchange", st::exchanging},
                      {0, pr::exchanged{trouble(code)}, "error: " + std::string(name_of(code)) + after, st::settled}});
    }
    play("no token in it",
         {start(),
          {0, pr::asked{approved()}, "exchange", st::exchanging},
          {0, pr::exchanged{access_token{}}, "error: the authorization server's answer holds no token", st::settled}});
}

TEST_CASE("permission request: what the AS said is kept, and what it left out is not lost") {
    pr machine{{}};
    (void)machine.resume(pr::start{}, at(0));
    (void)machine.resume(recorded(), at(0));
    auto first = pending(100);
    first.risk_level = "high";
    first.status_url = "/s";
    (void)machine.resume(pr::asked{first}, at(0));
    CHECK(machine.status() == "pending");
    CHECK(machine.known().reason == "waits for approval");
    (void)machine.resume(pr::timer_fired{}, at(1));
    auto second = state_of(request_status::approved, "");
    second.token_url = "/t";
    (void)machine.resume(pr::polled{second}, at(1));
    auto const& known = machine.known();
    CHECK(known.request_id == "r1");
    CHECK(known.risk_level == "high");
    CHECK(known.status_url == "/s");
    CHECK(known.token_url == "/t");
    CHECK(known.status == request_status::approved);
    CHECK(known.expires_at == at(100));
    CHECK(known.reason.empty());  // of another status
    CHECK(machine.status() == "approved");
    auto const action = machine.resume(pr::exchanged{token()}, at(1));
    REQUIRE(std::holds_alternative<pr::settle>(action));
    CHECK(std::get<pr::settle>(action).outcome.request_id == "r1");
    CHECK(machine.status() == "granted");
    CHECK(machine.settled());
}

TEST_CASE("permission request: when a client had better look again") {
    CHECK(pr{{milliseconds(500), milliseconds(5000)}}.retry_after() == 5);
    CHECK(pr{{milliseconds(100), milliseconds(1200)}}.retry_after() == 2);
    CHECK(pr{{milliseconds(10), milliseconds(10)}}.retry_after() == 1);
    CHECK(pr{{milliseconds(0), milliseconds(0)}}.retry_after() == 1);
}

TEST_CASE("permission request: every event in every state") {
    struct state_row {
        st state;
        char const* name;
        std::vector<pr::event> way;
    };
    auto const unreachable = pr::exchanged{trouble(errc::as_unreachable)};
    std::vector<state_row> const states{
        {st::idle, "idle", {}},
        {st::recording, "recording", {pr::start{}}},
        {st::asking, "asking", {pr::start{}, recorded()}},
        {st::ask_later, "ask_later", {pr::start{}, recorded(), pr::asked{trouble(errc::as_rate_limited, 5)}}},
        {st::look_later, "look_later", {pr::start{}, recorded(), pr::asked{trouble(errc::as_unclear)}}},
        {st::looking, "looking", {pr::start{}, recorded(), pr::asked{trouble(errc::as_unclear)}, pr::timer_fired{}}},
        {st::in_doubt, "in_doubt", {pr::start{}, recorded(), pr::asked{trouble(errc::as_unclear, 60)}}},
        {st::pending, "pending", {pr::start{}, recorded(), pr::asked{pending()}}},
        {st::polling, "polling", {pr::start{}, recorded(), pr::asked{pending()}, pr::timer_fired{}}},
        {st::exchanging, "exchanging", {pr::start{}, recorded(), pr::asked{approved()}}},
        {st::exchange_later, "exchange_later", {pr::start{}, recorded(), pr::asked{approved()}, unreachable}},
        {st::approved,
         "approved",
         {pr::start{}, recorded(), pr::asked{approved()}, pr::exchanged{trouble(errc::as_rate_limited, 60)}}},
        {st::settled, "settled", {pr::start{}, recorded(), pr::asked{denied()}}},
    };
    std::string const closed = "error: session closed";
    struct event_row {
        char const* name;
        pr::event event;
        std::vector<std::pair<st, std::string>> legal;
    };
    std::vector<event_row> const events{
        {"start", pr::start{}, {{st::idle, "record"}, {st::in_doubt, "look"}, {st::approved, "exchange"}}},
        {"resumed", pr::resumed{pending()}, {{st::idle, "pause 500"}}},
        {"recorded", recorded(), {{st::recording, "ask"}}},
        {"asked", pr::asked{approved()}, {{st::asking, "exchange"}}},
        {"looked", found(pending()), {{st::looking, "pause 500"}}},
        {"polled", pr::polled{approved()}, {{st::polling, "exchange"}}},
        {"learned",
         pr::learned{approved()},
         {{st::pending, "exchange"},
          {st::polling, "exchange"},
          {st::exchanging, "nothing"},
          {st::exchange_later, "nothing"},
          {st::approved, "nothing"},
          {st::settled, "nothing"}}},
        {"exchanged", pr::exchanged{token()}, {{st::exchanging, "granted scoped"}}},
        {"timer_fired",
         pr::timer_fired{},
         {{st::ask_later, "ask"},
          {st::look_later, "look"},
          {st::pending, "poll 3605000"},
          {st::polling, "expired: nobody decided in time"},
          {st::exchange_later, "exchange"}}},
        {"close",
         pr::close{},
         {{st::idle, closed},
          {st::recording, closed},
          {st::asking, closed},
          {st::ask_later, closed},
          {st::look_later, closed},
          {st::looking, closed},
          {st::in_doubt, closed},
          {st::pending, closed},
          {st::polling, closed},
          {st::exchanging, closed},
          {st::exchange_later, closed},
          {st::approved, closed},
          {st::settled, "nothing"}}},
    };
    for (auto const& s : states)
        for (auto const& e : events) {
            INFO(e.name << " in " << s.name);
            pr machine{{}};
            for (auto const& step : s.way) (void)machine.resume(step, at(0));
            REQUIRE(machine.current() == s.state);
            std::string expected = "broken: " + std::string(e.name) + " in state " + s.name;
            bool legal = false;
            for (auto const& [state, action] : e.legal)
                if (state == s.state) {
                    expected = action;
                    legal = true;
                }
            CHECK(text_of(machine.resume(e.event, at(0))) == expected);
            if (!legal) CHECK(machine.current() == s.state);
        }
}
