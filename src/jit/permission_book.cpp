// What is known of the permission requests: in lists and events, by their id, and at the AS.
#include <algorithm>

#include "jitproxy/jit/text.hpp"
#include "permissions.hpp"

namespace jitproxy::jit {

// What is pending at the AS for the same task and needs. Another entry's is left to it: equal needs of two origins are
// two requests.
std::optional<request_state> permission_desk::find_pending(permission_entry const& e,
                                                           std::vector<pending_request> const& list) const {
    auto const s = sessions_.find(e.session_id);
    if (!s) return std::nullopt;
    for (auto const& p : list) {
        bool const taken = std::any_of(entries_.begin(), entries_.end(), [&](auto const& each) {
            return each.second->machine.known().request_id == p.state.request_id;
        });
        if (!taken && p.task_id == s->info.task_id && p.needs == e.needs) return p.state;
    }
    return std::nullopt;
}

void permission_desk::decide(bool approve, std::string const& request_id, secret_ptr user_bearer, std::string words,
                             callback<request_info> done, actor const& who) {
    auto const of_that_id = [&](auto const& each) {
        return !request_id.empty() && each.second->machine.known().request_id == request_id;
    };
    auto const it = std::find_if(entries_.begin(), entries_.end(), of_that_id);
    if (it == entries_.end() || it->second->machine.settled()) {
        auto const settled = std::any_of(history_.begin(), history_.end(),
                                         [&](request_info const& i) { return i.request_id == request_id; });
        auto const what = settled || it != entries_.end()
                              ? make_error(errc::bad_argument, "the request is decided already")
                              : make_error(errc::not_found, "no such permission request");
        return core_.answer<request_info>(std::move(done), what);
    }
    auto const decided = while_alive(core_.alive, [this, e = it->second, done = std::move(done), approve, words,
                                                   who](result<request_state> const& answer) {
        json::object told{{"request_id", e->machine.known().request_id},
                          {"local_id", e->local_id},
                          {"words", one_line(words, longest_reason)}};
        if (answer.has_error()) told["error"] = name_of(answer.error().code);
        core_.emit(answer.has_error() ? (approve ? "decision.approval_failed" : "decision.denial_failed")
                                      : (approve ? "decision.approved" : "decision.denied"),
                   e->session_id, std::move(told), who);
        if (answer.has_error()) return done(answer.error());
        auto known = *answer;
        // What was decided is known also where the answer does not repeat it.
        if (known.status == request_status::pending)
            known.status = approve ? request_status::approved : request_status::denied;
        if (!approve && known.reason.empty()) known.reason = words;
        feed(e, machine::learned{known});
        core_.later.deliver();  // who decides sees the decision told
        done(info_of(*e));
    });
    if (approve)
        core_.ports.as.approve(std::move(user_bearer), request_id, std::move(words), decided);
    else
        core_.ports.as.deny(std::move(user_bearer), request_id, std::move(words), decided);
}

std::size_t permission_desk::pending(std::string const& session_id) const {
    return static_cast<std::size_t>(std::count_if(entries_.begin(), entries_.end(), [&](auto const& each) {
        auto const& e = *each.second;
        return e.session_id == session_id && !e.machine.settled() && e.machine.current() != machine::state::approved &&
               e.machine.current() != machine::state::in_doubt;
    }));
}

std::size_t permission_desk::open(std::string const& session_id) const {
    return static_cast<std::size_t>(std::count_if(
        entries_.begin(), entries_.end(), [&](auto const& each) { return each.second->session_id == session_id; }));
}

request_info permission_desk::info_of(permission_entry const& e) const {
    auto const& known = e.machine.known();
    request_info info;
    info.request_id = known.request_id.empty() ? e.local_id : known.request_id;
    info.local_id = e.local_id;
    info.session_id = e.session_id;
    info.api = e.api;
    info.status = e.machine.status();
    info.risk_level = known.risk_level;
    info.justification = e.justification;
    info.reason = e.machine.settled() ? e.outcome.reason : one_line(known.reason, longest_reason);
    info.authorization_details.push_back(e.details);
    info.created_at = e.created_at;
    info.expires_at = known.expires_at;
    return info;
}

std::vector<request_info> permission_desk::list() const {
    std::vector<request_info> all(history_.begin(), history_.end());
    for (auto const& [key, e] : entries_) all.push_back(info_of(*e));
    std::stable_sort(all.begin(), all.end(), [](auto const& a, auto const& b) { return a.created_at < b.created_at; });
    return all;
}

void permission_desk::token_used(std::string const& session_id, std::string const& grant_id) {
    json::object data{{"grant_id", grant_id}};
    if (auto const* g = core_.grants.find(grant_id)) {  // else it has ended meanwhile; its token went out all the same
        if (g->session_id != session_id) return;
        data["request_id"] = g->request_id;
        data["origin"] = g->origin;
    }
    core_.emit("token.used", session_id, std::move(data), {.who = actor::kind::session});
}

json::object permission_desk::told_of(permission_entry const& e) const {
    auto const info = info_of(e);
    json::object data{{"request_id", info.request_id},
                      {"local_id", info.local_id},
                      {"api", info.api},
                      {"origin", e.origin},
                      {"status", info.status},
                      {"risk_level", info.risk_level},
                      {"justification", info.justification},
                      {"reason", info.reason},
                      {"authorization_details", info.authorization_details},
                      {"created_at", format_rfc3339(info.created_at)}};
    if (info.expires_at) data["expires_at"] = format_rfc3339(*info.expires_at);
    if (!e.method.empty()) data["method"] = e.method;
    if (!e.url.empty()) data["url"] = e.url;
    if (!e.outcome.grant_id.empty()) data["grant_id"] = e.outcome.grant_id;
    return data;
}

void permission_desk::tell(permission_entry const& e, std::string const& what, actor who) {
    core_.emit(what, e.session_id, told_of(e), std::move(who));
}

}  // namespace jitproxy::jit
