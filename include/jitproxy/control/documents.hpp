// The JSON that scripts rely on. Nothing in it is a bearer; the one secret is the proxy URL of a session's own.
#pragma once
#include "jitproxy/jit/task_manager.hpp"

namespace jitproxy::control {

[[nodiscard]] json::object session_document(jit::session_info const& s);
[[nodiscard]] json::object closed_document(jit::session_info const& s);  // "completed" or "closing"
[[nodiscard]] json::object request_document(jit::request_info const& r);
[[nodiscard]] json::object agent_token_document(jit::agent_token_info const& t);
// RFC 3339, or null.
[[nodiscard]] json::value time_value(std::optional<wall_time> const& t);

}  // namespace jitproxy::control
