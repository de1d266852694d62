// The audit trail: an append-only file of JSON lines, each chained to the one before (chain.hpp).
//
// Each line is written under a lock on the file beside it (FILE.head) that also keeps where the chain has come to, and
// looks first whether the file is still the one of that name. So a trail may be renamed at any time (the next line
// begins a new file and carries the chain on), several processes may write to one, and what a crash left between a line
// and the head is found and put in order by the next line. A line outlives the process that wrote it; it is not forced
// to the disk, so that the last ones may be lost with the power.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "jitproxy/audit/chain.hpp"
#include "jitproxy/base/clock.hpp"
#include "jitproxy/base/json.hpp"

namespace jitproxy::audit {

class open_trail;

struct entry {
    std::string event;       // "session.opened"
    std::string session_id;  // may be empty
    json::object actor;      // who did it
    json::object data;       // its task_id and agent are lifted to the line's own level. Never a secret
};

// Used on one thread. Writing blocks that thread for the time of a few system calls on a file, and for a fifth of a
// second at most where another process holds the lock.
class trail {
  public:
    trail(std::filesystem::path file, std::function<wall_time()> clock);
    ~trail();
    trail(trail&&) noexcept;
    trail& operator=(trail&&) noexcept;

    // An entry that cannot be written is counted; the first line that can be again says how many were lost. Errors:
    // storage.
    [[nodiscard]] result<void> append(entry const& e);
    // Can a line be written now? Tries, each time: the lock, and that the file is there or can be made. What only the
    // write itself tells (a full disk) is known from the last line on. Errors: storage.
    [[nodiscard]] result<void> ready();

    [[nodiscard]] std::filesystem::path const& file() const noexcept { return file_; }
    [[nodiscard]] std::uint64_t failures() const noexcept { return failures_; }  // entries that were not written
    [[nodiscard]] bool failing() const noexcept { return failing_; }             // the last append() or ready() did

  private:
    result<void> write(entry const* e);
    result<void> try_to_write(entry const* e);
    result<void> write_to(open_trail& opened, entry const* e);

    std::unique_ptr<open_trail> opened_;  // null: to be opened
    std::filesystem::path file_;
    std::function<wall_time()> clock_;
    bool failing_ = false;
    std::uint64_t failures_ = 0;
    std::uint64_t lost_ = 0;  // of them, those that the trail does not know of yet
    wall_time lost_since_;
    std::string lost_because_;
};

}  // namespace jitproxy::audit
