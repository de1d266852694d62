// Where files are: as a service by systemd's variables, as a user by the XDG base directories.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "jitproxy/app/config.hpp"
#include "jitproxy/app/config_load.hpp"
#include "jitproxy/base/error.hpp"

namespace jitproxy::app {

// The user's configuration file where there is one, else /etc/jitproxy/jitproxy.toml where there is one (the other way
// round for a service); empty: none.
[[nodiscard]] std::filesystem::path find_config_file(variable_lookup const& variables);
// [state] directory, else $STATE_DIRECTORY, else $XDG_STATE_HOME/jitproxy, else ~/.local/state/jitproxy. Errors:
// configuration, where not even a home directory is known.
[[nodiscard]] result<std::filesystem::path> state_directory(config const& c, variable_lookup const& variables);
// [audit] file, else audit.jsonl in the state directory; empty: there is to be none.
[[nodiscard]] std::filesystem::path audit_file(config const& c, std::filesystem::path const& state);
// $RUNTIME_DIRECTORY, else $XDG_RUNTIME_DIR/jitproxy, else /tmp/jitproxy-UID.
[[nodiscard]] std::filesystem::path runtime_directory(variable_lookup const& variables);

// The whole file; nothing where it cannot be read (errno says why). Not for secrets.
[[nodiscard]] std::optional<std::string> read_text_file(std::filesystem::path const& file);

// Makes the directory (0700) and those above it where missing. Errors: storage.
[[nodiscard]] result<void> ensure_directory(std::filesystem::path const& directory);
// A directory that nobody else can have put there or write to: ours or root's, no link, no rights for others.
// Anything less could be a trap for tokens. Errors: storage.
[[nodiscard]] result<void> check_private_directory(std::filesystem::path const& directory);

// Control sockets to try, in order: $JITPROXY_CONTROL alone if it is set, else control.sock in the runtime directory,
// /run/jitproxy/control.sock, and last those of `jitproxy run` serving for itself where there is exactly one.
[[nodiscard]] std::vector<std::string> control_addresses(variable_lookup const& variables);

}  // namespace jitproxy::app
