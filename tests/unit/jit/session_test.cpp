#include "jitproxy/jit/session.hpp"

#include <utility>

#include "catch.hpp"

using namespace jitproxy;
using namespace jitproxy::jit;

namespace {

using sm = session_machine;
using st = sm::state;

struct tell {
    std::string operator()(sm::nothing const&) const { return "nothing"; }
    std::string operator()(sm::get_bearer const&) const { return "get bearer"; }
    std::string operator()(sm::note const&) const { return "note"; }
    std::string operator()(sm::create const&) const { return "create"; }
    std::string operator()(sm::record const& a) const { return "record " + a.opened.task_id; }
    std::string operator()(sm::announce const&) const { return "announce"; }
    std::string operator()(sm::give_up const& a) const {
        static char const* const entries[] = {"", ", forget", ", keep"};
        return "give up " + std::string(name_of(a.what.code)) + entries[static_cast<int>(a.entry)];
    }
    std::string operator()(sm::wind_down const& a) const {
        return a.opening ? "wind down " + std::string(name_of(a.opening->code)) : "wind down";
    }
    std::string operator()(sm::complete const&) const { return "complete"; }
    std::string operator()(sm::pause const& a) const { return "pause " + std::to_string(a.delay.count()); }
    std::string operator()(sm::finish const&) const { return "finish"; }
    std::string operator()(sm::broken const& a) const { return "broken: " + a.what; }
};
std::string text_of(sm::action const& a) {
    return std::visit(tell{}, a);
}

error down(int retry_after = 0) {
    return {errc::as_unreachable, "down", retry_after};
}
sm::event authorized() {
    return sm::authorized{result<void>{}};
}
sm::event noted() {
    return sm::noted{result<void>{}};
}
sm::event created(std::string id = "t") {
    return sm::created{task{std::move(id), {}}};
}
sm::event not_created(errc code) {
    return sm::created{make_error(code)};
}
sm::event recorded() {
    return sm::recorded{result<void>{}};
}
sm::event completed() {
    return sm::completion_answered{completion::completed};
}

struct step {
    sm::event event;
    std::string action;
    st after;
};
void play(std::string const& name, std::vector<step> const& steps) {
    sm machine;
    int number = 0;
    for (auto const& s : steps) {
        INFO(name << ", step " << ++number);
        CHECK(text_of(machine.resume(s.event)) == s.action);
        CHECK(machine.current() == s.after);
    }
}
std::vector<step> after(std::vector<step> first, std::vector<step> const& then) {
    first.insert(first.end(), then.begin(), then.end());
    return first;
}

std::vector<step> const noting{{sm::start{}, "get bearer", st::authorizing}, {authorized(), "note", st::noting}};
std::vector<step> const creating = after(noting, {{noted(), "create", st::creating}});
std::vector<step> const recording = after(creating, {{created(), "record t", st::recording}});
std::vector<step> const opened = after(recording, {{recorded(), "announce", st::open}});
std::vector<step> const draining = after(opened, {{sm::close{}, "wind down", st::draining}});
std::vector<step> const completing = after(draining, {{sm::drained{}, "complete", st::completing}});

}  // namespace

TEST_CASE("session: a whole life") {
    play("life", after(completing, {{completed(), "finish", st::completed}}));
    play("already complete",
         after(completing, {{sm::completion_answered{completion::already_complete}, "finish", st::completed}}));
    play("inactive",
         after(completing, {{sm::completion_answered{make_error(errc::as_inactive)}, "finish", st::completed}}));
}

TEST_CASE("session: it does not come to be") {
    play("no bearer", {{sm::start{}, "get bearer", st::authorizing},
                       {sm::authorized{down()}, "give up as_unreachable", st::failed}});
    play("no journal", after(noting, {{sm::noted{make_error(errc::storage)}, "give up storage", st::failed}}));
    for (auto const& [code, text] : std::vector<std::pair<errc, std::string>>{
             {errc::as_unreachable, "give up as_unreachable, forget"},
             {errc::as_unclear, "give up as_unclear, keep"},
             {errc::as_malformed, "give up as_malformed, keep"},
             {errc::as_rejected, "give up as_rejected, forget"},
             {errc::as_rate_limited, "give up as_rate_limited, forget"},
             {errc::as_inactive, "give up as_inactive, forget"},
         })
        play(text, after(creating, {{not_created(code), text, st::failed}}));
    play("a task without a name", after(creating, {{created(""), "give up as_malformed, keep", st::failed}}));
}

TEST_CASE("session: a task that the journal does not know is closed at once") {
    play("not recorded", after(recording, {{sm::recorded{make_error(errc::storage)}, "wind down storage", st::draining},
                                           {sm::drained{}, "complete", st::completing},
                                           {completed(), "finish", st::completed}}));
}

