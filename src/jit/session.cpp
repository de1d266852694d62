#include "jitproxy/jit/session.hpp"

#include <array>
#include <utility>

namespace jitproxy::jit {

namespace {

error closed_while_opening() {
    return make_error(errc::shutting_down, "the session was closed while it was being opened");
}

// After these the AS may have made the task all the same.
bool leaves_doubt(errc code) {
    return code == errc::as_unclear || code == errc::as_malformed;
}

}  // namespace

session_machine::action session_machine::resume(event const& e) {
    return std::visit([this](auto const& each) { return on(each); }, e);
}

session_machine::action session_machine::on(start const&) {
    if (state_ != state::idle) return illegal("start");
    state_ = state::authorizing;
    return get_bearer{};
}

session_machine::action session_machine::on(resume_open const&) {
    if (state_ != state::idle) return illegal("resume_open");
    state_ = state::open;
    return announce{};
}

session_machine::action session_machine::on(authorized const& e) {
    if (state_ != state::authorizing) return illegal("authorized");
    if (e.outcome.has_error()) return fail(e.outcome.error(), journal_entry::none);
    if (close_wanted_) return fail(closed_while_opening(), journal_entry::none);
    state_ = state::noting;
    return note{};
}

session_machine::action session_machine::on(noted const& e) {
    if (state_ != state::noting) return illegal("noted");
    if (e.outcome.has_error()) return fail(e.outcome.error(), journal_entry::none);
    if (close_wanted_) return fail(closed_while_opening(), journal_entry::forget);
    state_ = state::creating;
    return create{};
}

session_machine::action session_machine::on(created const& e) {
    if (state_ != state::creating) return illegal("created");
    if (e.answer.has_error()) {
        auto const& what = e.answer.error();
        return fail(what, leaves_doubt(what.code) ? journal_entry::keep : journal_entry::forget);
    }
    if (e.answer->task_id.empty())
        return fail(make_error(errc::as_malformed, "the authorization server's answer names no task_id"),
                    journal_entry::keep);
    state_ = state::recording;
    return record{*e.answer};
}

session_machine::action session_machine::on(recorded const& e) {
    if (state_ != state::recording) return illegal("recorded");
    // A task that the journal does not know would be left behind by a crash: it is closed at once.
    if (e.outcome.has_error() || close_wanted_) {
        state_ = state::draining;
        return wind_down{e.outcome.has_error() ? e.outcome.error() : closed_while_opening()};
    }
    state_ = state::open;
    return announce{};
}

session_machine::action session_machine::on(close const&) {
    switch (state_) {
        case state::authorizing:
        case state::noting:
        case state::creating:
        case state::recording:
            close_wanted_ = true;
            return nothing{};
        case state::open:
            state_ = state::draining;
            return wind_down{};
        case state::draining:
        case state::completing:
        case state::retrying:
        case state::completed:
        case state::failed:
            return nothing{};
        case state::idle:
            break;
    }
    return illegal("close");
}

session_machine::action session_machine::on(drained const&) {
    if (state_ != state::draining) return illegal("drained");
    state_ = state::completing;
    return complete{};
}

session_machine::action session_machine::on(completion_answered const& e) {
    if (state_ != state::completing) return illegal("completion_answered");
    // A task that the AS calls inactive has no live token any more: as good as completed by us.
    if (e.answer.has_value() || e.answer.error().code == errc::as_inactive) {
        state_ = state::completed;
        return finish{};
    }
    state_ = state::retrying;
    return pause{pauses_.next(e.answer.error().retry_after)};
}

session_machine::action session_machine::on(timer_fired const&) {
    if (state_ != state::retrying) return illegal("timer_fired");
    state_ = state::completing;
    return complete{};
}

session_machine::action session_machine::fail(error what, journal_entry entry) {
    state_ = state::failed;
    return give_up{std::move(what), entry};
}

session_machine::action session_machine::illegal(char const* what) const {
    static constexpr std::array names{"idle",     "authorizing", "noting",   "creating",  "recording", "open",
                                      "draining", "completing",  "retrying", "completed", "failed"};
    return broken{std::string(what) + " in state " + names[static_cast<std::size_t>(state_)]};
}

}  // namespace jitproxy::jit
