#include "jitproxy/jit/token_keeper.hpp"

#include "fakes.hpp"

using namespace jitproxy;
using namespace jitproxy::jit;
using namespace jitproxy::jit::test;

namespace {

steady_time at(double s) {
    return steady_time{} + std::chrono::hours(1) + milliseconds(static_cast<int>(s * 1000));
}
access_token life(seconds s) {
    return token_of("agent-x", s);
}
std::string text_of(token_machine::action a) {
    std::string text;
    if (a.changed) text += "changed ";
    if (a.answer) text += "answer ";
    if (a.fetch) text += "fetch ";
    return text.empty() ? "nothing" : text.substr(0, text.size() - 1);
}
using st = token_machine::state;

}  // namespace

TEST_CASE("token: when it is renewed, and until when it is used") {
    struct row {
        seconds life;
        double renewed;  // after so many seconds; -1: when it is wanted
        double used;
    };
    for (auto const& r : std::vector<row>{
             {seconds(3600), 2880, 3585},  // 80 %
             {seconds(600), 480, 585},
             {seconds(300), 240, 285},
             {seconds(100), 80, 90},  // the margin is a tenth at most
             {seconds(75), 60, 67.5},
             {seconds(60), 45, 54},  // the margin before its end, which is earlier
             {seconds(59), 47.2, 53.1},
             {seconds(20), 16, 18},
             {seconds(10), 8, 9},
             {seconds(9), -1, 8.1},
             {seconds(1), -1, 0.9},
             {seconds(0), 240, 285},  // missing: five minutes
             {seconds(-7), 240, 285},
             {std::chrono::hours(24 * 365 * 200), 69120, 86385},  // a day at most
         }) {
        INFO(r.life.count());
        token_machine m{seconds(15)};
        CHECK(text_of(m.wanted(at(0))) == "fetch");
        CHECK(text_of(m.fetched(life(r.life), at(0))) == "changed answer");
        if (r.renewed < 0)
            CHECK_FALSE(m.wake_at().has_value());
        else
            CHECK(m.wake_at() == at(r.renewed));
        CHECK(m.current(at(r.used - 0.001)).has_value());
        CHECK(m.current_state(at(r.used - 0.001)) == st::live);
        CHECK(m.current(at(r.used)).has_error());
        CHECK(m.current_state(at(r.used)) == st::none);
    }
}

TEST_CASE("token: a large margin does not make it useless") {
    token_machine m{seconds(600)};
    (void)m.wanted(at(0));
    (void)m.fetched(life(seconds(100)), at(0));
    CHECK(m.wake_at() == at(50));
    CHECK(m.current(at(89)).has_value());
}

TEST_CASE("token: one fetch for all, and none while it is good") {
    token_machine m{seconds(15)};
    CHECK(m.current_state(at(0)) == st::none);
    CHECK(m.current(at(0)).has_error());
    CHECK(text_of(m.wanted(at(0))) == "fetch");
    CHECK(m.current_state(at(0)) == st::fetching);
    CHECK(text_of(m.wanted(at(0))) == "nothing");
    CHECK(text_of(m.woke(at(0))) == "nothing");
    CHECK(text_of(m.fetched(life(seconds(100)), at(1))) == "changed answer");
    CHECK(text_of(m.wanted(at(2))) == "answer");
    CHECK(m.current(at(2))->generation == 1);
    CHECK(text_of(m.woke(at(80))) == "nothing");  // too early
    CHECK(text_of(m.woke(at(81))) == "fetch");
    CHECK(m.current_state(at(81)) == st::live);
    CHECK(text_of(m.wanted(at(82))) == "answer");
    CHECK(text_of(m.wanted(at(99))) == "nothing");  // has died; the renewal is on its way
    CHECK(text_of(m.fetched(life(seconds(100)), at(99))) == "changed answer");
    CHECK(m.current(at(99))->generation == 2);
}

