// Where files are: as a service by systemd's variables, as a user by the XDG base directories.
#pragma once
#include <sys/types.h>

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

// The whole file; nothing where it cannot be read or is larger than that (errno says why: EISDIR, EFBIG). Not for
// secrets.
inline constexpr std::size_t largest_text_file = 16U << 20;
[[nodiscard]] std::optional<std::string> read_text_file(std::filesystem::path const& file,
                                                        std::size_t most = largest_text_file);

// Makes the directory (0700) and those above it where missing. Errors: storage.
[[nodiscard]] result<void> ensure_directory(std::filesystem::path const& directory);
// A directory that nobody else can have put there or write to: ours or root's, no link, no rights for others.
// Anything less could be a trap for tokens. Errors: storage.
[[nodiscard]] result<void> check_private_directory(std::filesystem::path const& directory);
// The same of the system service's socket and the directory that it is in: these may be the service's too, and root,
// who alone can make a directory there, need not care whose they are. Errors: storage.
inline constexpr char const* service_socket = "/run/jitproxy/control.sock";
[[nodiscard]] result<void> check_service_socket(std::filesystem::path const& socket, uid_t caller,
                                                std::optional<uid_t> service);

// Control sockets to try, in order: $JITPROXY_CONTROL alone if it is set, else control.sock in the runtime directory,
// /run/jitproxy/control.sock, and last those of `jitproxy run` serving for itself where there is exactly one.
[[nodiscard]] std::vector<std::string> control_addresses(variable_lookup const& variables);

// The directory itself, or the nearest above it that is there: where it would be made.
[[nodiscard]] std::filesystem::path nearest_directory(std::filesystem::path directory);

}  // namespace jitproxy::app
