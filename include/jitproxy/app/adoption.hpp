// Tasks that a `jitproxy run` serving for itself left open when it was killed: its journal outlives it, and the next
// daemon completes them.
#pragma once
#include <filesystem>

#include "jitproxy/store/journal.hpp"

namespace jitproxy::app {

// Below `runs` each directory is the state of one run. Those whose owner is gone are emptied into `into` and removed.
// Returns how many tasks were taken over. What cannot be read is left for next time, with a line in the log.
std::size_t adopt_orphans(std::filesystem::path const& runs, store::sqlite_journal& into);

}  // namespace jitproxy::app