TEST_CASE("token: refused") {
    token_machine m{seconds(15)};
    (void)m.wanted(at(0));
    (void)m.fetched(life(seconds(100)), at(0));
    CHECK(text_of(m.refused(1, at(1))) == "fetch");
    CHECK(m.current(at(1)).has_error());
    CHECK(text_of(m.refused(1, at(1))) == "nothing");
    (void)m.fetched(life(seconds(100)), at(2));
    CHECK(text_of(m.refused(1, at(3))) == "answer");  // old news
    CHECK(m.current(at(3))->generation == 2);
    // Refused again at once: not the token is at fault, and it stays.
    CHECK(text_of(m.refused(2, at(15.9))) == "answer");
    CHECK(m.current(at(15.9))->generation == 2);
    // While a renewal is on its way anyhow.
    CHECK(text_of(m.woke(at(82))) == "fetch");
    CHECK(text_of(m.refused(2, at(82))) == "nothing");
    CHECK(m.current_state(at(82)) == st::fetching);
}

TEST_CASE("token: failures are told at once and tried again with growing pauses") {
    token_machine m{seconds(15)};
    (void)m.wanted(at(0));
    double now = 0;
    for (int const pause : {1, 2, 4, 8, 16, 32, 60, 60}) {
        CHECK(text_of(m.fetch_failed(make_error(errc::as_unreachable, "down"), at(now))) == "answer");
        CHECK(m.current_state(at(now)) == st::failed);
        CHECK(m.wake_at() == at(now + pause));
        CHECK(m.current(at(now)).error().code == errc::as_unreachable);
        CHECK(m.current(at(now)).error().retry_after == std::min(pause, 2));
        now += pause;
        CHECK(text_of(m.woke(at(now))) == "fetch");
        CHECK_FALSE(m.wake_at().has_value());
    }
    (void)m.fetched(life(seconds(100)), at(now));
    CHECK_FALSE(m.last_error().has_value());
    (void)m.woke(at(now + 80));
    (void)m.fetch_failed(make_error(errc::as_unreachable), at(now + 80));
    CHECK(m.wake_at() == at(now + 81));          // pauses begin anew
    CHECK(m.current(at(now + 81)).has_value());  // and the old one is used as long as it lives
}

TEST_CASE("token: who wants it does not make us ask more often than every two seconds, or than the AS allows") {
    token_machine m{seconds(15)};
    (void)m.wanted(at(0));
    (void)m.fetch_failed(make_error(errc::as_unreachable), at(0));
    (void)m.woke(at(1));
    (void)m.fetch_failed(make_error(errc::as_unreachable), at(1));
    (void)m.woke(at(3));
    (void)m.fetch_failed(make_error(errc::as_unreachable), at(3));  // our own next attempt: at 7
    CHECK(text_of(m.wanted(at(4.9))) == "answer");
    CHECK(text_of(m.wanted(at(5))) == "fetch");
    (void)m.fetch_failed({errc::as_rate_limited, "slow down", 30}, at(5));
    CHECK(text_of(m.wanted(at(34.9))) == "answer");
    CHECK(m.current(at(5)).error().retry_after == 30);
    CHECK(text_of(m.wanted(at(35))) == "fetch");
    (void)m.fetch_failed(make_error(errc::as_rejected, "bad credentials"), at(36));
    CHECK(m.current(at(36)).error().retry_after == 0);
}

