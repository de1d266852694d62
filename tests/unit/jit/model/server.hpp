// An authorization server that keeps books. Each call waits until a sequence has it processed or answered, and meets
// the fault that the sequence says.
#pragma once
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "reference.hpp"

namespace jitproxy::jit::model {

class model_server final : public authorization_server {
  public:
    model_server(jitproxy::test::manual_clock const& clock, reference& r) : clock_(clock), ref_(r), as_(r.as) {}

    fault weather = fault::none;

    [[nodiscard]] std::size_t in_flight() const { return calls_.size(); }
    void process(std::size_t n, int variant);
    void answer(std::size_t n, fault f, int variant);
    // The process that made the calls has died.
    void nobody_listens(bool lost, bool processed);

    void fetch_agent_token(agent_index, callback<access_token> done) override;
    void exchange_for_user(agent_index, secret_ptr user, secret_ptr agent, callback<access_token> done) override;
    void create_task(secret_ptr bearer, task_order order, callback<task> done) override;
    void request_permission(secret_ptr bearer, request_order order, callback<request_state> done) override;
    void poll_permission(secret_ptr bearer, request_state known, callback<request_state> done) override;
    void exchange_permission(secret_ptr bearer, request_state known, callback<access_token> done) override;
    void complete_task(secret_ptr bearer, std::string task_id, callback<completion> done) override;
    void revoke(agent_index, secret_ptr token, callback<void> done) override;
    void list_pending(secret_ptr bearer, callback<std::vector<pending_request>> done) override;
    void evaluate_task(secret_ptr bearer, std::string task_id, callback<evaluation> done) override;
    void approve(secret_ptr user, std::string id, std::string notes, callback<request_state> done) override;
    void deny(secret_ptr user, std::string id, std::string reason, callback<request_state> done) override;

  private:
    struct call {
        std::function<void(int variant)> process;
        std::function<void(fault f, int variant)> answer;
        bool heard = true;  // by the process that made it
    };
    template <class T>
    struct work {
        std::function<result<T>(int variant)> process;
        std::function<void(result<T> const&, fault)> told = [](result<T> const&, fault) {};
        // Takes what matters out of an answer; null: it is garbled then.
        std::function<void(result<T>&)> cut = nullptr;
    };
    template <class T>
    void enter(secret_ptr bearer, work<T> what, callback<T> done);
    [[nodiscard]] bool alive(secret_ptr const& bearer) const;
    [[nodiscard]] error inactive(std::string const& task_id) const;
    access_token make_token(token_kind kind, agent_index agent, int variant, std::string user, std::string request);
    [[nodiscard]] agent_index agent_of(secret_ptr const& bearer) const;
    [[nodiscard]] request_state state_of(std::string const& id) const;
    void decide(secret_ptr user, std::string const& id, request_status to, callback<request_state> done);

    jitproxy::test::manual_clock const& clock_;
    reference& ref_;
    books& as_;
    std::deque<std::shared_ptr<call>> calls_;
};

}  // namespace jitproxy::jit::model
