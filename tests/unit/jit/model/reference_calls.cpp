// reference: what is asked of the authorization server, with which bearer, and whether it is in the journal by then.
#include "jitproxy/base/json.hpp"
#include "reference.hpp"

namespace jitproxy::jit::model {

token_book const* reference::known_token(secret_ptr const& token) const {
    if (!token) return nullptr;
    auto const it = as.tokens.find(std::string(token->reveal()));
    return it == as.tokens.end() ? nullptr : &it->second;
}

agent_index reference::agent_for(std::string const& session_name) const {
    auto const it = agent_of.find(session_name);
    return it == agent_of.end() ? 0 : it->second;
}

std::string reference::misplaced(secret_ptr const& bearer, std::string const& session_name, bool for_user,
                                 bool agent_too) const {
    auto const* t = known_token(bearer);
    if (t == nullptr) return "no bearer, or none that the AS has made";
    if (t->told_in != life) return "a bearer of an earlier life";
    if (t->kind == token_kind::scoped) return "a scoped token";
    if (t->agent != agent_for(session_name)) return "another agent's bearer";
    if (t->kind == token_kind::agent) return for_user && !agent_too ? "the agent's bearer for a user's session" : "";
    if (!for_user) return "a delegated bearer for the agent's own session";
    auto const user = user_of.find(session_name);
    return user != user_of.end() && user->second == t->user ? "" : "another user's bearer";
}

void reference::creating(task_order const& order, secret_ptr const& bearer) {
    demand(journal_.openings(order.name) > 0, "5", "a task for " + order.name + " is ordered before that is journaled");
    bool const for_user = user_of.count(order.name) != 0;
    auto const wrong = misplaced(bearer, order.name, for_user, false);
    demand(wrong.empty(), "1", "create_task for " + order.name + ": " + wrong);
}

void reference::about_task(char const* call, std::string const& task_id, secret_ptr const& bearer) {
    auto const* row = journal_.of_task(task_id);
    if (row == nullptr) {  // its id could not be written: it is only closed
        demand(journal_.was_full, "5", std::string(call) + " of " + task_id + ", which the journal does not know");
        return;
    }
    auto const& about = row->task.about;
    // Only closing is also done by the agent in its own name.
    auto const wrong = misplaced(bearer, about.name, about.owner == "user", std::string_view(call) == "complete_task");
    demand(wrong.empty(), "1", std::string(call) + " of " + task_id + ": " + wrong);
}

std::string reference::asking(request_order const& order, secret_ptr const& bearer) {
    about_task("request_permission", order.task_id, bearer);
    auto const* row = journal_.of_task(order.task_id);
    if (row == nullptr) {
        demand(false, "5", "a permission in " + order.task_id + ", which the journal does not know");
        return {};
    }
    auto const& session_id = row->task.session_id;
    auto const needs = canonical_json(order.authorization_details);
    auto const& origin = order.justification;  // so the model's needs are justified
    auto key = need_key(session_id, origin, needs);
    demand(resources_.count(key) != 0, "4", "nobody in that session asked for " + key);
    demand(journal_.asking(session_id, origin + ' ' + needs), "5", "asked for before it is journaled: " + key);
    demand(serves(session_id), "5", "a permission is asked for in a session that is closed: " + key);
    auto const wrong = filed.asked(key, session_id, order.task_id, needs, clock_.wall_now());
    demand(wrong.empty(), "4", wrong + ": " + key);
    ++seen["asked"];
    return key;
}

void reference::about_request(char const* call, std::string const& request_id, secret_ptr const& bearer) {
    auto const it = as.requests.find(request_id);
    if (it == as.requests.end()) return demand(false, "4", std::string(call) + " of an unknown request " + request_id);
    about_task(call, it->second.task_id, bearer);
}

void reference::completing(std::string const& task_id, secret_ptr const& bearer) {
    about_task("complete_task", task_id, bearer);
    auto const* row = journal_.of_task(task_id);
    if (row == nullptr) return;
    auto const& session_id = row->task.session_id;
    demand(!serves(session_id), "5", task_id + " is completed while its session serves");
    demand(traffic.count(session_id) == 0, "5", task_id + " is completed while requests are in flight");
    for (auto const& [id, r] : journal_.rows)
        if (r.task.about.parent_session_id == session_id)
            demand(!serves(id), "5", task_id + " is completed while a child of its session serves");
}

void reference::revoking(agent_index agent, secret_ptr const& token) {
    auto const* t = known_token(token);
    if (t == nullptr) return demand(false, "1", "revokes what the AS has not made");
    as.tokens.at(std::string(token->reveal())).revoking = true;
    demand(t->kind != token_kind::agent, "1", "revokes the agent's own token");
    demand(t->agent == agent, "1", "revokes a token in another agent's name");
    for (auto const& [id, s] : latest) {
        if (!s->accepts()) continue;
        demand(!s->bearer || s->bearer->reveal() != token->reveal(), "2",
               "revokes the bearer of a session that serves");
        for (auto const& [resource, b] : s->grants)
            demand(b.token->reveal() != token->reveal(), "2", "revokes a token that is handed out");
    }
}

void reference::delegating(agent_index index, secret_ptr const& user, secret_ptr const& agent) {
    auto const* t = known_token(agent);
    demand(t != nullptr && t->kind == token_kind::agent && t->agent == index && t->told_in == life, "1",
           "delegates with another bearer");
    bool given = false;
    for (auto const& [name, value] : user_of)
        given = given || (user && user->reveal() == value && agent_for(name) == index);
    demand(given, "1", "delegates for a user that nobody named");
}

void reference::listing(secret_ptr const& bearer) {
    auto const* t = known_token(bearer);
    demand(t != nullptr && t->kind != token_kind::scoped && t->told_in == life, "1", "list_pending: a wrong bearer");
}

void reference::told_token(result<access_token> const& answer) {
    if (answer.has_error() || !answer->value) return;
    as.tokens.at(std::string(answer->value->reveal())).told_in = life;
}

void reference::told_task(result<task> const& answer) {
    if (answer.has_value() && !answer->task_id.empty()) as.tasks.at(answer->task_id).told_in = life;
}

void reference::told_evaluation(std::string const& task_id, result<evaluation> const& answer) {
    if (answer.has_value() && !answer->active) inactive_.insert(task_id);
}

}  // namespace jitproxy::jit::model
