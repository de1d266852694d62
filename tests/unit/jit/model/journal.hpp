// A journal that keeps what the real one keeps (src/store), writes when a sequence says so, and loses what was not
// written when the process crashes.
#pragma once
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "jitproxy/jit/journal.hpp"

namespace jitproxy::jit::model {

class model_journal final : public journal {
  public:
    enum class state : std::uint8_t { opening, open, closed };
    struct row {
        state is = state::opening;
        open_task task;
    };
    struct permission_row {
        std::string session_id;
        std::string need;
        bool settled = false;
        bool pending = false;
        open_permission facts;
    };
    bool full = false;  // the disk
    bool was_full = false;
    std::map<std::string, row> rows;  // by session
    std::vector<permission_row> permissions;
    std::vector<std::string> texts;    // every record in words, those too that could not be written
    std::vector<std::string> refused;  // that the real one would not take

    void write(journal_record what, callback<void> done) override;
    [[nodiscard]] result<std::vector<open_task>> left_open() const override;

    [[nodiscard]] std::size_t queued() const { return queue_.size(); }
    void write_one();
    // The process ends: so many of the queued records are written, and nobody hears of it.
    void crash(std::size_t still_written);

    [[nodiscard]] row const* of_task(std::string const& task_id) const;
    [[nodiscard]] std::size_t openings(std::string const& name) const;  // asked for, and no id known
    [[nodiscard]] bool asking(std::string const& session_id, std::string const& need) const;

  private:
    result<void> put(records::task_opening const& r);
    result<void> put(records::task_opened const& r);
    result<void> put(records::session_closing const& r);
    result<void> put(records::session_resumed const& r);
    result<void> put(records::task_closed const& r);
    result<void> put(records::permission_asking const& r);
    result<void> put(records::permission_pending const& r);
    result<void> put(records::permission_settled const& r);
    result<void> put(records::grant_dropped const& r);
    result<void> store(journal_record const& what);
    permission_row* find_asking(std::string const& session_id, std::string const& need);

    std::deque<std::pair<journal_record, callback<void>>> queue_;
};

// Every member of a record, in one line.
[[nodiscard]] std::string text_of(journal_record const& what);

}  // namespace jitproxy::jit::model
