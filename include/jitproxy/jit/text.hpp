// Text from outside that ends up in header fields, events and logs.
#pragma once
#include <string>
#include <string_view>

#include "jitproxy/base/one_line.hpp"
#include "jitproxy/jit/permission.hpp"

namespace jitproxy::jit {

inline constexpr std::size_t longest_reason = 300;
inline constexpr std::size_t longest_justification = 500;

// The agent's own words, else the session's pattern, else the API's, with {method}, {url}, {host} and {api} filled in.
[[nodiscard]] std::string justification_of(permission_need const& need, std::string_view session_pattern);

// What a client is told of a failure, with when to try again where that helps.
[[nodiscard]] permission_outcome outcome_of(error const& what, std::string request_id = {});

}  // namespace jitproxy::jit
