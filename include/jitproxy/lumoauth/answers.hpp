// Reads each answer of LumoAuth in every variant listed in protocol.md section 2. Members that are missing and not
// needed, or unknown, are no error.
#pragma once
#include <vector>

#include "jitproxy/base/error.hpp"
#include "jitproxy/jit/ports.hpp"
#include "jitproxy/lumoauth/wire.hpp"

namespace jitproxy::lumoauth {

// All wipe the answer's body. Errors: as listed at jit::authorization_server.
[[nodiscard]] result<jit::access_token> read_access_token(wire_answer& answer, answer_context const& context);
[[nodiscard]] result<jit::task> read_task(wire_answer& answer, answer_context const& context);
// `known` is what an earlier answer said; members that this one leaves out stay as they were.
[[nodiscard]] result<jit::request_state> read_request_state(wire_answer& answer, answer_context const& context,
                                                            jit::request_state known);
[[nodiscard]] result<jit::completion> read_completion(wire_answer& answer, answer_context const& context);
// Members of the list that cannot be understood are left out.
[[nodiscard]] result<std::vector<jit::pending_request>> read_pending(wire_answer& answer,
                                                                     answer_context const& context);
[[nodiscard]] result<jit::evaluation> read_evaluation(wire_answer& answer, answer_context const& context);
[[nodiscard]] result<void> read_revocation(wire_answer& answer, answer_context const& context);

}  // namespace jitproxy::lumoauth
