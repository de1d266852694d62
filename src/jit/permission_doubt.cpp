// permission_request: what is done where the asking had no clear answer.
#include "jitproxy/jit/permission_request.hpp"
#include "jitproxy/jit/text.hpp"
#include "permission_trouble.hpp"

namespace jitproxy::jit {

namespace {

constexpr unsigned most_looks = 3;
constexpr unsigned looks_enough = 2;

}  // namespace

// A request whose filing had no clear answer is never filed again blindly: a human may have it already.
permission_request::action permission_request::doubt(error const& what, wall_time now) {
    unclear_ = what;
    absent_ = 0;
    look_pauses_.reset();
    if (what.retry_after > longest_rate_pause) return doubtful(now);
    state_ = state::look_later;
    return pause{look_pauses_.next(what.retry_after)};
}

// Somebody needs it again: we look once more, or, where there is nothing to look at, ask once more after a while.
permission_request::action permission_request::doubted(wall_time now) {
    asks_ = looks_ = absent_ = 0;
    look_pauses_.reset();
    if (list_closed_) return now < ask_again_at_ ? doubtful(now) : ask_again();
    state_ = state::looking;
    return look{};
}

permission_request::action permission_request::on(looked const& e, wall_time now) {
    if (state_ != state::looking) return illegal("looked");
    if (e.answer.has_value()) {
        if (!*e.answer) {
            // An AS that was slow may still be at it: only what is missing twice was never filed, or was decided at
            // once, without a human.
            if (++absent_ < looks_enough) {
                state_ = state::look_later;
                return pause{look_pauses_.next()};
            }
            return asks_ < most_asks ? ask_again() : end(unclear_);
        }
        give_up_at_ = now + longest_patience;
        learn(**e.answer, now);
        return follow(now, {});
    }
    auto const& what = e.answer.error();
    if (what.code == errc::as_down) {  // nobody is to hang for that
        state_ = state::in_doubt;
        return fail_for_now{outcome_of(what)};
    }
    bool const trouble = keeps_request(what.code);
    if (trouble && ++looks_ < most_looks && what.retry_after <= longest_rate_pause) {
        state_ = state::look_later;
        return pause{look_pauses_.next(what.retry_after)};
    }
    if (what.code == errc::as_inactive) return end(what);
    if (!trouble) {
        list_closed_ = true;
        ask_again_at_ = now + timing_.unclear_memory;
    }
    return doubtful(now);
}

permission_request::action permission_request::doubtful(wall_time now) {
    state_ = state::in_doubt;
    auto outcome = outcome_of(unclear_);
    outcome.reason =
        one_line("it is not clear whether the permission was asked for: " + outcome.reason, longest_reason);
    if (list_closed_ && ask_again_at_ > now)
        outcome.retry_after = static_cast<int>(std::chrono::ceil<seconds>(ask_again_at_ - now).count());
    return fail_for_now{std::move(outcome)};
}

}  // namespace jitproxy::jit
