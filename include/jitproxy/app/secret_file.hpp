// Secrets of the daemon's own making, each in a file: the token of a control address on TCP, which the commands of the
// same user read, and the key of the journal's hashes.
#pragma once
#include <filesystem>

#include "jitproxy/base/error.hpp"
#include "jitproxy/base/secret.hpp"

namespace jitproxy::app {

// Made (0600, 256 random bits) where missing. Errors: storage, configuration.
[[nodiscard]] result<secret_ptr> load_or_make_secret(std::filesystem::path const& file);

}  // namespace jitproxy::app
