// Counts the calls to the authorization server, by call and outcome, for /metrics.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "jitproxy/jit/ports.hpp"

namespace jitproxy::app {

class as_meter final : public jit::authorization_server {
  public:
    using counts = std::map<std::pair<std::string, std::string>, std::uint64_t>;  // by call and outcome

    explicit as_meter(jit::authorization_server& inner) : inner_(inner), counts_(std::make_shared<counts>()) {}
    [[nodiscard]] counts const& seen() const noexcept { return *counts_; }

    void fetch_agent_token(jit::callback<jit::access_token> done) override;
    void exchange_for_user(secret_ptr user_token, secret_ptr agent_token,
                           jit::callback<jit::access_token> done) override;
    void create_task(secret_ptr bearer, jit::task_order order, jit::callback<jit::task> done) override;
    void request_permission(secret_ptr bearer, jit::request_order order,
                            jit::callback<jit::request_state> done) override;
    void poll_permission(secret_ptr bearer, jit::request_state known, jit::callback<jit::request_state> done) override;
    void exchange_permission(secret_ptr bearer, jit::request_state known,
                             jit::callback<jit::access_token> done) override;
    void complete_task(secret_ptr bearer, std::string task_id, jit::callback<jit::completion> done) override;
    void revoke(secret_ptr token, jit::callback<void> done) override;
    void approve(secret_ptr user_bearer, std::string request_id, std::string notes,
                 jit::callback<jit::request_state> done) override;
    void deny(secret_ptr user_bearer, std::string request_id, std::string reason,
              jit::callback<jit::request_state> done) override;

  private:
    template <class T>
    [[nodiscard]] jit::callback<T> counted(char const* call, jit::callback<T> done);

    jit::authorization_server& inner_;
    std::shared_ptr<counts> counts_;  // a late answer may come after this is gone
};

}  // namespace jitproxy::app
