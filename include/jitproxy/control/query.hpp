// The control API's targets: path segments and query parameters, percent-decoded.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace jitproxy::control {

struct parsed_target {
    std::vector<std::string> segments;         // "/v1/sessions/x" → v1, sessions, x
    std::map<std::string, std::string> query;  // the last of equal names
    // "1", "true", "yes" or nothing behind the name.
    [[nodiscard]] bool flag(std::string const& name) const;
};
[[nodiscard]] std::optional<parsed_target> parse_target(std::string_view target);

}  // namespace jitproxy::control
