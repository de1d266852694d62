// The control API's targets: path segments and query parameters, percent-decoded.
#pragma once
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "jitproxy/base/error.hpp"
#include "jitproxy/base/json.hpp"

namespace jitproxy::control {

struct parsed_target {
    std::vector<std::string> segments;         // "/v1/sessions/x" → v1, sessions, x
    std::map<std::string, std::string> query;  // the last of equal names
    // "1", "true", "yes" or nothing behind the name.
    [[nodiscard]] bool flag(std::string const& name) const;
};
[[nodiscard]] std::optional<parsed_target> parse_target(std::string_view target);

// The first mistake in an order's members: `strings`, and a whole number of that name, are what it may have. Null is as
// good as absent; anything else must not pass silently. Errors: bad_argument.
[[nodiscard]] std::optional<error> wrong_member(json::object const& o, std::initializer_list<std::string_view> strings,
                                                std::string_view number = {});
// As that, of a target's query, which may have the parameter `known` alone: attached (a flag) or status (a request's).
[[nodiscard]] std::optional<error> wrong_query(parsed_target const& target, std::string_view known);

}  // namespace jitproxy::control
