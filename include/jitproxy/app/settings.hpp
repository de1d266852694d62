// The configuration as each room wants it.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "jitproxy/app/config_load.hpp"
#include "jitproxy/ca/authority.hpp"
#include "jitproxy/jit/task_manager.hpp"
#include "jitproxy/lumoauth/client.hpp"
#include "jitproxy/policy/rules.hpp"
#include "jitproxy/proxy/server.hpp"

namespace jitproxy::app {

[[nodiscard]] ca::authority_options authority_settings(config const& c, policy::rules const& rules,
                                                       std::filesystem::path const& state);
[[nodiscard]] lumoauth::client_options as_settings(config const& c, std::vector<agent> const& agents);
[[nodiscard]] proxy::server_options server_settings(config const& c);
[[nodiscard]] jit::task_manager_options manager_settings(config const& c, std::vector<agent> const& agents);
void configure_log(config const& c);

// Keys ("listen.proxy") that differ and that a running daemon cannot change.
[[nodiscard]] std::vector<std::string> settings_that_need_a_restart(config const& now, config const& next);

}  // namespace jitproxy::app
