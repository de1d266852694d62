// What the JIT endpoints answer, in whatever form the variants ask for.
#pragma once
#include <string_view>

#include "jitproxy/emulator/handlers.hpp"

namespace jitproxy::emulator {

[[nodiscard]] reply task_answer(world const& w, task const& t);
// `to` is how the caller reached us; `fresh` for the answer to /jit/request itself.
[[nodiscard]] reply permission_answer(world const& w, permission const& p, as_route const& to, bool fresh);
[[nodiscard]] reply token_answer(world const& w, token const& t);
[[nodiscard]] reply completion_answer(world const& w, task const& t);
[[nodiscard]] reply evaluation_answer(world const& w, task const& t);
[[nodiscard]] reply decision_answer(permission const& p);
// An approving user gets the list; an agent what the variant says.
[[nodiscard]] reply pending_answer(world const& w, token const& caller);

}  // namespace jitproxy::emulator
