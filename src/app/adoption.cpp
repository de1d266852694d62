#include "jitproxy/app/adoption.hpp"

#include "jitproxy/base/log.hpp"

namespace jitproxy::app {
namespace records = jit::records;
namespace fs = std::filesystem;
namespace {

// Into the new journal first, out of the old one after: a crash between the two completes a task twice, never not.
result<std::size_t> move_tasks(store::sqlite_journal& from, store::sqlite_journal& into) {
    auto const open = from.left_open();
    if (!open) return open.error();
    for (auto t : *open) {
        t.about.owner = "run";  // whatever it was to the run, it ended with it
        std::vector<jit::journal_record> taken{records::task_opening{t.session_id, t.opened_at, t.about}};
        if (!t.task_id.empty()) taken.push_back(records::task_opened{t.session_id, {t.task_id, t.expires_at}});
        for (auto const& done : into.write_all(taken))
            if (!done) return done.error();
        if (auto done = from.write(records::task_closed{t.session_id, "taken over"}); !done) return done.error();
    }
    return open->size();
}

}  // namespace

std::size_t adopt_orphans(fs::path const& runs, store::sqlite_journal& into) {
    std::size_t adopted = 0;
    std::error_code ec;
    std::vector<fs::path> directories;
    for (auto const& entry : fs::directory_iterator(runs, ec))
        if (entry.is_directory(ec)) directories.push_back(entry.path());
    for (auto const& directory : directories) {
        if (!fs::exists(directory / "journal.db", ec)) continue;  // being made just now, or nothing in it
        auto journal = store::sqlite_journal::open(directory);
        if (journal.has_error() && journal.error().code == errc::in_use) continue;  // its owner lives
        auto const moved = journal ? move_tasks(**journal, into) : result<std::size_t>(journal.error());
        if (!moved) {
            log::warning("tasks of an ended run cannot be taken over",
                         {{"directory", directory.string()}, {"why", moved.error().detail}});
            continue;
        }
        adopted += *moved;
        journal->reset();
        fs::remove_all(directory, ec);
    }
    return adopted;
}

}  // namespace jitproxy::app
