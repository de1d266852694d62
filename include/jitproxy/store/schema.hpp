// The journal's tables, and how a file comes to have them.
#pragma once
#include <filesystem>

#include "jitproxy/base/clock.hpp"
#include "jitproxy/base/error.hpp"
#include "jitproxy/store/database.hpp"

namespace jitproxy::store {

inline constexpr std::int64_t schema_version = 3;           // PRAGMA user_version
inline constexpr std::int64_t application_id = 0x6a697470;  // "jitp": tells our files from other SQLite files

// Makes the file with 0600 where there is none; never weakens or replaces one that is there. Errors: storage.
[[nodiscard]] result<void> prepare_file(std::filesystem::path const& file);
// The schema of what is in the file, 0 where there is nothing yet. Reads only. Errors: storage, where it is not ours,
// newer than this program, or damaged.
[[nodiscard]] result<std::int64_t> examine_schema(database& d, std::filesystem::path const& file);
// Write-ahead log, synchronous=FULL, tables; checks what it finds, and brings an older one up to date. Errors: storage.
[[nodiscard]] result<void> prepare_schema(database& d, std::filesystem::path const& file);

}  // namespace jitproxy::store
