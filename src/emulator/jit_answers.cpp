#include "jitproxy/emulator/jit_answers.hpp"

#include "jitproxy/base/encoding.hpp"
#include "jitproxy/emulator/handlers.hpp"

namespace jitproxy::emulator {

namespace {

void add_extras(world const& w, json::object& o) {
    if (w.forms.is("extra_members", "yes"))
        o["x_unknown"] = json::object{{"nested", json::array{1, nullptr, "text"}}, {"status", "not the status"}};
}

json::value details_in_answer(world const& w, json::object const& details) {
    if (w.forms.is("details", "array")) return json::array{details};
    return details;
}

// Sets status_url or token_url by its variant.
void add_url(world const& w, json::object& o, std::string_view member, as_route const& to, std::string const& path) {
    auto const& form = w.forms.get(member);
    if (form == "absent") return;
    std::string origin;
    if (form == "absolute") origin = to.origin;
    if (form == "foreign") {
        origin = w.forms.get("foreign_origin");
        if (origin.empty()) origin = "http://foreign.invalid";
    }
    o[member] = origin + path;
}

void add_reason(world const& w, json::object& o, permission const& p) {
    if (w.forms.is("deny_field", "none")) return;
    o[w.forms.get("deny_field")] = p.reason;
}

unsigned status_of(world const& w, permission const& p) {
    auto const& form = w.forms.get("request_status");
    if (form != "auto") return static_cast<unsigned>(std::stoul(form));
    switch (p.status) {
        case request_status::approved:
            return 201;
        case request_status::pending:
            return 202;
        default:
            return 200;
    }
}

}  // namespace

reply task_answer(world const& w, task const& t) {
    json::object o{{"task_id", t.id},
                   {"caep_session_id", t.caep_session_id},
                   {"expires_at", format_rfc3339(t.expires_at)},
                   {"agent_id", t.agent},
                   {"on_behalf_of", nullptr}};
    if (!t.on_behalf_of.empty()) o["on_behalf_of"] = t.on_behalf_of;
    if (w.forms.is("agent_object", "yes")) o["agent"] = json::object{{"id", t.agent}, {"name", "Demo agent"}};
    add_extras(w, o);
    return json_reply(w.forms.is("task_status", "200") ? 200 : 201, o);
}

reply permission_answer(world const& w, permission const& p, as_route const& to, bool fresh) {
    json::object o{{"request_id", p.id},
                   {"status", name_of(p.status)},
                   {"risk_level", name_of(p.risk)},
                   {"task_id", p.task},
                   {"authorization_details", details_in_answer(w, p.details)}};
    auto const path = to.base + "/jit/request/" + percent_encode(p.id);
    switch (p.status) {
        case request_status::approved:
            add_url(w, o, "token_url", to, path + "/token");
            o["granted_ttl"] = p.granted_ttl.count();
            break;
        case request_status::pending:
            add_url(w, o, "status_url", to, path + "/status");
            o["expires_at"] = format_rfc3339(p.expires_at);
            o["message"] = "A human has been asked";
            break;
        case request_status::denied:
            add_reason(w, o, p);
            break;
        case request_status::expired:
            o["message"] = "Nobody decided in time";
            break;
    }
    add_extras(w, o);
    auto r = json_reply(fresh ? status_of(w, p) : 200, o);
    if (p.status == request_status::pending && !w.forms.is("status_retry_after", "absent"))
        r.fields.push_back({"Retry-After", w.forms.get("status_retry_after")});
    return r;
}

reply token_answer(world const& w, token const& t) {
    auto const left = std::chrono::ceil<seconds>(t.expires_at - w.now()).count();
    json::object o{{"access_token", t.value}, {"token_type", "Bearer"}, {"expires_in", left}};
    if (w.forms.is("token_answer", "full")) {
        o["issued_token_type"] = "urn:ietf:params:oauth:token-type:access_token";
        o["authorization_details"] =
            w.forms.is("token_details", "array") ? json::value(json::array{t.details}) : json::value(t.details);
        o["task_id"] = t.task;
        o["jit_request_id"] = t.request;
    }
    add_extras(w, o);
    auto r = json_reply(200, o);
    r.fields.push_back({"Cache-Control", "no-store"});
    return r;
}

reply completion_answer(world const& w, task const& t) {
    if (w.forms.is("complete", "204")) {
        reply r;
        r.status = 204;
        return r;
    }
    json::object o{{"task_id", t.id},
                   {"status", name_of(t.status)},
                   {"completed_at", format_rfc3339(t.completed_at.value_or(w.now()))}};
    add_extras(w, o);
    return json_reply(200, o);
}

reply evaluation_answer(world const& w, task const& t) {
    json::array events;
    for (auto const& e : t.events)
        events.push_back(json::object{{"type", e.type}, {"details", e.details}, {"timestamp", format_rfc3339(e.at)}});
    json::object o{{"task_id", t.id}, {"active", t.status == task_status::active}, {"events", std::move(events)}};
    if (t.status == task_status::suspended)
        o["action"] = "suspended";
    else
        o["action"] = t.outcome.empty() ? std::string_view{"none"} : std::string_view{t.outcome};
    add_extras(w, o);
    return json_reply(200, o);
}

reply decision_answer(permission const& p) {
    json::object o{{"request_id", p.id}, {"status", name_of(p.status)}};
    if (p.status == request_status::approved) o["granted_ttl"] = p.granted_ttl.count();
    return json_reply(200, o);
}

reply pending_answer(world const& w, token const& caller) {
    bool const human = caller.kind == token_kind::user && caller.approver;
    auto form = w.forms.get("pending_list");
    if (!human && (form == "forbidden" || caller.kind == token_kind::user))
        return api_error(403, "forbidden", "The permission jit.approve is missing");
    if (form == "forbidden") form = "pending_requests";
    json::array list;
    for (auto const& p : w.tasks.requests())
        if (p.status == request_status::pending && (human || p.agent == caller.agent))
            list.push_back(permission_json(p));
    if (form == "array") return json_reply(200, list);
    auto const count = list.size();
    return json_reply(200, json::object{{form, std::move(list)}, {"count", count}});
}

}  // namespace jitproxy::emulator
