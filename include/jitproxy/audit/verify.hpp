// Does an audit trail hang together? Reads files, changes nothing.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "jitproxy/audit/chain.hpp"

namespace jitproxy::audit {

struct problem {
    std::string file;
    std::uint64_t line = 0;  // 1: the first; 0: the file as a whole
    std::string what;

    [[nodiscard]] std::string text() const;  // "file:line: what"
};
struct verdict {
    static constexpr std::size_t most_problems = 100;  // that are kept; all are counted

    std::uint64_t lines = 0;      // that belong to the trail
    std::uint64_t torn = 0;       // unfinished lines that a later line vouches for: crashes
    std::uint64_t first_seq = 0;  // 1: from the trail's beginning; greater: what came before is not among these files
    std::string first_time;
    std::string last_time;
    audit::head last;
    std::uint64_t problem_count = 0;
    std::vector<problem> problems;

    [[nodiscard]] bool good() const noexcept { return problem_count == 0; }
};
// `files` are one trail, the oldest first; `trail` is where the newest is written. `noted` is a head that was written
// down elsewhere: its line must be among them. Where the writers' own is there (head_file()), nothing may be missing at
// the end.
[[nodiscard]] verdict verify(std::vector<std::filesystem::path> const& files, std::filesystem::path const& trail,
                             std::optional<head> const& noted);

// The trail's file and those that it was renamed to (FILE.1, FILE-20260504), by the number of their first line.
// Compressed ones are not among them: `left_out` says how many there are.
struct trail_files {
    std::vector<std::filesystem::path> files;
    std::size_t left_out = 0;
};
[[nodiscard]] trail_files files_of(std::filesystem::path const& trail);

}  // namespace jitproxy::audit
