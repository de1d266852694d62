#include "jitproxy/jit/permission_request.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "jitproxy/jit/text.hpp"
#include "permission_trouble.hpp"

namespace jitproxy::jit {

namespace {

constexpr unsigned most_exchanges = 4;
constexpr seconds longest_retry_after{60};

}  // namespace

permission_request::action permission_request::resume(event const& e, wall_time now) {
    return std::visit([&](auto const& each) { return on(each, now); }, e);
}

permission_request::action permission_request::on(start const&, wall_time now) {
    if (state_ == state::approved) return fetch_token();
    if (state_ == state::in_doubt) return doubted(now);
    if (state_ != state::idle) return illegal("start");
    state_ = state::recording;
    return record{};
}

permission_request::action permission_request::on(resumed const& e, wall_time now) {
    if (state_ != state::idle) return illegal("resumed");
    give_up_at_ = now + longest_patience;
    learn(e.known, now);
    return pause_for(poll_pauses_.next(), now);
}

permission_request::action permission_request::on(recorded const& e, wall_time) {
    if (state_ != state::recording) return illegal("recorded");
    if (e.outcome.has_error()) return end(e.outcome.error());
    return ask_again();
}

permission_request::action permission_request::on(asked const& e, wall_time now) {
    if (state_ != state::asking) return illegal("asked");
    if (e.answer.has_error()) {
        auto const& what = e.answer.error();
        // A 429 was not processed: asking again is safe, and cheaper for the client than failing.
        if (what.code == errc::as_rate_limited && asks_ < most_asks && what.retry_after > 0 &&
            what.retry_after <= longest_rate_pause) {
            state_ = state::ask_later;
            return pause{seconds(what.retry_after)};
        }
        if (may_be_done(what.code)) return doubt(what, now);
        return end(what);
    }
    if (e.answer->request_id.empty() &&
        (e.answer->status == request_status::pending || e.answer->status == request_status::approved))
        return doubt(make_error(errc::as_malformed, "the authorization server's answer names no request_id"), now);
    give_up_at_ = now + longest_patience;
    learn(*e.answer, now);
    return follow(now, e.answer->retry_after);
}

permission_request::action permission_request::on(polled const& e, wall_time now) {
    if (state_ != state::polling) return illegal("polled");
    if (e.answer.has_value()) {
        learn(*e.answer, now);
        return follow(now, e.answer->retry_after);
    }
    auto const& what = e.answer.error();
    if (!keeps_request(what.code)) return end(what);
    // Silent or in trouble: the request may well be decided, so look again until its time is over.
    std::optional<seconds> later;
    if (what.retry_after > 0) later = seconds(what.retry_after);
    return follow(now, later);
}

permission_request::action permission_request::on(learned const& e, wall_time now) {
    switch (state_) {
        case state::pending:
        case state::polling: {
            if (e.known.status == request_status::pending) return nothing{};
            learn(e.known, now);
            return follow(now, {});
        }
        case state::exchanging:
        case state::exchange_later:
        case state::approved:
        case state::settled:
            return nothing{};
        default:
            return illegal("learned");
    }
}

permission_request::action permission_request::on(exchanged const& e, wall_time) {
    if (state_ != state::exchanging) return illegal("exchanged");
    if (e.answer.has_value()) {
        if (!e.answer->value)
            return end(make_error(errc::as_malformed, "the authorization server's answer holds no token"));
        state_ = state::settled;
        outcome_ = permission_status::granted;
        settle done;
        done.outcome.status = permission_status::granted;
        done.outcome.request_id = known_.request_id;
        done.token = *e.answer;
        return done;
    }
    auto const& what = e.answer.error();
    if (exchange_unclear_ && what.code == errc::as_rejected) {
        // An approval is exchanged once. The token that got lost ends with its task; the need is asked for anew.
        auto lost = what;
        lost.detail = "the token was made, but lost on its way: send the request again";
        lost.retry_after = 1;
        return end(lost);
    }
    if (!keeps_request(what.code)) return end(what);
    exchange_unclear_ = exchange_unclear_ || may_be_done(what.code);
    if (what.code != errc::as_down && exchanges_ < most_exchanges && what.retry_after <= longest_rate_pause) {
        state_ = state::exchange_later;
        return pause{exchange_pauses_.next(what.retry_after)};
    }
    state_ = state::approved;
    return fail_for_now{outcome_of(what, known_.request_id)};
}

permission_request::action permission_request::on(timer_fired const&, wall_time now) {
    switch (state_) {
        case state::ask_later:
            return ask_again();
        case state::look_later:
            state_ = state::looking;
            return look{};
        case state::pending: {
            state_ = state::polling;
            // The last poll begins when the time is over, and gets a few seconds of its own.
            auto const left = std::chrono::ceil<milliseconds>(give_up_at_ - now);
            return poll{left > milliseconds(0) ? left + timing_.poll_longest : timing_.poll_longest};
        }
        case state::polling:  // no answer in time
            return end(permission_status::expired, "nobody decided in time");
        case state::exchange_later:
            return fetch_token();
        default:
            return illegal("timer_fired");
    }
}

permission_request::action permission_request::on(close const& e, wall_time) {
    if (state_ == state::settled) return nothing{};
    if (!e.suspended.empty()) return end(make_error(errc::as_inactive, "this session is suspended: " + e.suspended));
    return end(permission_status::error, "session closed");
}

void permission_request::learn(request_state const& news, wall_time now) {
    // What was said of another status ("waits for approval") does not explain this one.
    if (known_.status != news.status) known_.reason.clear();
    known_.status = news.status;
    auto const keep = [](std::string& mine, std::string const& theirs) {
        if (!theirs.empty()) mine = theirs;
    };
    keep(known_.request_id, news.request_id);
    keep(known_.risk_level, news.risk_level);
    keep(known_.status_url, news.status_url);
    keep(known_.token_url, news.token_url);
    keep(known_.reason, news.reason);
    if (!news.expires_at) return;
    // One that lies in the past when it is first heard of says that our clocks disagree, not that it is over.
    if (known_.expires_at || *news.expires_at > now) give_up_at_ = *news.expires_at;
    known_.expires_at = news.expires_at;
}

permission_request::action permission_request::follow(wall_time now, std::optional<seconds> retry_after) {
    switch (known_.status) {
        case request_status::approved:
            return fetch_token();
        case request_status::denied:
            return end(permission_status::denied, known_.reason.empty() ? "denied, without a reason" : known_.reason);
        case request_status::expired:
            return end(permission_status::expired, known_.reason.empty() ? "nobody decided in time" : known_.reason);
        case request_status::pending:
            break;
    }
    if (now >= give_up_at_) return end(permission_status::expired, "nobody decided in time");
    auto delay = poll_pauses_.next();
    if (retry_after && *retry_after > seconds(0)) delay = std::min(*retry_after, longest_retry_after);
    return pause_for(delay, now);
}

permission_request::action permission_request::pause_for(milliseconds delay, wall_time now) {
    state_ = state::pending;
    return pause{std::min(delay, std::chrono::ceil<milliseconds>(give_up_at_ - now))};
}

permission_request::action permission_request::ask_again() {
    state_ = state::asking;
    ++asks_;
    return ask{};
}

permission_request::action permission_request::fetch_token() {
    if (state_ == state::approved) exchanges_ = 0, exchange_pauses_.reset();
    state_ = state::exchanging;
    ++exchanges_;
    return exchange{};
}

permission_request::action permission_request::end(permission_status status, std::string const& reason) {
    state_ = state::settled;
    outcome_ = status;
    settle done;
    done.outcome.status = status;
    done.outcome.request_id = known_.request_id;
    done.outcome.reason = one_line(reason, longest_reason);
    return done;
}

permission_request::action permission_request::end(error const& what) {
    state_ = state::settled;
    settle done;
    done.outcome = outcome_of(what, known_.request_id);
    outcome_ = done.outcome.status;
    return done;
}

int permission_request::retry_after() const noexcept {
    return static_cast<int>(std::max<std::int64_t>(1, std::chrono::ceil<seconds>(timing_.poll_longest).count()));
}

bool permission_request::startable() const noexcept {
    return state_ == state::idle || state_ == state::approved || state_ == state::in_doubt;
}

bool permission_request::waits() const noexcept {
    return state_ == state::pending || state_ == state::polling || state_ == state::ask_later ||
           state_ == state::look_later || state_ == state::looking || state_ == state::exchange_later;
}

std::string_view permission_request::status() const noexcept {
    if (state_ == state::settled) return to_string(outcome_);
    if (state_ == state::in_doubt) return to_string(permission_status::error);
    if (state_ == state::exchanging || state_ == state::exchange_later || state_ == state::approved) return "approved";
    return "pending";
}

permission_request::action permission_request::illegal(char const* what) const {
    static constexpr std::array names{"idle",           "recording", "asking",  "ask_later", "look_later",
                                      "looking",        "in_doubt",  "pending", "polling",   "exchanging",
                                      "exchange_later", "approved",  "settled"};
    return broken{std::string(what) + " in state " + names[static_cast<std::size_t>(state_)]};
}

}  // namespace jitproxy::jit
