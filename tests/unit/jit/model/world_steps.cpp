// world: what clients, people and workers do.
#include <algorithm>
#include <iterator>
#include <utility>

#include "world.hpp"

namespace jitproxy::jit::model {

std::string world::session_of(int n) const {
    auto const i = static_cast<std::size_t>(n);
    return i < slots_.size() && !slots_[i].session_id.empty() ? slots_[i].session_id : "ses_none";
}

caller_ptr world::expect(std::string what, std::string session_id) {
    auto const c = std::make_shared<caller>();
    c->what = std::move(what);
    c->session_id = std::move(session_id);
    c->life = ref_.life;
    ref_.callers.push_back(c);
    return c;
}

template <class T>
callback<T> world::listener(caller_ptr const& c, std::function<void(T const&)> well) {
    return [this, c, well = std::move(well)](result<T> const& answer) {
        if (answer.has_error()) {
            auto const what = answer.error();
            return ref_.answered(*c, &what);
        }
        ref_.answered(*c, nullptr);
        if (well) well(*answer);
    };
}

bool world::note_agent(slot const& s, std::string const& parent, naming agent) {
    auto const above =
        std::find_if(slots_.begin(), slots_.end(), [&](slot const& o) { return o.session_id == parent; });
    bool const child = !parent.empty() && above != slots_.end();
    auto const of_parent = child ? ref_.agent_of[above->name] : agent_index{0};
    auto const named = agent == naming::second ? agent_index{1} : agent_index{0};
    ref_.agent_of[s.name] = agent == naming::none ? of_parent : named;
    return agent != naming::unknown && (!child || ref_.agent_of[s.name] == of_parent);
}

void world::open(opening how, int parent, naming agent) {
    auto const at = slots_.size();
    auto const name = "s" + std::to_string(at);
    auto const c = expect("open", name);
    if (how == opening::automatic) {
        slots_.push_back({"the shared one", {}});
        return manager_->ensure_automatic_session(
            listener<snapshot_ptr>(c, [this, at](snapshot_ptr const& s) { slots_[at].session_id = s->session_id; }));
    }
    constexpr char const* agents[] = {"", "first", "second", "third"};
    session_order order;
    order.task.name = name;
    order.agent = agents[static_cast<std::size_t>(agent) % std::size(agents)];
    if (how == opening::child || how == opening::child_for_user) order.parent_session_id = session_of(parent);
    if (how == opening::run) order.owner_pid = 42;
    if (how == opening::idle) order.idle_timeout = std::chrono::minutes(3);
    if (how == opening::user || how == opening::child_for_user) {
        auto const token = std::string(secret_mark) + "-user-" + name;
        ref_.user_of[name] = token;
        order.user_token = make_secret(token);
    }
    bool const possible = note_agent({name, {}}, order.parent_session_id, agent);
    slots_.push_back({name, {}});
    manager_->open_session(std::move(order), listener<opened_session>(c, [this, at, possible](opened_session const& o) {
                               ref_.demand(possible, "1",
                                           slots_[at].name + " is opened for an agent that it cannot have");
                               if (ref_.agent_of[slots_[at].name] != 0) ++ref_.seen["second agent"];
                               slots_[at].session_id = o.info.session_id;
                           }));
}

void world::ask(std::string const& session_id, int need, asking how) {
    permission_need n;
    auto const what = std::string(1, static_cast<char>('A' + need % 3));
    n.session_id = session_id;
    n.api = api_;
    n.origin = "https://api.example:" + std::to_string(443 + need / 3);
    n.method = "GET";
    n.url = n.origin + "/" + what;
    n.details.push_back({{"type", "document"}, {"identifier", what}});
    n.justification = n.origin;  // tells two origins apart at the AS
    if (how == asking::two_at_once) n.details.push_back({{"type", "document"}, {"identifier", "D"}});
    n.resource = resource_key("GET", n.origin, how == asking::two_at_once ? "/" + what + "D" : "/" + what);
    if (how == asking::does_not_wait) n.wait = seconds(0);
    if (how == asking::waits_shortly) n.wait = seconds(2);
    if (how == asking::grant_not_enough) {
        auto const s = ref_.latest.find(session_id);
        if (s == ref_.latest.end() || s->second->grants.count(n.resource) == 0) return;
        n.refused_grant = s->second->grants.at(n.resource).grant_id;
        ref_.grant_refused(n.refused_grant);
    }
    ref_.asked(n);
    auto const c = expect("ask", session_id);
    c->need = n;
    manager_->touch(session_id);
    c->ticket =
        manager_->request_permission(std::move(n), [this, c](permission_outcome const& o) { ref_.answered(*c, o); });
    ref_.demand(c->answers == 0, "A", "answered from within the call");
}

void world::give_up(int n) {
    for (auto const& c : ref_.callers)
        if (c->what == "ask" && c->answers == 0 && !c->left && n-- == 0) {
            c->left = c->cancelled = true;
            return manager_->cancel(c->ticket);
        }
}

void world::decide_through(bool approve, int n) {
    for (auto const& r : manager_->requests()) {
        if (r.status != "pending" || r.request_id.starts_with("local-") || n-- != 0) continue;
        auto const c = expect(approve ? "approve" : "deny", r.session_id);
        auto const human = make_secret(std::string(secret_mark) + "-human");
        if (approve) return manager_->approve(r.request_id, human, "fine", listener<request_info>(c));
        return manager_->deny(r.request_id, human, "not now", listener<request_info>(c));
    }
}

std::vector<std::string> world::undecided() const {
    std::vector<std::string> ids;
    for (auto const& [id, r] : ref_.as.requests)
        if (ref_.as.undecided(r)) ids.push_back(id);
    return ids;
}

void world::decide(int n, int how) {
    auto const ids = undecided();
    if (static_cast<std::size_t>(n) >= ids.size()) return;
    ref_.as.requests.at(ids[static_cast<std::size_t>(n)]).status = how == 0   ? request_status::approved
                                                                   : how == 1 ? request_status::denied
                                                                              : request_status::expired;
}

void world::hint(int n) {
    auto const ids = undecided();
    if (static_cast<std::size_t>(n) < ids.size())
        manager_->hint(ref_.as.requests.at(ids[static_cast<std::size_t>(n)]).local_id);
}

void world::end_task(int n, bool suspended) {
    for (auto const& [id, t] : ref_.as.tasks)
        if (t.open && n-- == 0) return ref_.as.end_task(id, suspended ? "the task is suspended" : "it has expired");
}

void world::kill_bearers(token_kind kind, int agent) {
    for (auto& [value, t] : ref_.as.tokens)
        if (t.kind == kind && (agent == 0 || t.agent + 1 == static_cast<agent_index>(agent))) t.alive = false;
}

void world::close(std::string const& session_id) {
    auto const c = expect("close", session_id);
    manager_->close_session(session_id, listener<session_info>(c));
    auto const s = ref_.latest.find(session_id);
    ref_.demand(s == ref_.latest.end() || !s->second->accepts(), "5", session_id + " serves after it was closed");
}

void world::set_traffic(std::string const& session_id, bool on) {
    if (!on) return release(session_id);
    auto const s = ref_.latest.find(session_id);
    if (s != ref_.latest.end() && s->second->accepts()) ref_.traffic.insert(session_id);
}

void world::refuse_bearer(std::string const& session_id, int which) {
    auto const it = ref_.latest.find(session_id);
    if (it == ref_.latest.end()) return;
    auto const s = it->second;
    std::string grant;
    if (which == 1) {
        std::map<std::string, std::string> in_order;
        for (auto const& [resource, b] : s->grants) in_order[resource] = b.grant_id;
        if (in_order.empty()) return;
        grant = in_order.begin()->second;
        if (s->accepts()) ref_.grant_refused(grant);
    }
    auto const generation = which == 2 && s->bearer_generation > 0 ? s->bearer_generation - 1 : s->bearer_generation;
    auto const c = expect("refuse_bearer", session_id);
    c->left = !s->accepts() && ref_.traffic.count(session_id) == 0;
    manager_->bearer_refused(
        session_id, generation, grant, listener<snapshot_ptr>(c, [this, session_id](snapshot_ptr const& fresh) {
            ref_.demand(fresh && fresh->session_id == session_id, "1", "another session's bearer is handed out");
        }));
}

}  // namespace jitproxy::jit::model
