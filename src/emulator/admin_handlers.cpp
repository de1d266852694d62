// Below /emulator/: what a test may see and set. No token is ever shown, and none is needed.
#include "jitproxy/base/encoding.hpp"
#include "jitproxy/emulator/handlers.hpp"

namespace jitproxy::emulator {

namespace {

reply bad_request(std::string_view why) {
    return api_error(400, "malformed", why);
}

json::object ok() {
    return {{"ok", true}};
}

reply decide(world& w, json::object const& body) {
    auto const id = string_member(body, "request_id").value_or("");
    auto const decision = string_member(body, "decision").value_or("");
    std::optional<seconds> ttl;
    if (auto const n = int_member(body, "ttl")) ttl = seconds{*n};
    if (decision != "approve" && decision != "deny") return bad_request("decision must be approve or deny");
    auto const done = decision == "approve"
                          ? w.tasks.approve(id, "admin", ttl, string_member(body, "notes").value_or(""))
                          : w.tasks.deny(id, "admin", string_member(body, "reason").value_or("denied by a human"));
    if (!done) return api_error(done.error().status, done.error().code, done.error().message);
    return json_reply(200, permission_json(**done));
}

reply advance(world& w, json::object const& body) {
    auto const by = int_member(body, "seconds");
    constexpr std::int64_t year = 366LL * 24 * 3600;
    if (!by || *by < 0 || *by > year) return bad_request("seconds must be from 0 to one year");
    w.ahead += seconds{*by};
    w.tasks.settle();
    return json_reply(200, json::object{{"ok", true}, {"now", format_rfc3339(w.now())}});
}

reply kill_tokens(world& w, json::object const& body) {
    auto const kind = string_member(body, "kind").value_or("");
    std::size_t died = 0;
    if (kind == "agent" || kind == "all") died += w.tokens.revoke_kind(token_kind::agent);
    if (kind == "delegated" || kind == "all") died += w.tokens.revoke_kind(token_kind::delegated);
    if (kind == "jit" || kind == "all") died += w.tokens.revoke_kind(token_kind::jit);
    if (kind != "agent" && kind != "delegated" && kind != "jit" && kind != "all")
        return bad_request("kind must be agent, delegated, jit or all");
    return json_reply(200, json::object{{"ok", true}, {"revoked", died}});
}

reply pending(world const& w) {
    json::array list;
    for (auto const& p : w.tasks.requests())
        if (p.status == request_status::pending) list.push_back(permission_json(p));
    return json_reply(200, list);
}

reply one_request(world const& w, std::string_view path) {
    auto const id = percent_decode(path.substr(std::string_view{"/emulator/requests/"}.size()));
    auto const* p = id ? w.tasks.find_request(*id) : nullptr;
    return p ? json_reply(200, permission_json(*p)) : api_error(404, "request_not_found", "No such request");
}

reply get(world& w, std::string_view path) {
    if (path == "/emulator/state") return json_reply(200, state_json(w));
    if (path == "/emulator/pending") return pending(w);
    if (path == "/emulator/variant") return json_reply(200, w.forms.to_json());
    if (path == "/emulator/fault") return json_reply(200, w.faults.to_json());
    if (path == "/emulator/health") return json_reply(200, ok());
    if (path.starts_with("/emulator/requests/")) return one_request(w, path);
    if (path == "/emulator/ca.pem") {
        reply r;
        r.fields.push_back({"Content-Type", "application/x-pem-file"});
        r.body = w.ca_pem;
        return r;
    }
    return api_error(404, "not_found", "No such admin endpoint");
}

}  // namespace

json::object permission_json(permission const& p) {
    json::object o{{"request_id", p.id},
                   {"task_id", p.task},
                   {"agent_id", p.agent},
                   {"status", name_of(p.status)},
                   {"risk_level", name_of(p.risk)},
                   {"authorization_details", p.details},
                   {"justification", p.justification},
                   {"requested_ttl", p.requested_ttl.count()},
                   {"granted_ttl", p.granted_ttl.count()},
                   {"created_at", format_rfc3339(p.created_at)},
                   {"expires_at", format_rfc3339(p.expires_at)},
                   {"decided_by", p.decided_by},
                   {"reason", p.reason},
                   {"exchanges", p.exchanges}};
    if (!p.callback_url.empty()) o["callback_url"] = p.callback_url;
    return o;
}

json::object task_json(task const& t) {
    json::object o{{"task_id", t.id},
                   {"agent_id", t.agent},
                   {"name", t.name},
                   {"type", t.type},
                   {"parent_task_id", t.parent},
                   {"on_behalf_of", t.on_behalf_of},
                   {"status", name_of(t.status)},
                   {"outcome", t.outcome},
                   {"denials", t.denials},
                   {"created_at", format_rfc3339(t.created_at)},
                   {"expires_at", format_rfc3339(t.expires_at)},
                   {"completed_at", nullptr}};
    if (t.completed_at) o["completed_at"] = format_rfc3339(*t.completed_at);
    return o;
}

json::object state_json(world const& w) {
    json::array live;
    for (auto const* t : w.tokens.live()) {
        json::object o{{"kind", name_of(t->kind)},
                       {"agent_id", t->agent},
                       {"task_id", nullptr},
                       {"request_id", nullptr},
                       {"expires_at", format_rfc3339(t->expires_at)},
                       {"details", nullptr}};
        if (t->kind == token_kind::jit) {
            o["task_id"] = t->task;
            o["request_id"] = t->request;
            o["details"] = t->details;
        }
        live.push_back(std::move(o));
    }
    json::array open;
    json::array all;
    for (auto const& [id, t] : w.tasks.tasks()) {
        all.push_back(task_json(t));
        if (t.status == task_status::active) open.push_back(all.back());
    }
    json::array requests;
    for (auto const& p : w.tasks.requests()) requests.push_back(permission_json(p));
    return {
        {"now", format_rfc3339(w.now())},    {"live_tokens", std::move(live)},  {"open_tasks", std::move(open)},
        {"tasks", std::move(all)},           {"requests", std::move(requests)}, {"counts", w.record.counts()},
        {"api_calls", w.record.api_calls()}, {"as_calls", w.record.as_calls()}, {"violations", w.record.violations()}};
}

reply handle_admin(world& w, request const& r) {
    if (r.method == "GET") return get(w, r.path);
    if (r.method == "DELETE" && r.path == "/emulator/fault") {
        w.faults.clear();
        return json_reply(200, ok());
    }
    if (r.method == "DELETE" && r.path == "/emulator/variant") {
        w.forms.reset();
        return json_reply(200, ok());
    }
    if (r.method != "POST") return api_error(405, "method_not_allowed", "Not with this method");
    auto const parsed = parse_json_object(r.body.empty() ? "{}" : r.body, errc::bad_argument);
    if (!parsed) return bad_request("The body is no JSON object");
    std::string wrong;
    if (r.path == "/emulator/reset")
        w.reset();
    else if (r.path == "/emulator/variant")
        wrong = w.forms.set(*parsed);
    else if (r.path == "/emulator/fault")
        wrong = w.faults.add(*parsed);
    else if (r.path == "/emulator/suspend")
        w.tasks.suspend(string_member(*parsed, "task_id").value_or(""), "suspended by the test");
    else if (r.path == "/emulator/decide")
        return decide(w, *parsed);
    else if (r.path == "/emulator/advance")
        return advance(w, *parsed);
    else if (r.path == "/emulator/revoke")
        return kill_tokens(w, *parsed);
    else
        return api_error(404, "not_found", "No such admin endpoint");
    return wrong.empty() ? json_reply(200, ok()) : bad_request(wrong);
}

}  // namespace jitproxy::emulator
