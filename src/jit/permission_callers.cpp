// Those who wait for permission: what each of them needs, how long it waits, and what it is told.
#include <algorithm>

#include "jitproxy/jit/text.hpp"
#include "permissions.hpp"

namespace jitproxy::jit {

namespace {

constexpr seconds a_minute{60};

permission_outcome failed(permission_status status, std::string reason, int retry_after = 0) {
    permission_outcome outcome;
    outcome.status = status;
    outcome.reason = std::move(reason);
    outcome.retry_after = retry_after;
    return outcome;
}

std::string key_of(permission_need const& need, std::string const& needs) {
    return entry_key(need.session_id, need.origin, needs);
}

}  // namespace

std::uint64_t permission_desk::request(permission_need need, done_function done) {
    auto const c = std::make_shared<caller>(core_.ports.clock);
    c->ticket = next_ticket_++;
    c->need = std::move(need);
    c->done = std::move(done);
    callers_.emplace(c->ticket, c);
    if (auto const refused = refuse(c->need)) {
        answer(c, *refused);
        return c->ticket;
    }
    c->patience = c->need.api->hold > milliseconds(0) ? c->need.api->hold : core_.options.hold;
    if (c->need.wait) c->patience = std::min<milliseconds>(c->patience, std::max(*c->need.wait, seconds(0)));
    auto const& members = c->need.details;
    for (std::size_t i = 0; i != members.size(); ++i)
        c->parts.push_back(begin_part(c->need, members[i], i + 1 == members.size()));
    // Only now: an entry that is decided at once must find its caller complete.
    auto const parts = c->parts;
    for (auto const& p : parts)
        if (p.entry && p.entry->machine.startable()) feed(p.entry, machine::start{});
    for (auto const& p : parts)
        if (p.entry && p.entry->machine.waits()) start_hold(c);
    review(c);
    c->has_ticket = true;
    return c->ticket;
}

std::optional<permission_outcome> permission_desk::refuse(permission_need const& need) {
    auto const s = sessions_.find(need.session_id);
    if (s && !s->suspended.empty()) return outcome_of(s->snapshot->refusal());
    if (!s || !s->serving()) return failed(permission_status::error, "session closed");
    if (!need.api) return failed(permission_status::refused, "no protected API");
    if (need.details.empty())
        return failed(permission_status::refused, "the API named nothing that could be asked for");
    // All of it or nothing: part of what is needed would be of no use.
    for (auto const& details : need.details)
        if (auto const allowed = policy::may_ask(*need.api, need.origin, details); allowed.has_error()) {
            auto outcome = outcome_of(allowed.error());
            outcome.status = permission_status::refused;
            outcome.retry_after = 0;
            return outcome;
        }
    return over_limit(need);
}

// An API that names ever new needs must not fill memory, the AS and a human's list.
std::optional<permission_outcome> permission_desk::over_limit(permission_need const& need) {
    auto const now = core_.now();
    std::size_t fresh = 0;
    for (auto const& details : need.details) {
        auto const needs = canonical_json(details);
        auto const* g = core_.grants.find(need.session_id, need.origin, needs, now);
        bool const at_hand = g != nullptr && g->id != need.refused_grant;
        if (!at_hand && !entries_.contains(key_of(need, needs))) ++fresh;
    }
    if (fresh == 0) return std::nullopt;
    if (open(need.session_id) + fresh > core_.options.requests_open)
        return failed(permission_status::refused, "too many permission requests are open in this session", 5);
    auto& opened = opened_[need.session_id];
    while (!opened.empty() && opened.front() + a_minute <= now) opened.pop_front();
    if (opened.size() + fresh <= core_.options.requests_per_minute) return std::nullopt;
    auto const wait = opened.empty() ? a_minute : std::chrono::ceil<seconds>(opened.front() + a_minute - now);
    return failed(permission_status::refused, "too many new permission requests in this session within a minute",
                  static_cast<int>(wait.count()));
}

permission_desk::part permission_desk::begin_part(permission_need const& need, json::object const& details, bool last) {
    part p;
    p.needs = canonical_json(details);
    auto const* g = core_.grants.find(need.session_id, need.origin, p.needs, core_.now());
    if (g != nullptr && g->id == need.refused_grant) {
        core_.grants.drop(need.refused_grant);
        core_.record(need.session_id,
                     records::grant_dropped{need.session_id, need.refused_grant, "the API did not find it enough"});
        if (auto const s = sessions_.find(need.session_id)) sessions_.publish(*s);
        g = nullptr;
    }
    if (g != nullptr) {
        permission_outcome outcome;
        outcome.status = permission_status::granted;
        outcome.cached = true;
        outcome.token = g->token;
        outcome.grant_id = g->id;
        outcome.request_id = g->request_id;
        // The next request for the same resource costs no 403 any more.
        if (last && core_.grants.bind(g->id, need.resource))
            if (auto const s = sessions_.find(need.session_id)) sessions_.publish(*s);
        p.outcome = std::move(outcome);
        return p;
    }
    auto& slot = entries_[key_of(need, p.needs)];
    if (!slot) {
        slot = open_entry(need, details, p.needs);
    }
    p.entry = slot;
    if (slot->machine.settled()) {  // denied a moment ago
        p.outcome = slot->outcome;
        return p;
    }
    auto& resources = slot->resources;
    if (last && std::find(resources.begin(), resources.end(), need.resource) == resources.end()) {
        resources.push_back(need.resource);
        if (resources.size() > ledger::max_resources) resources.pop_front();
    }
    return p;
}

void permission_desk::cancel(std::uint64_t ticket) {
    callers_.erase(ticket);
}

void permission_desk::entry_decided(permission_entry const& e, permission_outcome const& outcome) {
    auto const all = callers_;
    for (auto const& [ticket, c] : all) {
        if (c->answered) continue;
        bool mine = false;
        for (auto& p : c->parts)
            if (p.entry.get() == &e && !p.outcome) {
                p.outcome = outcome;
                mine = true;
            }
        if (mine) review(c);
    }
}

void permission_desk::entry_waits(permission_entry const& e) {
    for (auto const& [ticket, c] : callers_)
        if (std::any_of(c->parts.begin(), c->parts.end(), [&](part const& p) { return p.entry.get() == &e; }))
            start_hold(c);
}

void permission_desk::start_hold(caller_ptr const& c) {
    if (c->answered || c->hold.armed()) return;
    c->hold.arm(c->patience, [this, weak = std::weak_ptr(c)] {
        auto const alive = weak.lock();
        if (!alive || alive->answered) return;
        auto const open =
            std::find_if(alive->parts.begin(), alive->parts.end(), [](part const& p) { return !p.outcome; });
        if (open == alive->parts.end()) return;
        auto const& m = open->entry->machine;
        auto outcome = failed(permission_status::pending, one_line(m.known().reason, longest_reason), m.retry_after());
        if (outcome.reason.empty()) outcome.reason = "waits for a human to decide";
        outcome.request_id = m.known().request_id;
        answer(alive, std::move(outcome));
    });
}

// Granted when all parts are; anything else as soon as one part is.
void permission_desk::review(caller_ptr const& c) {
    if (c->answered) return;
    auto const not_granted = std::find_if(c->parts.begin(), c->parts.end(), [](part const& p) {
        return p.outcome && p.outcome->status != permission_status::granted;
    });
    if (not_granted != c->parts.end()) return answer(c, *not_granted->outcome);
    if (std::any_of(c->parts.begin(), c->parts.end(), [](part const& p) { return !p.outcome; })) return;
    // Each member has a token of its own, and a request carries one: the last. An API that wants more names the rest.
    // It may have come long before the others: it may have ended since, or been replaced.
    auto const& last = c->parts.back();
    auto const* g = core_.grants.find(c->need.session_id, c->need.origin, last.needs, core_.now());
    if (g == nullptr)
        return answer(c, failed(permission_status::error, "a permission ended while others were waited for", 1));
    auto outcome = *last.outcome;
    outcome.token = g->token;
    outcome.grant_id = g->id;
    outcome.request_id = g->request_id;
    answer(c, std::move(outcome));
}

void permission_desk::answer(caller_ptr const& c, permission_outcome outcome) {
    c->answered = true;
    c->hold.cancel();
    c->parts.clear();
    // A token comes with an answer of the AS, in nobody's call: it is handed on before anything else is done about it.
    if (c->has_ticket && outcome.status == permission_status::granted) return deliver(c, outcome);
    core_.answers.post([this, weak = std::weak_ptr(c), outcome = std::move(outcome)] {
        if (auto const alive = weak.lock()) deliver(alive, outcome);  // else cancelled meanwhile
    });
}

void permission_desk::deliver(caller_ptr const& c, permission_outcome const& outcome) {
    callers_.erase(c->ticket);
    c->done(outcome);
}

}  // namespace jitproxy::jit
