#include "recovery.hpp"

namespace jitproxy::jit {

void recovery::start(std::shared_ptr<token_keeper> agent) {
    agent_ = std::move(agent);
    auto const left = core_.ports.journal.left_open();
    if (left.has_error()) return core_.report(left.error(), {});
    for (auto const& t : *left) {
        if (t.task_id.empty()) {
            // Nobody knows its id: whether it exists only the AS can say. It ends there when its time is over.
            log::warning("a task may have been left open at the authorization server; its id is not known",
                         {{"session", t.session_id}, {"opened_at", format_rfc3339(t.opened_at)}});
            core_.emit("task.uncertain", t.session_id, {{"opened_at", format_rfc3339(t.opened_at)}});
            core_.record(t.session_id, records::task_closed{t.session_id});
            continue;
        }
        auto const j = std::make_shared<job>(core_.ports.clock);
        j->task = t;
        jobs_.push_back(j);
    }
    auto const all = jobs_;
    for (auto const& j : all) attempt(j);
}

void recovery::attempt(std::shared_ptr<job> const& j) {
    call_as<completion>(
        core_, agent_,
        [this, task_id = j->task.task_id](secret_ptr bearer, callback<completion> done) {
            core_.ports.as.complete_task(std::move(bearer), task_id, std::move(done));
        },
        while_alive(core_.alive, [this, j](result<completion> const& answer) {
            if (answer.has_value() || answer.error().code == errc::as_inactive) return done(j);
            log::warning("a task of an earlier life could not be completed yet",
                         {{"task", j->task.task_id}, {"error", name_of(answer.error().code)}});
            j->retry.arm(j->pauses.next(answer.error().retry_after), [this, weak = std::weak_ptr(j)] {
                if (auto const alive = weak.lock()) attempt(alive);
            });
        }));
}

void recovery::done(std::shared_ptr<job> const& j) {
    std::erase(jobs_, j);
    core_.record(j->task.session_id, records::task_closed{j->task.session_id});
    core_.emit("task.recovered", j->task.session_id, {{"task_id", j->task.task_id}});
}

}  // namespace jitproxy::jit
