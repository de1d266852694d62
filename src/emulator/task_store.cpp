#include "jitproxy/emulator/task_store.hpp"

#include <algorithm>

#include "jitproxy/base/id.hpp"

namespace jitproxy::emulator {

std::string_view name_of(task_status s) noexcept {
    switch (s) {
        case task_status::active:
            return "active";
        case task_status::completed:
            return "completed";
        case task_status::suspended:
            return "suspended";
        case task_status::expired:
            return "expired";
    }
    return "unknown";
}

std::string_view name_of(request_status s) noexcept {
    switch (s) {
        case request_status::pending:
            return "pending";
        case request_status::approved:
            return "approved";
        case request_status::denied:
            return "denied";
        case request_status::expired:
            return "expired";
    }
    return "unknown";
}

task_store::task_store(wall_clock clock, token_store& tokens, task_settings settings)
    : clock_(std::move(clock)), tokens_(tokens), settings_(settings) {}

void task_store::settle() {
    auto const now = clock_();
    for (auto& p : requests_) {
        if (p.status != request_status::pending) continue;
        // What would have happened first, happens: the clock may have been moved far ahead.
        auto const human_at = settings_.auto_after ? p.created_at + *settings_.auto_after : wall_time::max();
        auto const* owner = find_task(p.task);
        auto const last = owner ? std::min(p.expires_at, owner->expires_at) : p.expires_at;
        if (human_at <= now && human_at <= last) {
            if (settings_.auto_approves)
                grant(p, "stand-in human", std::nullopt);
            else
                refuse(p, "stand-in human", "denied by the stand-in human");
        } else if (last <= now) {
            p.status = request_status::expired;
        }
    }
    for (auto& [id, t] : tasks_)
        if (t.status == task_status::active && t.expires_at <= now) end(t, task_status::expired, t.expires_at);
}

outcome<task const*> task_store::open(task t) {
    if (!t.parent.empty()) {
        auto const parent = owned_task(t.parent, t.agent);
        if (!parent) return parent.error();
        if ((*parent)->status != task_status::active) return refusal{400, "task_inactive", "The parent task is closed"};
    }
    t.id = random_id("task");
    t.caep_session_id = random_id("caep");
    t.status = task_status::active;
    t.created_at = clock_();
    t.expires_at = t.created_at + settings_.task_ttl;
    auto key = t.id;
    return &tasks_.emplace(std::move(key), std::move(t)).first->second;
}

outcome<task const*> task_store::owned_task(std::string_view id, std::string_view agent) const {
    auto const* t = find_task(id);
    if (!t) return refusal{404, "task_not_found", "No such task"};
    if (t->agent != agent) return refusal{403, "not_owner", "The task belongs to another agent"};
    return t;
}

outcome<task const*> task_store::complete(std::string_view id, std::string_view agent, std::string_view how) {
    auto const owned = owned_task(id, agent);
    if (!owned) return owned.error();
    auto& t = *task_named(id);
    if (t.status == task_status::completed) return refusal{400, "task_completed", "The task is already complete"};
    t.outcome = how;
    end(t, task_status::completed, clock_());
    return &t;
}

void task_store::suspend(std::string_view id, std::string why) {
    auto* t = task_named(id);
    if (!t || t->status != task_status::active) return;
    end(*t, task_status::suspended, clock_());
    t->events.push_back({"session-revoked", std::move(why), clock_()});
}

outcome<permission const*> task_store::ask(permission p, decision_mode mode) {
    auto const owned = owned_task(p.task, p.agent);
    if (!owned) return owned.error();
    auto const& t = **owned;
    if (t.status != task_status::active)
        return refusal{400, "task_inactive", "The task is " + std::string{name_of(t.status)}};
    p.id = random_id("req");
    p.created_at = clock_();
    p.expires_at = p.created_at + settings_.request_expiry;
    p.risk = classify(p.details, t.denials);
    p.status = request_status::pending;
    requests_.push_back(std::move(p));
    auto& kept = requests_.back();
    if (mode == decision_mode::deny)
        refuse(kept, "rules", "denied by the rules");
    else if (mode == decision_mode::approve || (mode == decision_mode::rules && !needs_human(kept.risk)))
        grant(kept, "rules", std::nullopt);
    return &kept;
}

outcome<permission const*> task_store::owned_request(std::string_view id, std::string_view agent) const {
    auto const* p = find_request(id);
    if (!p) return refusal{404, "request_not_found", "No such request"};
    if (p->agent != agent) return refusal{403, "not_owner", "The request belongs to another agent"};
    return p;
}

outcome<token const*> task_store::exchange(std::string_view id, std::string_view agent, second_exchange second) {
    auto const owned = owned_request(id, agent);
    if (!owned) return owned.error();
    auto& p = *request_named(id);
    auto const* t = find_task(p.task);
    if (!t || t->status != task_status::active) return refusal{400, "task_inactive", "The task is closed"};
    if (p.status != request_status::approved)
        return refusal{403, "not_approved", "The request is " + std::string{name_of(p.status)}};
    if (p.exchanges > 0 && second == second_exchange::refused)
        return refusal{400, "already_exchanged", "The approval was exchanged already"};
    if (p.exchanges > 0 && second == second_exchange::same_token) {
        auto const* old = tokens_.find_live(p.token);
        if (!old) return refusal{400, "already_exchanged", "The token of this approval is dead"};
        ++p.exchanges;
        return old;
    }
    if (p.expires_at <= clock_()) return refusal{400, "approval_expired", "The approval was not exchanged in time"};
    token issued;
    issued.kind = token_kind::jit;
    issued.agent = p.agent;
    issued.task = p.task;
    issued.request = p.id;
    issued.details = p.details;
    auto const& made = tokens_.issue(std::move(issued), p.granted_ttl);
    ++p.exchanges;
    p.token = made.value;
    return &made;
}

outcome<permission const*> task_store::approve(std::string_view id, std::string by, std::optional<seconds> ttl,
                                               std::string notes) {
    auto* p = request_named(id);
    if (!p) return refusal{404, "request_not_found", "No such request"};
    if (p->status != request_status::pending)
        return refusal{400, "already_decided", "The request is " + std::string{name_of(p->status)}};
    p->reason = std::move(notes);
    grant(*p, std::move(by), ttl);
    return p;
}

outcome<permission const*> task_store::deny(std::string_view id, std::string by, std::string reason) {
    auto* p = request_named(id);
    if (!p) return refusal{404, "request_not_found", "No such request"};
    if (p->status != request_status::pending)
        return refusal{400, "already_decided", "The request is " + std::string{name_of(p->status)}};
    refuse(*p, std::move(by), std::move(reason));
    return p;
}

task const* task_store::find_task(std::string_view id) const {
    auto const at = tasks_.find(id);
    return at == tasks_.end() ? nullptr : &at->second;
}

permission const* task_store::find_request(std::string_view id) const {
    auto const at = std::find_if(requests_.begin(), requests_.end(), [&](permission const& p) { return p.id == id; });
    return at == requests_.end() ? nullptr : &*at;
}

void task_store::clear() {
    tasks_.clear();
    requests_.clear();
}

task* task_store::task_named(std::string_view id) {
    auto const at = tasks_.find(id);
    return at == tasks_.end() ? nullptr : &at->second;
}

permission* task_store::request_named(std::string_view id) {
    auto const at = std::find_if(requests_.begin(), requests_.end(), [&](permission const& p) { return p.id == id; });
    return at == requests_.end() ? nullptr : &*at;
}

void task_store::grant(permission& p, std::string by, std::optional<seconds> ttl) {
    p.status = request_status::approved;
    p.decided_by = std::move(by);
    p.granted_ttl = std::min(ttl.value_or(p.requested_ttl), max_grant_ttl);
    if (settings_.grant_ttl) p.granted_ttl = std::min(p.granted_ttl, *settings_.grant_ttl);
    p.expires_at = clock_() + settings_.request_expiry;
}

void task_store::refuse(permission& p, std::string by, std::string reason) {
    p.status = request_status::denied;
    p.decided_by = std::move(by);
    p.reason = std::move(reason);
    auto* t = task_named(p.task);
    if (!t) return;
    ++t->denials;
    t->events.push_back({"assurance-level-change", "a request was denied", clock_()});
    if (t->denials >= settings_.denials_that_suspend) suspend(p.task, "repeated denials");
}

void task_store::end(task& t, task_status status, wall_time at) {
    t.status = status;
    t.completed_at = at;
    tokens_.revoke_task(t.id);
    for (auto& p : requests_)
        if (p.task == t.id && p.status == request_status::pending) p.status = request_status::expired;
}

}  // namespace jitproxy::emulator
