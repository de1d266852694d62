// Everything below /jit/: tasks, requests, tokens, and what a human decides.
#include <algorithm>
#include <array>

#include "jitproxy/base/encoding.hpp"
#include "jitproxy/emulator/details.hpp"
#include "jitproxy/emulator/handlers.hpp"
#include "jitproxy/emulator/jit_answers.hpp"

namespace jitproxy::emulator {

namespace {

reply refused(refusal const& why) {
    return api_error(why.status, why.code, why.message);
}

// Members by name and kind; empty where all is well, else what is wrong. Unknown members are a violation only:
// the AS ignores them, but no proxy of ours sends them.
struct member_rule {
    std::string_view name;
    json::kind kind;
};
std::string check_members(world& w, request const& r, json::object const& o, std::initializer_list<member_rule> rules) {
    for (auto const& member : o) {
        auto const rule =
            std::find_if(rules.begin(), rules.end(), [&](member_rule const& m) { return m.name == member.key(); });
        if (rule == rules.end()) {
            w.record.violation(r, "unknown member " + std::string{member.key()});
        } else if (member.value().kind() != rule->kind && !(rule->kind == json::kind::object)) {
            return std::string{member.key()} + " has the wrong type";
        }
    }
    return {};
}

// The body as an object; an absent one is an empty object where that is allowed.
struct body_check {
    json::object object;
    std::optional<reply> refused;
};
body_check json_body(world& w, request const& r, bool required) {
    if (r.body_bytes == 0 && !required) return {};
    if (r.media_type() != "application/json") {
        w.record.violation(r, "not JSON");
        return {{}, api_error(415, "unsupported_media_type", "Content-Type must be application/json")};
    }
    auto parsed = parse_json_object(r.body, errc::malformed_request);
    if (!parsed) {
        w.record.violation(r, "malformed JSON");
        return {{}, api_error(400, "malformed", "The body is no JSON object")};
    }
    return {std::move(*parsed), std::nullopt};
}

reply create_task(world& w, request const& r, token const& caller) {
    auto const body = json_body(w, r, false);
    if (body.refused) return *body.refused;
    auto const wrong = check_members(w, r, body.object,
                                     {{"name", json::kind::string},
                                      {"type", json::kind::string},
                                      {"parent_task_id", json::kind::string},
                                      {"on_behalf_of", json::kind::string}});
    if (!wrong.empty()) return api_error(400, "malformed", wrong);
    task t;
    t.agent = caller.agent;
    t.name = string_member(body.object, "name").value_or("");
    t.type = string_member(body.object, "type").value_or("");
    t.parent = string_member(body.object, "parent_task_id").value_or("");
    t.on_behalf_of = string_member(body.object, "on_behalf_of").value_or("");
    if (!t.on_behalf_of.empty()) {
        bool const other = caller.kind == token_kind::delegated && t.on_behalf_of != caller.user;
        if (other || w.forms.is("on_behalf_of", "forbidden"))
            return api_error(403, "delegation_forbidden", "The agent may not act for this user");
    } else {
        t.on_behalf_of = caller.user;
    }
    auto const made = w.tasks.open(std::move(t));
    return made ? task_answer(w, **made) : refused(made.error());
}

reply ask_permission(world& w, request const& r, token const& caller, as_route const& to) {
    auto const body = json_body(w, r, true);
    if (body.refused) return *body.refused;
    auto const& o = body.object;
    auto wrong = check_members(w, r, o,
                               {{"task_id", json::kind::string},
                                {"authorization_details", json::kind::object},
                                {"justification", json::kind::string},
                                {"requested_ttl", json::kind::int64},
                                {"callback_url", json::kind::string}});
    if (wrong.empty() && !string_member(o, "task_id")) wrong = "task_id is missing";
    if (wrong.empty()) {
        auto const* details = o.if_contains("authorization_details");
        wrong = details ? check_details(*details) : "authorization_details is missing";
    }
    auto const ttl = int_member(o, "requested_ttl").value_or(std::stoll(w.forms.get("default_ttl")));
    if (wrong.empty() && (ttl < 1 || ttl > max_grant_ttl.count())) wrong = "requested_ttl must be from 1 to 900";
    if (!wrong.empty()) {
        w.record.violation(r, wrong);
        return api_error(400, "malformed", wrong);
    }
    if (!o.contains("requested_ttl")) w.record.violation(r, "no requested_ttl");
    permission p;
    p.task = *string_member(o, "task_id");
    p.agent = caller.agent;
    p.details = o.at("authorization_details").as_object();
    p.justification = string_member(o, "justification").value_or("");
    p.callback_url = string_member(o, "callback_url").value_or("");
    p.requested_ttl = seconds{ttl};
    constexpr std::array<std::string_view, 4> modes{"rules", "approve", "deny", "pending"};
    auto const mode = std::find(modes.begin(), modes.end(), w.forms.get("decision")) - modes.begin();
    auto const made = w.tasks.ask(std::move(p), static_cast<decision_mode>(mode));
    return made ? permission_answer(w, **made, to, true) : refused(made.error());
}

reply complete_task(world& w, request const& r, token const& caller, as_route const& to) {
    if (r.body_bytes > 0 && r.body != "{}") {
        w.record.violation(r, "a body where none belongs");
        return api_error(400, "malformed", "No body is expected");
    }
    auto const done = w.tasks.complete(to.id, caller.agent);
    if (done) return completion_answer(w, **done);
    if (done.error().code != "task_completed") return refused(done.error());
    if (w.forms.is("complete_again", "200")) return completion_answer(w, *w.tasks.find_task(to.id));
    auto again = done.error();
    again.status = static_cast<unsigned>(std::stoul(w.forms.get("complete_again")));
    if (again.status == 404) again = {404, "task_not_found", "No such task"};
    return refused(again);
}

reply evaluate_task(world& w, request const& r, token const& caller, as_route const& to) {
    auto const body = json_body(w, r, false);
    if (body.refused) return *body.refused;
    auto const wrong =
        check_members(w, r, body.object, {{"result", json::kind::string}, {"notes", json::kind::string}});
    if (!wrong.empty()) return api_error(400, "malformed", wrong);
    auto const owned = w.tasks.owned_task(to.id, caller.agent);
    if (!owned) return refused(owned.error());
    if (auto const how = string_member(body.object, "result")) {
        constexpr std::array<std::string_view, 3> results{"completed", "failed", "cancelled"};
        if (std::find(results.begin(), results.end(), *how) == results.end())
            return api_error(400, "malformed", "result must be completed, failed or cancelled");
        auto const done = w.tasks.complete(to.id, caller.agent, *how);
        if (!done) return refused(done.error());
    }
    return evaluation_answer(w, **owned);
}

reply exchange_approval(world& w, request const& r, token const& caller, as_route const& to) {
    if (r.body_bytes > 0 && r.body != "{}") {
        w.record.violation(r, "a body where none belongs");
        return api_error(400, "malformed", "No body is expected");
    }
    auto second = task_store::second_exchange::refused;
    if (w.forms.is("second_exchange", "same")) second = task_store::second_exchange::same_token;
    if (w.forms.is("second_exchange", "new")) second = task_store::second_exchange::new_token;
    auto const made = w.tasks.exchange(to.id, caller.agent, second);
    return made ? token_answer(w, **made) : refused(made.error());
}

reply request_status_of(world& w, token const& caller, as_route const& to) {
    auto const p = w.tasks.owned_request(to.id, caller.agent);
    return p ? permission_answer(w, **p, to, false) : refused(p.error());
}

reply decide(world& w, request const& r, token const& caller, as_route const& to) {
    if (caller.kind != token_kind::user) {
        w.record.violation(r, "a decision without a human's token");
        return api_error(403, "forbidden", "Only a user may decide");
    }
    if (!caller.approver) return api_error(403, "forbidden", "The permission jit.approve is missing");
    auto const body = json_body(w, r, false);
    if (body.refused) return *body.refused;
    bool const approves = to.to == endpoint::approve;
    auto const wrong =
        approves ? check_members(w, r, body.object, {{"ttl", json::kind::int64}, {"notes", json::kind::string}})
                 : check_members(w, r, body.object, {{"reason", json::kind::string}});
    if (!wrong.empty()) return api_error(400, "malformed", wrong);
    std::optional<seconds> ttl;
    if (auto const n = int_member(body.object, "ttl")) {
        if (*n < 1 || *n > max_grant_ttl.count()) return api_error(400, "malformed", "ttl must be from 1 to 900");
        ttl = seconds{*n};
    }
    auto const done =
        approves ? w.tasks.approve(to.id, caller.user, ttl, string_member(body.object, "notes").value_or(""))
                 : w.tasks.deny(to.id, caller.user, string_member(body.object, "reason").value_or("denied by a human"));
    return done ? decision_answer(**done) : refused(done.error());
}

reply unauthorized(std::string_view challenge, std::string_view message) {
    auto r = api_error(401, "unauthorized", message);
    r.fields.push_back({"WWW-Authenticate", std::string{challenge}});
    return r;
}

}  // namespace

reply handle_jit(world& w, request const& r, as_route const& to) {
    auto const bearer = bearer_of(r);
    if (!bearer) return unauthorized("Bearer", "A bearer token is needed");
    auto const* caller = w.tokens.find_live(*bearer);
    if (caller && caller->kind == token_kind::jit) {
        w.record.violation(r, "a JIT token sent to the authorization server");
        caller = nullptr;
    }
    if (!caller) return unauthorized("Bearer error=\"invalid_token\"", "The token is dead or unknown");
    if (to.to == endpoint::approve || to.to == endpoint::deny) return decide(w, r, *caller, to);
    if (to.to == endpoint::pending) return pending_answer(w, *caller);
    if (caller->kind == token_kind::user) return api_error(403, "forbidden", "Only an agent may do this");
    switch (to.to) {
        case endpoint::task:
            return create_task(w, r, *caller);
        case endpoint::request:
            return ask_permission(w, r, *caller, to);
        case endpoint::status:
            return request_status_of(w, *caller, to);
        case endpoint::jit_token:
            return exchange_approval(w, r, *caller, to);
        case endpoint::complete:
            return complete_task(w, r, *caller, to);
        default:
            return evaluate_task(w, r, *caller, to);
    }
}

}  // namespace jitproxy::emulator