TEST_CASE("keeper: waiters, change, renewal") {
    manual_clock clock;
    lane<access_token> as(clock, "token");
    std::vector<std::string> happened;
    token_keeper keeper(
        clock, seconds(15), [&](callback<access_token> done) { as.called(std::move(done)); },
        [&] { happened.push_back("changed"); });
    auto const wait = [&](std::string const& name) {
        return [&, name](result<bearer> const& b) {
            happened.push_back(name + " " +
                               (b.has_value() ? shown(b->token) + "/" + std::to_string(b->generation)
                                              : std::string(name_of(b.error().code))));
        };
    };
    as.holds();
    keeper.get(wait("a"));
    keeper.get(wait("b"));
    CHECK(as.calls() == 1);
    CHECK(keeper.state() == st::fetching);
    CHECK_FALSE(keeper.current().token);
    as.release(token_of("agent-1", seconds(100)));
    CHECK(happened == std::vector<std::string>{"changed", "a agent-1/1", "b agent-1/1"});
    CHECK(keeper.expires_at() == clock.wall_now() + seconds(100));
    happened.clear();
    keeper.get(wait("c"));
    CHECK(happened.empty());  // never from within the call
    clock.settle();
    CHECK(happened == std::vector<std::string>{"c agent-1/1"});
    happened.clear();
    as.answers(token_of("agent-2", seconds(100)));
    clock.advance(seconds(80));
    CHECK(happened == std::vector<std::string>{"changed"});
    CHECK(shown(keeper.current().token) == "agent-2");
    happened.clear();
    as.fails(errc::as_unreachable);
    keeper.renew(2, wait("d"));
    keeper.renew(1, wait("e"));
    clock.settle();
    CHECK(happened == std::vector<std::string>{"d as_unreachable", "e as_unreachable"});
    CHECK(keeper.last_error() == "token failed");
    CHECK_FALSE(keeper.expires_at().has_value());
    happened.clear();
    as.answers(access_token{nullptr, seconds(100)}).answers(access_token{make_secret("agent-3"), seconds(0)});
    clock.advance(seconds(1));
    CHECK(keeper.state() == st::failed);  // an answer without a token is none
    clock.advance(seconds(2));
    CHECK(shown(keeper.current().token) == "agent-3");
    CHECK(keeper.current().generation == 3);
    CHECK(keeper.expires_at() == clock.wall_now() + seconds(300));
    as.verify();
}

TEST_CASE("keeper: gone while a token is on its way") {
    manual_clock clock;
    lane<access_token> as(clock, "token");
    int told = 0;
    {
        token_keeper keeper(
            clock, seconds(15), [&](callback<access_token> done) { as.called(std::move(done)); }, [&] { ++told; });
        as.holds();
        keeper.get([&](result<bearer> const&) { ++told; });
    }
    as.release(token_of("agent-1"));
    CHECK(told == 0);
    CHECK(clock.timers() == 0);
}

TEST_CASE("token: mended credentials are no reason to come back sooner than the authorization server has said") {
    token_machine m(seconds(15));
    (void)m.wanted(at(0));
    (void)m.mended(at(1));
    CHECK(text_of(m.fetch_failed({errc::as_rate_limited, "slow down", 30}, at(2))) == "answer");
    CHECK(m.wake_at() == at(32));
    CHECK(text_of(m.wanted(at(31))) == "answer");
    CHECK(text_of(m.woke(at(32))) == "fetch");
    CHECK(text_of(m.fetch_failed(make_error(errc::as_rejected), at(33))) == "answer");  // it began behind the mending
}

TEST_CASE("token: a fetch that began before its credentials were mended fails for nobody") {
    token_machine m(seconds(15));
    CHECK(text_of(m.wanted(at(0))) == "fetch");
    CHECK(text_of(m.mended(at(1))) == "nothing");
    CHECK(text_of(m.fetch_failed(make_error(errc::as_rejected, "invalid_client"), at(2))) == "fetch");
    CHECK(m.current_state(at(2)) == st::fetching);
    SECTION("and the next one counts") {
        CHECK(text_of(m.fetch_failed(make_error(errc::as_rejected, "invalid_client"), at(3))) == "answer");
        CHECK(m.current_state(at(3)) == st::failed);
        CHECK(text_of(m.mended(at(4))) == "fetch");
        CHECK(text_of(m.fetch_failed(make_error(errc::as_unreachable), at(5))) == "answer");
    }
    SECTION("or is good") {
        CHECK(text_of(m.fetched(life(seconds(300)), at(3))) == "changed answer");
        CHECK(text_of(m.woke(at(243))) == "fetch");
        CHECK(text_of(m.fetch_failed(make_error(errc::as_unreachable), at(244))) == "answer");
    }
}
