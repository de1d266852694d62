// The journal port on SQLite: what is open at the authorization server, durable before the server is told.
#pragma once
#include <filesystem>
#include <functional>
#include <memory>

#include "jitproxy/base/clock.hpp"
#include "jitproxy/base/error.hpp"
#include "jitproxy/jit/ports.hpp"

namespace jitproxy::store {

// Opens DIRECTORY/journal.db, or makes it (0600; the directory, 0700, as well). One process at a time: the second is
// refused and told who holds it. What cannot be read is never overwritten. `now` dates the changes for which the port
// gives no time. Errors: storage, with how to mend it.
[[nodiscard]] result<std::unique_ptr<jit::journal>> create_journal(
    std::filesystem::path directory, std::function<wall_time()> now = std::chrono::system_clock::now);

}  // namespace jitproxy::store
