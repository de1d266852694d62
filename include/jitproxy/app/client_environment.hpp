// The variables that route every client an agent may have through the proxy and make it trust the local CA.
#pragma once
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "jitproxy/app/config_load.hpp"
#include "jitproxy/base/error.hpp"

namespace jitproxy::app {

using environment = std::vector<std::pair<std::string, std::string>>;  // in the order of output, names unique

inline constexpr std::string_view truststore_password = "changeit";  // Java's own convention; guards nothing secret

struct client_access {
    std::string proxy_url;   // with the session's credentials, or without
    std::string proxy_host;  // for JVM flags, which take no URL
    std::uint16_t proxy_port = 0;
    std::string ca_file;     // the local CA alone: for what adds to the system's roots
    std::string ca_bundle;   // system roots and local CA: for what replaces them
    std::string truststore;  // PKCS#12 of the bundle's local CA, for JVMs; empty: none
    std::vector<std::string> direct = {"localhost", "127.0.0.1", "::1"};  // names that clients do not ask the proxy for
};
// The names of this machine, but for those that a protected host is reached by: a client takes "localhost" for
// everything below it too.
[[nodiscard]] std::vector<std::string> names_reached_directly(std::vector<api_config> const& apis);
[[nodiscard]] environment client_environment(client_access const& access);

// What a process that has `inherited` already is to be given: options of a user's own in JAVA_TOOL_OPTIONS and
// GIT_CONFIG_* stay, earlier copies of ours are replaced; without a JVM at hand there is no JAVA_TOOL_OPTIONS.
[[nodiscard]] environment merge_environment(environment session, variable_lookup const& inherited, bool java_found);
[[nodiscard]] bool program_found(std::string_view name, variable_lookup const& variables);  // in PATH
[[nodiscard]] bool java_found(variable_lookup const& variables);  // JAVA_HOME, or java in PATH

// The whole environment of a command: `inherited` ("NAME=value" each) with `ours` in place of its copies, and without
// what an agent must not see (the agent's and the user's own credentials).
[[nodiscard]] std::vector<std::string> command_environment(std::vector<std::string> const& inherited,
                                                           environment const& ours);

enum class shell_format : std::uint8_t { sh, fish, dotenv, json };
[[nodiscard]] std::optional<shell_format> parse_shell_format(std::string_view name);
// Lines that a shell may evaluate (or a document, for json). Errors: bad_argument, for a value that the format cannot
// carry.
[[nodiscard]] result<std::string> format_environment(environment const& variables, shell_format format);

}  // namespace jitproxy::app
