// The agents that sessions act as: each with client credentials and an agent token of its own. Nothing of one is used
// for another.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "jitproxy/jit/task_manager.hpp"
#include "jitproxy/jit/token_keeper.hpp"

namespace jitproxy::jit {

class agent_table {
  public:
    // `changed`: an agent has a new token. There is at least one agent.
    agent_table(manager_ports ports, task_manager_options const& options,
                std::function<void(token_keeper const&)> changed);

    void fetch_all();
    void credentials_changed();
    [[nodiscard]] std::shared_ptr<token_keeper> const& keeper(agent_index agent) const { return keepers_.at(agent); }
    [[nodiscard]] agent_identity const& identity(agent_index agent) const { return identities_.at(agent); }
    // By what a session calls it; empty: the first. Error: bad_argument.
    [[nodiscard]] result<agent_index> named(std::string_view name) const;
    // By what the journal calls it; empty: the first, of a journal that knew of no other. Nothing where it is not
    // configured any more.
    [[nodiscard]] std::optional<agent_index> with_client_id(std::string_view client_id) const;
    [[nodiscard]] std::vector<agent_token_info> tokens() const;

  private:
    std::vector<agent_identity> identities_;
    std::vector<std::shared_ptr<token_keeper>> keepers_;
};

}  // namespace jitproxy::jit
