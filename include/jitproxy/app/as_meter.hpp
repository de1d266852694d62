// Counts the calls to the authorization server, by call and outcome, for /metrics; and remembers the agents' own
// tokens, so that none is left alive when the daemon ends.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "jitproxy/jit/ports.hpp"

namespace jitproxy::app {

class as_meter final : public jit::authorization_server {
  public:
    using counts = std::map<std::pair<std::string, std::string>, std::uint64_t>;  // by call and outcome

    explicit as_meter(jit::authorization_server& inner) : inner_(inner), counts_(std::make_shared<counts>()) {}
    [[nodiscard]] counts const& seen() const noexcept { return *counts_; }
    // Revokes every agent token that was fetched here and may still be alive; calls back when all were answered.
    void revoke_agent_tokens(std::function<void()> done);

    void fetch_agent_token(jit::agent_index agent, jit::callback<jit::access_token> done) override;
    void exchange_for_user(jit::agent_index agent, secret_ptr user_token, secret_ptr agent_token,
                           jit::callback<jit::access_token> done) override;
    void create_task(secret_ptr bearer, jit::task_order order, jit::callback<jit::task> done) override;
    void request_permission(secret_ptr bearer, jit::request_order order,
                            jit::callback<jit::request_state> done) override;
    void poll_permission(secret_ptr bearer, jit::request_state known, jit::callback<jit::request_state> done) override;
    void exchange_permission(secret_ptr bearer, jit::request_state known,
                             jit::callback<jit::access_token> done) override;
    void complete_task(secret_ptr bearer, std::string task_id, jit::callback<jit::completion> done) override;
    void revoke(jit::agent_index agent, secret_ptr token, jit::callback<void> done) override;
    void list_pending(secret_ptr bearer, jit::callback<std::vector<jit::pending_request>> done) override;
    void evaluate_task(secret_ptr bearer, std::string task_id, jit::callback<jit::evaluation> done) override;
    void approve(secret_ptr user_bearer, std::string request_id, std::string notes,
                 jit::callback<jit::request_state> done) override;
    void deny(secret_ptr user_bearer, std::string request_id, std::string reason,
              jit::callback<jit::request_state> done) override;

  private:
    template <class T>
    [[nodiscard]] jit::callback<T> counted(char const* call, jit::callback<T> done);

    struct kept_token {
        jit::agent_index agent;
        secret_ptr value;
        std::chrono::steady_clock::time_point dead;
    };
    jit::authorization_server& inner_;
    // Shared, for a late answer may come after this is gone.
    std::shared_ptr<counts> counts_;
    std::shared_ptr<std::vector<kept_token>> agent_tokens_ = std::make_shared<std::vector<kept_token>>();
};

}  // namespace jitproxy::app
