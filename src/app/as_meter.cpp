#include "jitproxy/app/as_meter.hpp"

namespace jitproxy::app {

template <class T>
jit::callback<T> as_meter::counted(char const* call, jit::callback<T> done) {
    return [counts = counts_, call, done = std::move(done)](result<T> outcome) {
        ++(*counts)[{call, outcome ? "ok" : std::string(name_of(outcome.error().code))}];
        done(std::move(outcome));
    };
}

void as_meter::fetch_agent_token(jit::agent_index agent, jit::callback<jit::access_token> done) {
    auto remembered = [agent, tokens = agent_tokens_, done = std::move(done)](result<jit::access_token> answer) {
        auto const now = std::chrono::steady_clock::now();
        std::erase_if(*tokens, [&](kept_token const& t) { return t.dead <= now; });
        if (answer) tokens->push_back({agent, answer->value, now + answer->expires_in});
        done(std::move(answer));
    };
    inner_.fetch_agent_token(agent, counted<jit::access_token>("agent_token", std::move(remembered)));
}

void as_meter::revoke_agent_tokens(std::function<void()> done) {
    auto const tokens = std::exchange(*agent_tokens_, {});
    if (tokens.empty()) return done();
    auto const left = std::make_shared<std::size_t>(tokens.size());
    for (auto const& t : tokens)
        revoke(t.agent, t.value, [left, done](result<void> const&) {
            if (--*left == 0) done();
        });
}

void as_meter::exchange_for_user(jit::agent_index agent, secret_ptr user_token, secret_ptr agent_token,
                                 jit::callback<jit::access_token> done) {
    inner_.exchange_for_user(agent, std::move(user_token), std::move(agent_token),
                             counted("delegation", std::move(done)));
}

void as_meter::create_task(secret_ptr bearer, jit::task_order order, jit::callback<jit::task> done) {
    inner_.create_task(std::move(bearer), std::move(order), counted("task", std::move(done)));
}

void as_meter::request_permission(secret_ptr bearer, jit::request_order order, jit::callback<jit::request_state> done) {
    inner_.request_permission(std::move(bearer), std::move(order), counted("request", std::move(done)));
}

void as_meter::poll_permission(secret_ptr bearer, jit::request_state known, jit::callback<jit::request_state> done) {
    inner_.poll_permission(std::move(bearer), std::move(known), counted("poll", std::move(done)));
}

void as_meter::exchange_permission(secret_ptr bearer, jit::request_state known, jit::callback<jit::access_token> done) {
    inner_.exchange_permission(std::move(bearer), std::move(known), counted("exchange", std::move(done)));
}

void as_meter::complete_task(secret_ptr bearer, std::string task_id, jit::callback<jit::completion> done) {
    inner_.complete_task(std::move(bearer), std::move(task_id), counted("complete", std::move(done)));
}

void as_meter::revoke(jit::agent_index agent, secret_ptr token, jit::callback<void> done) {
    inner_.revoke(agent, std::move(token), counted("revoke", std::move(done)));
}

void as_meter::list_pending(secret_ptr bearer, jit::callback<std::vector<jit::pending_request>> done) {
    inner_.list_pending(std::move(bearer), counted("pending", std::move(done)));
}

void as_meter::evaluate_task(secret_ptr bearer, std::string task_id, jit::callback<jit::evaluation> done) {
    inner_.evaluate_task(std::move(bearer), std::move(task_id), counted("evaluate", std::move(done)));
}

void as_meter::approve(secret_ptr user_bearer, std::string request_id, std::string notes,
                       jit::callback<jit::request_state> done) {
    inner_.approve(std::move(user_bearer), std::move(request_id), std::move(notes),
                   counted("approve", std::move(done)));
}

void as_meter::deny(secret_ptr user_bearer, std::string request_id, std::string reason,
                    jit::callback<jit::request_state> done) {
    inner_.deny(std::move(user_bearer), std::move(request_id), std::move(reason), counted("deny", std::move(done)));
}

}  // namespace jitproxy::app
