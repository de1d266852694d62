// From flags, variables and a file to a configuration, or to every error in them. Precedence: flag, variable, file,
// default.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "jitproxy/app/config.hpp"
#include "jitproxy/base/error.hpp"
#include "jitproxy/base/secret.hpp"
#include "jitproxy/policy/rules.hpp"

namespace jitproxy::app {

// One error, with the place where it can be mended: "file:line:column", a variable or a flag.
struct config_problem {
    std::string where;
    std::string message;
    [[nodiscard]] std::string text() const { return where + ": " + message; }
};

using variable_lookup = std::function<std::optional<std::string>(std::string_view)>;
[[nodiscard]] variable_lookup process_environment();  // empty variables count as absent

struct config_flag {  // "authorization_server", "url", "https://…", "--url"
    std::string table;
    std::string key;
    std::string value;
    std::string source;
};
struct config_sources {
    std::string file;       // named by flag or variable: must exist. Empty: the usual place, which may be absent
    std::string file_text;  // tests: in place of the file's content
    std::vector<config_flag> flags;
    std::vector<std::string> protect;  // HOST or HOST:PORT, each an API of its own beside the file's
    variable_lookup variables;
    bool need_credentials = true;  // false: commands that never speak to the AS
};

// Who sessions act as. The first is that of sessions that name none: "default" of [authorization_server] where that has
// a client id, then each [[agent]].
struct agent {
    std::string name;
    std::string client_id;
    secret_ptr client_secret;
    std::string scope;
    std::string secret_from;  // the variable or file it was read from
};

struct loaded_config {
    config value;
    std::vector<agent> agents;  // with their secrets, where credentials are needed
    std::string file;           // what was read; empty: no file
    std::vector<config_problem> problems;
    std::vector<std::string> warnings;
    // Where what is no default was set: "listen.proxy", "api.0.hosts" to "FILE:LINE", "variable NAME" or "flag --NAME".
    std::map<std::string, std::string> origins;
    [[nodiscard]] bool ok() const noexcept { return problems.empty(); }
};
// An agent's secret is AGENT_CLIENT_SECRET (of "default"), else what client_secret_file holds, else the service
// manager's credential client_secret ("default") or client_secret.NAME, a file in $CREDENTIALS_DIRECTORY.
[[nodiscard]] loaded_config load_config(config_sources const& sources);

// A secret from a file: one trailing line end is cut, and another is refused. Errors: configuration.
[[nodiscard]] result<secret_ptr> read_secret_file(std::string const& path);

// Errors: configuration; never for what load_config found good.
[[nodiscard]] result<policy::rules_ptr> make_rules(config const& c);

}  // namespace jitproxy::app
