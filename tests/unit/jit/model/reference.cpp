#include "reference.hpp"

#include <algorithm>
#include <utility>

#include "jitproxy/base/json.hpp"

namespace jitproxy::jit::model {

std::string need_key(std::string const& session_id, std::string const& origin, std::string const& needs) {
    return session_id + ' ' + origin + ' ' + needs;
}

void reference::demand(bool holds, std::string_view invariant, std::string const& detail) {
    if (!holds && !found) found = violation{std::string(invariant), detail, 0};
}

bool reference::serves(std::string const& session_id) const {
    auto const it = latest.find(session_id);
    return it != latest.end() && it->second->accepts();
}

void reference::asked(permission_need const& need) {
    for (auto const& details : need.details)
        resources_[need_key(need.session_id, need.origin, canonical_json(details))].insert(need.resource);
}

void reference::published(snapshot_ptr const& s) {
    auto const& id = s->session_id;
    auto const row = journal_.rows.find(id);
    if (row == journal_.rows.end()) return demand(false, "5", id + " is published, and not in the journal");
    auto const& task = row->second.task;
    if (s->proxy_secret && !s->proxy_secret->empty()) {
        std::string const own(s->proxy_secret->reveal());
        if (std::find(proxy_secrets_.begin(), proxy_secrets_.end(), own) == proxy_secrets_.end())
            proxy_secrets_.push_back(own);
    }
    text(s->suspended);
    text(s->secret_hash);
    if (s->bearer) {
        auto const wrong = misplaced(s->bearer, task.about.name, task.about.owner == "user", false);
        demand(wrong.empty(), "1", "published for " + id + ": " + wrong);
    }
    if (s->accepting) {
        demand(row->second.is == model_journal::state::open, "5", id + " serves, and its task is not in the journal");
        demand(closed_.count(id) == 0, "5", id + " serves again after closing");
        demand(s->suspended.empty(), "5", id + " serves, and is suspended");
    } else {
        closed_.insert(id);
        filed.close(id);
        demand(s->grants.empty(), "5", id + " is closed, and hands out grants");
        demand(s->suspended.empty() || !s->bearer, "5", id + " is suspended, and hands out its bearer");
    }
    for (auto const& [resource, b] : s->grants) check_grant(id, task.task_id, resource, b);
    latest[id] = s;
}

void reference::withdrawn(std::string const& session_id) {
    closed_.insert(session_id);
    latest.erase(session_id);
}

// Equal needs of two origins look alike in the AS's list. A request whose own answer was lost belongs to whichever of
// them finds it first, and from then on to it alone.
bool reference::origin_fits(request_book& r, std::string const& session_id, std::string const& origin) const {
    if (r.origin == origin) return true;
    if (r.told_in == life || resources_.count(need_key(session_id, origin, r.needs)) == 0) return false;
    r.origin = origin;
    r.told_in = life;
    return true;
}

void reference::check_grant(std::string const& session_id, std::string const& task_id, std::string const& resource,
                            scoped_bearer const& b) {
    auto const* t = known_token(b.token);
    auto const where = b.grant_id + " of " + session_id + " for " + resource;
    if (t == nullptr || t->kind != token_kind::scoped) return demand(false, "1", where + ": no scoped token");
    auto& request = as.requests.at(t->request);
    auto const begin = resource.find(' ') + 1;
    auto const origin = resource.substr(begin, resource.find('/', begin + 8) - begin);
    demand(t->told_in == life, "2", where + ": a token of an earlier life");
    demand(request.task_id == task_id, "1", where + ": made for " + request.task_id);
    demand(origin_fits(request, session_id, origin), "2", where + ": made for " + request.origin);
    auto const asked = resources_.find(need_key(session_id, origin, request.needs));
    demand(asked != resources_.end() && asked->second.count(resource) != 0, "2", where + " never asked for it");
    demand(b.usable_until > clock_.now(), "2", where + ": its time is over");
    demand(refused_grants_.count(b.grant_id) == 0, "2", where + ": was refused by the API");
}

void reference::count_answer(caller& c) {
    ++c.answers;
    demand(c.answers == 1, "A", c.what + ": is answered again");
    demand(!c.cancelled, "A", c.what + ": is answered after it has left");
    demand(c.life == life, "A", c.what + ": is answered by a process that has died");
}

void reference::answered(caller& c, error const* failed) {
    count_answer(c);
    if (failed != nullptr) text(failed->detail);
    ++seen[c.what + (failed != nullptr ? " failed" : " done")];
}

void reference::answered(caller& c, permission_outcome const& o) {
    count_answer(c);
    text(o.reason);
    text(o.request_id);
    auto const status = std::string(to_string(o.status));
    ++seen[status + (o.cached ? " cached" : "")];
    auto const& need = c.need;
    if (auto const it = as.requests.find(o.request_id); it != as.requests.end()) {
        auto const mine = std::any_of(need.details.begin(), need.details.end(),
                                      [&](auto const& d) { return canonical_json(d) == it->second.needs; });
        demand(mine, "4", "told of a request for other needs: " + o.request_id + " for " + it->second.needs);
        auto const* row = journal_.of_task(it->second.task_id);
        demand(row != nullptr && row->task.session_id == need.session_id, "4",
               "told of another session's request " + o.request_id);
    }
    if (o.status != permission_status::granted) return demand(!o.token, "2", "a token for who is " + status);
    auto const* t = known_token(o.token);
    if (t == nullptr || t->kind != token_kind::scoped) return demand(false, "2", "granted without a scoped token");
    auto& request = as.requests.at(t->request);
    auto const row = journal_.rows.find(need.session_id);
    demand(serves(need.session_id), "5", "granted in " + need.session_id + ", which is closed");
    demand(t->told_in == life, "2", "granted with a token of an earlier life");
    demand(row != journal_.rows.end() && row->second.task.task_id == request.task_id, "2",
           "granted with another session's token, of " + request.task_id);
    demand(origin_fits(request, need.session_id, need.origin), "2",
           "granted at " + need.origin + " with a token for " + request.origin);
    demand(canonical_json(need.details.back()) == request.needs, "4", "granted with a token for " + request.needs);
    demand(refused_grants_.count(o.grant_id) == 0, "2", "granted with " + o.grant_id + ", which was refused");
    demand(!o.cached || t->ends > clock_.wall_now(), "2", "granted with " + o.grant_id + ", whose token is dead");
}

void reference::text(std::string_view line) {
    demand(line.find(secret_mark) == std::string_view::npos, "3", "tells a token: " + std::string(line));
    for (auto const& s : proxy_secrets_)
        demand(line.find(s) == std::string_view::npos, "3", "tells a proxy password: " + std::string(line));
    demand(line.find("does not expect") == std::string_view::npos, "M", std::string(line));
}

void reference::died() {
    ++life;
    latest.clear();
    closed_.clear();
    inactive_.clear();
    traffic.clear();
    callers.clear();
    filed.forget_all();
}

// 1, 2, 5: what workers would send now.
void reference::check_served() {
    for (auto const& [id, s] : latest) {
        if (!s->accepts()) continue;
        auto const& task = journal_.rows.at(id).task;
        for (auto const& [resource, b] : s->grants)
            demand(b.usable_until > clock_.now(), "2", b.grant_id + " is handed out after its time");
        auto const& parent = task.about.parent_session_id;
        demand(parent.empty() || serves(parent), "5", id + " serves, and its parent is closed");
        demand(inactive_.count(task.task_id) == 0, "5", id + " serves, and its task was called inactive");
    }
}

// 5: whatever is open at the AS is in the journal, by its id or as an opening.
void reference::check_open_tasks() {
    std::map<std::string, std::size_t> unknown;
    for (auto const& [id, t] : as.tasks) {
        if (!t.open) continue;
        auto const* row = journal_.of_task(id);
        if (row == nullptr)
            demand(++unknown[t.name] <= journal_.openings(t.name), "5",
                   id + " is open at the AS, and the journal does not know of it");
        else
            demand(row->is != model_journal::state::closed, "5", id + " is open at the AS, and closed in the journal");
    }
}

void reference::check_lists(task_manager const& manager) {
    for (auto const& s : manager.sessions()) {
        text(s.name);
        auto const open = s.status == session_status::open;
        demand(open == serves(s.session_id), "5", s.session_id + " is listed as " + std::string(to_string(s.status)));
    }
    for (auto const& r : manager.requests()) {
        text(r.request_id + ' ' + r.api + ' ' + r.risk_level + ' ' + r.justification + ' ' + r.reason);
        text(json::serialize(r.authorization_details));
    }
    for (auto const& agent : manager.agent_tokens()) text(agent.last_error);
    for (auto const& [id, row] : journal_.rows) {
        auto const info = manager.session(id);
        if (!info || info->status != session_status::completed) continue;
        auto const t = as.tasks.find(info->task_id);
        demand(t != as.tasks.end() && !t->second.open, "5", id + " is called completed, and its task is open");
        demand(info->live_grants == 0, "5", id + " is completed, and has grants");
    }
}

void reference::check(task_manager const& manager) {
    check_served();
    check_open_tasks();
    check_lists(manager);
    check_journal();
}

void reference::check_journal() {
    for (auto const& line : std::exchange(journal_.texts, {})) text(line);
    auto const refused = std::exchange(journal_.refused, {});
    if (!refused.empty() && !journal_.was_full) demand(false, "M", "the journal refuses " + refused.front());
}

void reference::check_end(task_manager const& manager) {
    for (auto const& c : callers)
        demand(c->answers == 1 || c->left, "A", c->what + " of " + c->session_id + ": was never answered");
    demand(manager.live_grants() == 0, "5", "everything is closed, and there are grants");
    demand(manager.sessions().empty(), "5", "everything is closed, and there are sessions");
    for (auto const& [id, s] : latest) demand(!s->accepts() && !s->bearer, "5", id + " is closed, and still published");
    for (auto const& [id, t] : as.tasks)
        demand(!t.open || t.told_in != life, "5", id + " is open, and the manager knew of it");
    for (auto const& [value, t] : as.tokens)
        demand(t.kind != token_kind::delegated || !t.alive || t.revoking || t.told_in != life, "5",
               "a delegated token was forgotten: " + value.substr(value.find('-')));
}

void reference::check_left() {
    for (auto const& [id, t] : as.tasks) {
        auto const* row = journal_.of_task(id);
        demand(!t.open || row == nullptr, "5", id + " is open, and could have been completed");
    }
    for (auto const& [value, t] : as.tokens)
        if (t.kind == token_kind::scoped && t.alive)
            demand(as.tasks.at(as.requests.at(t.request).task_id).open, "5", "a scoped token has outlived its task");
}

}  // namespace jitproxy::jit::model