TEST_CASE("session: closed while it is being opened") {
    play("authorizing", {{sm::start{}, "get bearer", st::authorizing},
                         {sm::close{}, "nothing", st::authorizing},
                         {sm::close{}, "nothing", st::authorizing},
                         {authorized(), "give up shutting_down", st::failed}});
    play("authorizing in vain", {{sm::start{}, "get bearer", st::authorizing},
                                 {sm::close{}, "nothing", st::authorizing},
                                 {sm::authorized{down()}, "give up as_unreachable", st::failed}});
    play("noting",
         after(noting, {{sm::close{}, "nothing", st::noting}, {noted(), "give up shutting_down, forget", st::failed}}));
    play("noting in vain", after(noting, {{sm::close{}, "nothing", st::noting},
                                          {sm::noted{make_error(errc::storage)}, "give up storage", st::failed}}));
    play("creating", after(creating, {{sm::close{}, "nothing", st::creating},
                                      {created(), "record t", st::recording},
                                      {recorded(), "wind down shutting_down", st::draining}}));
    play("recording", after(recording, {{sm::close{}, "nothing", st::recording},
                                        {recorded(), "wind down shutting_down", st::draining}}));
    play("creating in vain",
         after(creating, {{sm::close{}, "nothing", st::creating},
                          {not_created(errc::as_rejected), "give up as_rejected, forget", st::failed}}));
}

TEST_CASE("session: completion is tried again with growing pauses") {
    std::vector<step> steps = completing;
    for (int const pause : {1, 2, 4, 8, 16, 32, 60, 60}) {
        steps.push_back({sm::completion_answered{down()}, "pause " + std::to_string(pause * 1000), st::retrying});
        steps.push_back({sm::close{}, "nothing", st::retrying});
        steps.push_back({sm::timer_fired{}, "complete", st::completing});
    }
    steps.push_back({sm::completion_answered{down(300)}, "pause 300000", st::retrying});
    steps.push_back({sm::timer_fired{}, "complete", st::completing});
    for (auto const code : {errc::as_rejected, errc::as_malformed, errc::as_rate_limited}) {
        steps.push_back({sm::completion_answered{make_error(code)}, "pause 60000", st::retrying});
        steps.push_back({sm::timer_fired{}, "complete", st::completing});
    }
    steps.push_back({completed(), "finish", st::completed});
    play("retrying", steps);
}

TEST_CASE("session: every event in every state") {
    struct state_row {
        st state;
        char const* name;
        std::vector<step> way;
    };
    std::vector<state_row> const states{
        {st::idle, "idle", {}},
        {st::authorizing, "authorizing", {{sm::start{}, "get bearer", st::authorizing}}},
        {st::noting, "noting", noting},
        {st::creating, "creating", creating},
        {st::recording, "recording", recording},
        {st::open, "open", opened},
        {st::draining, "draining", draining},
        {st::completing, "completing", completing},
        {st::retrying, "retrying", after(completing, {{sm::completion_answered{down()}, "pause 1000", st::retrying}})},
        {st::completed, "completed", after(completing, {{completed(), "finish", st::completed}})},
        {st::failed, "failed",
         after(creating, {{not_created(errc::as_rejected), "give up as_rejected, forget", st::failed}})},
    };
    struct event_row {
        char const* name;
        sm::event event;
        std::vector<std::pair<st, std::string>> legal;
    };
    std::vector<event_row> const events{
        {"start", sm::start{}, {{st::idle, "get bearer"}}},
        {"resume_open", sm::resume_open{}, {{st::idle, "announce"}}},
        {"authorized", authorized(), {{st::authorizing, "note"}}},
        {"noted", noted(), {{st::noting, "create"}}},
        {"created", created(), {{st::creating, "record t"}}},
        {"recorded", recorded(), {{st::recording, "announce"}}},
        {"close",
         sm::close{},
         {{st::authorizing, "nothing"},
          {st::noting, "nothing"},
          {st::creating, "nothing"},
          {st::recording, "nothing"},
          {st::open, "wind down"},
          {st::draining, "nothing"},
          {st::completing, "nothing"},
          {st::retrying, "nothing"},
          {st::completed, "nothing"},
          {st::failed, "nothing"}}},
        {"drained", sm::drained{}, {{st::draining, "complete"}}},
        {"completion_answered", completed(), {{st::completing, "finish"}}},
        {"timer_fired", sm::timer_fired{}, {{st::retrying, "complete"}}},
    };
    for (auto const& s : states)
        for (auto const& e : events) {
            INFO(e.name << " in " << s.name);
            sm machine;
            for (auto const& step : s.way) (void)machine.resume(step.event);
            REQUIRE(machine.current() == s.state);
            std::string expected = "broken: " + std::string(e.name) + " in state " + s.name;
            bool legal = false;
            for (auto const& [state, action] : e.legal)
                if (state == s.state) {
                    expected = action;
                    legal = true;
                }
            CHECK(text_of(machine.resume(e.event)) == expected);
            if (!legal) CHECK(machine.current() == s.state);
        }
}
