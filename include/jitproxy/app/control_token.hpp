// The token of a control address on TCP: in a file of the daemon's, read by the commands of the same user.
#pragma once
#include <filesystem>

#include "jitproxy/base/error.hpp"
#include "jitproxy/base/secret.hpp"

namespace jitproxy::app {

// Made (0600, 256 random bits) where missing. Errors: storage, configuration.
[[nodiscard]] result<secret_ptr> load_or_make_control_token(std::filesystem::path const& file,
                                                            std::string_view what = "control token");

}  // namespace jitproxy::app
