// The authorization server of the rig: everything is answered at once.
#include "rig.hpp"

namespace jitproxy::proxy::test {

void played_as::fetch_agent_token(jit::agent_index, jit::callback<jit::access_token> done) {
    answer<jit::access_token>(std::move(done),
                              jit::access_token{make_secret("agent-" + std::to_string(++tokens)), seconds(3600)});
}
void played_as::exchange_for_user(jit::agent_index, secret_ptr, secret_ptr, jit::callback<jit::access_token> done) {
    answer<jit::access_token>(std::move(done), make_error(errc::as_rejected));
}
void played_as::create_task(secret_ptr, jit::task_order, jit::callback<jit::task> done) {
    answer<jit::task>(std::move(done), jit::task{"task-" + std::to_string(++tasks), std::nullopt});
}
void played_as::request_permission(secret_ptr, jit::request_order, jit::callback<jit::request_state> done) {
    jit::request_state state;
    state.request_id = "req-" + std::to_string(++asked);
    state.status = decision;
    state.reason = "played";
    answer<jit::request_state>(std::move(done), std::move(state));
}
void played_as::poll_permission(secret_ptr, jit::request_state known, jit::callback<jit::request_state> done) {
    known.status = decision;
    answer<jit::request_state>(std::move(done), std::move(known));
}
void played_as::exchange_permission(secret_ptr, jit::request_state, jit::callback<jit::access_token> done) {
    answer<jit::access_token>(std::move(done),
                              jit::access_token{make_secret("scoped-" + std::to_string(++exchanged)), seconds(300)});
}
void played_as::complete_task(secret_ptr, std::string, jit::callback<jit::completion> done) {
    ++completed;
    answer<jit::completion>(std::move(done), jit::completion::completed);
}
void played_as::list_pending(secret_ptr, jit::callback<std::vector<jit::pending_request>> done) {
    answer<std::vector<jit::pending_request>>(std::move(done), make_error(errc::as_rejected));
}
void played_as::evaluate_task(secret_ptr, std::string, jit::callback<jit::evaluation> done) {
    answer<jit::evaluation>(std::move(done), jit::evaluation{});
}
void played_as::revoke(jit::agent_index, secret_ptr, jit::callback<void> done) {
    answer<void>(std::move(done), result<void>());
}
void played_as::approve(secret_ptr, std::string, std::string, jit::callback<jit::request_state> done) {
    answer<jit::request_state>(std::move(done), make_error(errc::as_rejected));
}
void played_as::deny(secret_ptr, std::string, std::string, jit::callback<jit::request_state> done) {
    answer<jit::request_state>(std::move(done), make_error(errc::as_rejected));
}

}  // namespace jitproxy::proxy::test
