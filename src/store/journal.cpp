#include "jitproxy/store/journal.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "jitproxy/store/schema.hpp"
#include "journal_impl.hpp"

namespace jitproxy::store {
namespace records = jit::records;
namespace {

// Does it open or end something at the AS that nothing else ends?
bool must_outlive_power(jit::journal_record const& r) {
    return std::holds_alternative<records::task_opening>(r) || std::holds_alternative<records::task_opened>(r) ||
           std::holds_alternative<records::session_closing>(r) || std::holds_alternative<records::task_closed>(r);
}

}  // namespace

// NORMAL leaves a commit to the system's memory, where it outlives this process; FULL has it on the disk.
result<void> sqlite_journal::impl::wait_for_disk(bool wanted) {
    if (waits_for_disk_ == wanted) return {};
    auto ok = database_.execute(wanted ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
    if (ok) waits_for_disk_ = wanted;
    return ok;
}

sqlite_journal::sqlite_journal(std::unique_ptr<impl> made) noexcept : impl_(std::move(made)) {}

sqlite_journal::~sqlite_journal() = default;

result<void> sqlite_journal::write(jit::journal_record const& what) {
    return write_all({what}).front();
}

std::vector<result<void>> sqlite_journal::write_all(std::vector<jit::journal_record> const& all) {
    std::vector<result<void>> outcomes;
    auto done = impl_->wait_for_disk(std::any_of(all.begin(), all.end(), must_outlive_power));
    if (done)
        done = impl_->together([&]() -> result<void> {
            for (auto const& each : all) {
                outcomes.push_back(std::visit([&](auto const& r) { return impl_->apply(r); }, each));
                if (auto const& one = outcomes.back(); !one && one.error().code == errc::storage) return one;
            }
            return {};
        });
    if (!done) outcomes.assign(all.size(), done);
    return outcomes;
}

result<std::vector<jit::open_task>> sqlite_journal::left_open() const {
    std::vector<jit::open_task> open;
    auto& s = impl_->statements_.left_open;
    auto ok = s.query([&] {
        open.push_back({s.text(0),
                        s.text(1),
                        from_ms(s.integer(2).value_or(0)),
                        from_ms(s.integer(3)),
                        s.integer(4).has_value(),
                        {s.text(12), s.text(5), s.text(6), static_cast<long>(s.integer(7).value_or(0)), s.text(8),
                         s.text(9), milliseconds{s.integer(10).value_or(0)}, s.text(11)},
                        {}});
    });
    if (!ok) return ok.error();
    for (auto& t : open) {
        auto& p = impl_->statements_.left_pending;
        ok = p.query(
            [&] {
                t.pending.push_back({p.text(0), p.text(1), p.text(2), from_ms(p.integer(3).value_or(0)), p.text(4),
                                     p.text(5), p.text(6), from_ms(p.integer(7))});
            },
            std::string_view{t.session_id});
        if (!ok) return ok.error();
    }
    return open;
}

namespace {

result<void> make_directory(std::filesystem::path const& directory) {
    std::error_code ec;
    if (std::filesystem::is_directory(directory, ec)) return {};
    if (directory.has_parent_path()) std::filesystem::create_directories(directory.parent_path(), ec);
    if (!ec && ::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) ec.assign(errno, std::generic_category());
    if (!ec) return {};
    return make_error(errc::storage, "cannot create the state directory " + directory.string() + ": " + ec.message());
}

}  // namespace

result<std::size_t> sqlite_journal::examine(std::filesystem::path const& directory) {
    auto const lock = lock_file::acquire(directory / "journal.lock");
    if (!lock) return lock.error();
    auto const file = directory / "journal.db";
    auto d = database::open_to_read(file);
    if (!d) return d.error();
    auto const version = examine_schema(*d, file);
    if (!version || *version == 0) return version;
    return d->read_integer("SELECT count(*) FROM tasks WHERE state <> 'closed'");
}

result<std::unique_ptr<sqlite_journal>> sqlite_journal::open(std::filesystem::path directory,
                                                             std::function<wall_time()> now) {
    if (!directory.has_filename()) directory = directory.parent_path();  // "state/"
    if (auto ok = make_directory(directory); !ok) return ok.error();
    auto lock = lock_file::acquire(directory / "journal.lock");
    if (!lock) return lock.error();
    auto const file = directory / "journal.db";
    if (auto ok = prepare_file(file); !ok) return ok.error();
    auto d = database::open(file);
    if (!d) return d.error();
    if (auto ok = prepare_schema(*d, file); !ok) return ok.error();
    auto made = std::make_unique<impl>(std::move(*lock), std::move(*d), std::move(now));
    if (auto ok = made->prepare(); !ok) return ok.error();
    return std::unique_ptr<sqlite_journal>{new sqlite_journal{std::move(made)}};
}

}  // namespace jitproxy::store
