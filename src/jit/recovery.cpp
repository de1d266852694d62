#include "recovery.hpp"

#include <algorithm>

#include "jitproxy/jit/text.hpp"

namespace jitproxy::jit {

namespace {

// How long a task may live that does not say so itself.
constexpr auto unsaid_life = std::chrono::hours(24);

wall_time end_of(open_task const& t) {
    return t.expires_at.value_or(t.opened_at + unsaid_life);
}

}  // namespace

void recovery::start() {
    auto const left = core_.ports.journal.left_open();
    if (left.has_error()) return core_.report(left.error(), {});
    std::vector<job_ptr> begun;
    for (auto const& t : *left) {  // parents before their children: in the order in which they were opened
        if (t.task_id.empty()) {
            doubt(t);
            continue;
        }
        auto const agent = core_.agents.with_client_id(t.about.agent);
        if (!agent) {
            orphaned(t);
            continue;
        }
        auto why = why_not_resumed(t);
        if (why.empty()) {
            sessions_.resume(t, *agent);
            for (auto const& p : t.pending) desk_.resume(t.session_id, p);
            continue;
        }
        begun.push_back(make_job(t, std::move(why)));
        begun.back()->agent = *agent;
        jobs_.push_back(begun.back());
    }
    for (auto const& j : begun) attempt(j);
}

std::string recovery::why_not_resumed(open_task const& t) const {
    if (t.closing) return "it was being closed";
    if (t.about.owner == "run") return "its command has ended";
    if (!core_.options.resume) return "the proxy was restarted";
    if (t.about.owner != "hand") return "the proxy was restarted, and sessions of this kind are not taken up again";
    if (!core_.options.hash || t.about.secret_hash.empty()) return "the proxy was restarted without its hash key";
    if (t.expires_at && *t.expires_at <= core_.wall_now()) return "its task has expired";
    auto const& parent = t.about.parent_session_id;
    if (!parent.empty() && !sessions_.find(parent)) return "its parent session was closed";
    return {};
}

recovery::job_ptr recovery::make_job(open_task t, std::string why) const {
    auto j = std::make_shared<job>(core_.ports.clock);
    j->gives_up_at = end_of(t);
    j->task = std::move(t);
    j->why = std::move(why);
    return j;
}

void recovery::attempt(job_ptr const& j) {
    call_as<completion>(
        core_, core_.agents.keeper(j->agent),
        [this, task_id = j->task.task_id](secret_ptr bearer, callback<completion> done) {
            core_.ports.as.complete_task(std::move(bearer), task_id, std::move(done));
        },
        while_alive(core_.alive, [this, j](result<completion> const& answer) { answered(j, answer); }));
}

void recovery::answered(job_ptr const& j, result<completion> const& answer) {
    if (answer.has_value()) return done(j, *answer == completion::completed ? "completed" : "already_complete");
    auto const& what = answer.error();
    if (what.code == errc::as_inactive) return done(j, "already_complete");
    // An AS that cannot be reached will be again. One that refuses may do so for ever; its task ends by itself.
    if (what.code == errc::as_rejected && core_.wall_now() >= j->gives_up_at)
        return give_up(j, "the authorization server refuses to complete it: " + what.detail);
    log::warning("a task of an earlier life could not be completed yet",
                 {{"session", j->task.session_id},
                  {"task", j->task.task_id},
                  {"error", name_of(what.code)},
                  {"detail", one_line(what.detail, longest_reason)}});
    j->retry.arm(core_.options.jitter(j->pauses.next(what.retry_after)), [this, weak = std::weak_ptr(j)] {
        if (auto const alive = weak.lock()) attempt(alive);
    });
}

void recovery::done(job_ptr const& j, std::string const& how) {
    std::erase(jobs_, j);
    ++results_[how];
    auto const& id = j->task.session_id;
    core_.record(id, records::task_closed{id, j->why});
    core_.emit("task.recovered", id, {{"task_id", j->task.task_id}, {"result", how}, {"reason", j->why}});
}

void recovery::give_up(job_ptr const& j, std::string const& reason) {
    std::erase(jobs_, j);
    ++results_["uncertain"];
    auto const& id = j->task.session_id;
    auto const text = one_line(reason, longest_reason);
    log::warning("a task is given up: its time is over", {{"session", id}, {"task", j->task.task_id}, {"why", text}});
    core_.record(id, records::task_closed{id, "given up: " + text});
    core_.emit("task.uncertain", id, {{"task_id", j->task.task_id}, {"reason", text}});
}

void recovery::doubt(open_task t) {
    auto const j = make_job(std::move(t), {});
    auto const& id = j->task.session_id;
    ++results_["uncertain"];
    log::warning("a task may be open at the authorization server; its id is not known",
                 {{"session", id}, {"until", format_rfc3339(j->gives_up_at)}});
    core_.emit("task.uncertain", id,
               {{"reason", "the authorization server did not say whether it made the task"},
                {"opened_at", format_rfc3339(j->task.opened_at)},
                {"until", format_rfc3339(j->gives_up_at)}});
    doubtful_.push_back(j);
    watch(j);
}

// Only the agent that made a task may complete it, and its credentials are not here any more. A later start may have
// them again.
void recovery::orphaned(open_task const& t) {
    auto const j = make_job(t, {});
    ++results_["uncertain"];
    log::warning("a task stays open at the authorization server: its agent is not configured any more",
                 {{"session", t.session_id},
                  {"task", t.task_id},
                  {"client_id", t.about.agent},
                  {"until", format_rfc3339(j->gives_up_at)}});
    core_.emit("task.uncertain", t.session_id,
               {{"task_id", t.task_id},
                {"reason", "its agent " + t.about.agent + " is not configured any more"},
                {"until", format_rfc3339(j->gives_up_at)}});
    doubtful_.push_back(j);
    watch(j);
}

void recovery::watch(job_ptr const& j) {
    auto const left = std::chrono::ceil<milliseconds>(j->gives_up_at - core_.wall_now());
    j->retry.arm(std::min<milliseconds>(left, std::chrono::hours(1)), [this, weak = std::weak_ptr(j)] {
        auto const alive = weak.lock();
        if (!alive) return;
        if (core_.wall_now() < alive->gives_up_at) return watch(alive);
        auto const& id = alive->task.session_id;
        core_.record(id, records::task_closed{id, "not confirmed, and its time is over"});
        std::erase(doubtful_, alive);
    });
}

recovery_info recovery::info() const {
    recovery_info out{results_, {}, {}};
    for (auto const& j : jobs_) out.waiting.push_back(j->task);
    for (auto const& j : doubtful_) out.uncertain.push_back(j->task);
    return out;
}

}  // namespace jitproxy::jit
