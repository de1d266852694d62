// Sessions that the authorization server ends: what it says of their tasks, and what is left of their tokens.
#include "jitproxy/base/encoding.hpp"
#include "jitproxy/jit/text.hpp"
#include "sessions.hpp"

namespace jitproxy::jit {

namespace {

constexpr std::size_t most_suspended = 100;  // suspended sessions whose requests are told so
// A new automatic session at once would make the suspension worthless.
constexpr seconds automatic_penalty{60};

}  // namespace

void session_table::task_died(std::string const& session_id, std::string const& why) {
    auto const s = find(session_id);
    if (!s || !s->serving()) return;
    if (to_lower(why).find("suspend") != std::string::npos) return suspend(s, why);
    close(s, "the authorization server ended its task");
}

void session_table::suspend(session_ptr const& s, std::string const& why) {
    s->suspended = one_line(why, longest_reason);
    if (s->order.automatic) {
        automatic_failed_ = error{errc::as_inactive, "the session is suspended: " + s->suspended,
                                  static_cast<int>(automatic_penalty.count())};
        automatic_not_before_ = core_.now() + automatic_penalty;
    }
    core_.emit("session.suspended", s->info.session_id, {{"task_id", s->info.task_id}, {"reason", s->suspended}});
    close(s, "suspended by the authorization server");
}

void session_table::watch_evaluation(session_ptr const& s) {
    if (core_.options.evaluate_every <= milliseconds(0)) return;
    s->evaluation.arm(core_.options.evaluate_every, [this, weak = std::weak_ptr(s)] {
        auto const alive = weak.lock();
        if (!alive || !alive->serving()) return;
        call_as<evaluation>(
            core_, alive->keeper,
            [this, task_id = alive->info.task_id](secret_ptr bearer, callback<evaluation> done) {
                core_.ports.as.evaluate_task(std::move(bearer), task_id, std::move(done));
            },
            then<evaluation>(alive, [this](session_ptr const& me, result<evaluation> const& answer) {
                if (!me->serving()) return;
                if (answer.has_value() && !answer->active) return suspend(me, answer->reason);
                if (answer.has_error() && answer.error().code == errc::as_inactive)
                    return task_died(me->info.session_id, answer.error().detail);
                if (answer.has_error())  // no verdict: it is asked for again
                    log::debug("a task could not be evaluated",
                               {{"session", me->info.session_id}, {"error", name_of(answer.error().code)}});
                watch_evaluation(me);
            }));
    });
}

// Completing the task ends them as well: whichever the AS does first. Not waited for.
void session_table::revoke_scoped(session_record& s) {
    for (auto const& token : std::exchange(s.scoped_tokens, {})) core_.revoke(s.agent, token, s.info.session_id);
}

// A suspended session stays known, without its bearer, so that its requests are told why; the oldest are forgotten.
void session_table::withdraw(session_record const& s) {
    auto const& id = s.info.session_id;
    if (s.suspended.empty() || s.order.automatic) return core_.ports.snapshots.withdraw(id);
    suspended_.push_back(id);
    if (suspended_.size() <= most_suspended) return;
    core_.ports.snapshots.withdraw(suspended_.front());
    suspended_.pop_front();
}

}  // namespace jitproxy::jit
