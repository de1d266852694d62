// The command line of jitproxy-emulator.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "jitproxy/emulator/task_store.hpp"

namespace jitproxy::emulator {

struct endpoint_address {
    std::string host;
    std::uint16_t port = 0;  // 0: any
};

struct agent_credentials {
    std::string id;
    std::string client_secret;
};

struct demo_user {
    std::string token;
    bool approver = true;
};

struct options {
    std::optional<endpoint_address> as;
    std::optional<endpoint_address> as_tls;
    std::optional<endpoint_address> api;
    std::optional<endpoint_address> api_tls;
    std::vector<std::string> api_names;  // more names for the certificate
    std::string tenant = "acme-corp";
    std::string org_id = "org_123";
    std::vector<agent_credentials> agents{{"agt_demo", "demo-secret"}};
    std::vector<demo_user> users{{"user_approver", true}, {"user_plain", false}};
    std::string state_dir;
    std::string ready_file;
    seconds token_ttl{3600};
    task_settings tasks;
    std::int64_t token_rate = 30;  // a minute; 0: none
    std::int64_t jit_rate = 0;
    bool quiet = false;
};

// "127.0.0.1:0", "[::1]:8443"; nullopt where it is neither.
[[nodiscard]] std::optional<endpoint_address> parse_address(std::string_view text);

// The options, or the code to exit with (help, version and mistakes are printed).
[[nodiscard]] std::optional<options> parse_options(int argc, char const* const* argv, int& exit_code);

}  // namespace jitproxy::emulator
