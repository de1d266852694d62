// The journal's file: SQLite, used by one thread at a time. Every call waits for the disk where its records must
// outlive a power cut; journal_writer.hpp is what the control thread writes to.
#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "jitproxy/base/clock.hpp"
#include "jitproxy/base/error.hpp"
#include "jitproxy/jit/journal.hpp"

namespace jitproxy::store {

class sqlite_journal {
  public:
    // Opens DIRECTORY/journal.db, or makes it (0600; the directory, 0700, as well). One process at a time: the second
    // is refused and told who holds it. What cannot be read is never overwritten. `now` dates the changes that come
    // without a time. Errors: storage and in_use, with how to mend it.
    [[nodiscard]] static result<std::unique_ptr<sqlite_journal>> open(
        std::filesystem::path directory, std::function<wall_time()> now = std::chrono::system_clock::now);
    // How many tasks DIRECTORY/journal.db says are open. Changes nothing, not even an older schema. Errors: as open.
    [[nodiscard]] static result<std::size_t> examine(std::filesystem::path const& directory);
    ~sqlite_journal();

    [[nodiscard]] result<void> write(jit::journal_record const& what);
    // All in one transaction; an answer for each, in order. One that contradicts what the journal knows is refused
    // (internal) and does not touch the others; trouble with the file (storage) undoes all of them. One record of a
    // task among them makes the whole transaction wait for the disk (docs/decisions/0004).
    [[nodiscard]] std::vector<result<void>> write_all(std::vector<jit::journal_record> const& all);
    [[nodiscard]] result<std::vector<jit::open_task>> left_open() const;

  private:
    struct impl;
    explicit sqlite_journal(std::unique_ptr<impl> made) noexcept;
    std::unique_ptr<impl> impl_;
};

}  // namespace jitproxy::store
