#include "jitproxy/store/journal.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "jitproxy/store/database.hpp"
#include "jitproxy/store/lock_file.hpp"
#include "jitproxy/store/schema.hpp"

namespace jitproxy::store {
namespace records = jit::records;
namespace {

constexpr auto kept_after_closing = std::chrono::hours{30 * 24};

std::int64_t to_ms(wall_time t) {
    return std::chrono::duration_cast<milliseconds>(t.time_since_epoch()).count();
}
std::optional<std::int64_t> to_ms(std::optional<wall_time> t) {
    if (!t) return std::nullopt;
    return to_ms(*t);
}
wall_time from_ms(std::int64_t ms) {
    return wall_time{milliseconds{ms}};
}

struct statements {
    statement task_state, task_opening, task_opened, task_closed, left_open;
    statement asking, open_permission, settled, settle_rest;
    statement transition;
};

}  // namespace

struct sqlite_journal::impl {
    impl(lock_file lock, database d, std::function<wall_time()> clock)
        : lock_(std::move(lock)), database_(std::move(d)), now_(std::move(clock)) {}

    struct row {
        std::string state;  // empty: no such row
        std::string task_id;
    };
    result<void> prepare();
    result<void> forget_old();
    result<row> find(std::string const& session_id);
    // Runs `changes`, which returns result<void>, as one transaction.
    template <class Changes>
    result<void> together(Changes&& changes) {
        auto t = transaction::begin(database_);
        if (!t) return t.error();
        if (auto ok = changes(); !ok) return ok;
        return t->commit();
    }
    result<void> wait_for_disk(bool wanted);
    // One record, within a transaction. What contradicts the journal is found before anything is changed.
    result<void> apply(records::task_opening const& r);
    result<void> apply(records::task_opened const& r);
    result<void> apply(records::task_closed const& r);
    result<void> apply(records::permission_asking const& r);
    result<void> apply(records::permission_settled const& r);
    result<void> note(wall_time at, std::string const& session_id, std::optional<std::int64_t> permission,
                      std::string_view state, std::string_view reason) {
        return statements_.transition.run(to_ms(at), std::string_view{session_id}, permission, state, reason);
    }

    lock_file lock_;     // let go of last
    database database_;  // closed after its statements
    statements statements_;
    std::function<wall_time()> now_;
    bool waits_for_disk_ = true;  // synchronous=FULL, as the schema sets it
};

namespace {

error unexpected(std::string_view what, std::string const& session_id) {
    return make_error(errc::internal, "journal: " + std::string{what} + " for session " + session_id);
}

// Does it open or end something at the AS that nothing else ends?
bool must_outlive_power(jit::journal_record const& r) {
    return std::holds_alternative<records::task_opening>(r) || std::holds_alternative<records::task_opened>(r) ||
           std::holds_alternative<records::task_closed>(r);
}

}  // namespace

result<void> sqlite_journal::impl::prepare() {
    auto const make = [this](statement& into, std::string_view sql) -> result<void> {
        auto s = database_.prepare(sql);
        if (!s) return s.error();
        into = std::move(*s);
        return {};
    };
    std::pair<statement&, std::string_view> const all[] = {
        {statements_.task_state, "SELECT state, task_id FROM tasks WHERE session_id = ?"},
        {statements_.task_opening,
         "INSERT INTO tasks (session_id, state, opened_at) VALUES (?, 'opening', ?) ON CONFLICT (session_id) DO UPDATE "
         "SET state = 'opening', task_id = '', opened_at = excluded.opened_at, expires_at = NULL, closed_at = NULL"},
        {statements_.task_opened, "UPDATE tasks SET state = 'open', task_id = ?, expires_at = ? WHERE session_id = ?"},
        {statements_.task_closed, "UPDATE tasks SET state = 'closed', closed_at = ? WHERE session_id = ?"},
        {statements_.left_open,
         "SELECT session_id, task_id, opened_at, expires_at FROM tasks WHERE state <> 'closed' "
         "ORDER BY opened_at, session_id"},
        {statements_.asking,
         "INSERT INTO permissions (session_id, need, state, asked_at) VALUES (?, ?, 'asking', ?) RETURNING id"},
        {statements_.open_permission,
         "SELECT id FROM permissions WHERE session_id = ? AND need = ? AND state = 'asking' ORDER BY id DESC LIMIT 1"},
        {statements_.settled,
         "UPDATE permissions SET state = 'settled', request_id = ?, outcome = ?, settled_at = ? WHERE id = ?"},
        {statements_.settle_rest,
         "UPDATE permissions SET state = 'settled', outcome = 'closed', settled_at = ? "
         "WHERE session_id = ? AND state = 'asking'"},
        {statements_.transition,
         "INSERT INTO transitions (at, session_id, permission, state, reason) VALUES (?, ?, ?, ?, ?)"},
    };
    for (auto const& [into, sql] : all) {
        if (auto ok = make(into, sql); !ok) return ok;
    }
    return forget_old();
}

// What has been closed for long is history that nobody asks for; the file must not grow for ever.
result<void> sqlite_journal::impl::forget_old() {
    auto const before = to_ms(now_() - kept_after_closing);
    constexpr std::string_view all[] = {
        "DELETE FROM permissions WHERE session_id IN (SELECT session_id FROM tasks WHERE state = 'closed' AND "
        "closed_at < ?)",
        "DELETE FROM transitions WHERE session_id IN (SELECT session_id FROM tasks WHERE state = 'closed' AND "
        "closed_at < ?)",
        "DELETE FROM tasks WHERE state = 'closed' AND closed_at < ?",
    };
    return together([&]() -> result<void> {
        for (auto const& sql : all) {
            auto s = database_.prepare(sql);
            if (!s) return s.error();
            if (auto ok = s->run(before); !ok) return ok;
        }
        return {};
    });
}

result<sqlite_journal::impl::row> sqlite_journal::impl::find(std::string const& session_id) {
    row found;
    auto& s = statements_.task_state;
    auto ok = s.query([&] { found = {s.text(0), s.text(1)}; }, std::string_view{session_id});
    if (!ok) return ok.error();
    return found;
}

result<void> sqlite_journal::impl::apply(records::task_opening const& r) {
    if (r.session_id.empty()) return unexpected("an opening without a name", r.session_id);
    auto const known = find(r.session_id);
    if (!known) return known.error();
    // Its task would be forgotten while it lives.
    if (known->state == "open") return unexpected("a second opening", r.session_id);
    if (auto ok = statements_.task_opening.run(std::string_view{r.session_id}, to_ms(r.at)); !ok) return ok;
    return note(r.at, r.session_id, std::nullopt, "opening", "");
}

result<void> sqlite_journal::impl::apply(records::task_opened const& r) {
    auto const& task_id = r.opened.task_id;
    if (task_id.empty()) return unexpected("a task without an id", r.session_id);
    auto const known = find(r.session_id);
    if (!known) return known.error();
    if (known->state == "open" && known->task_id == task_id) return {};
    if (known->state != "opening") return unexpected("a task that was not being opened", r.session_id);
    auto& s = statements_.task_opened;
    if (auto ok = s.run(std::string_view{task_id}, to_ms(r.opened.expires_at), std::string_view{r.session_id}); !ok) {
        return ok;
    }
    return note(now_(), r.session_id, std::nullopt, "open", task_id);
}

result<void> sqlite_journal::impl::apply(records::task_closed const& r) {
    auto const known = find(r.session_id);
    if (!known) return known.error();
    if (known->state.empty() || known->state == "closed") return {};
    auto const at = now_();
    if (auto ok = statements_.task_closed.run(to_ms(at), std::string_view{r.session_id}); !ok) return ok;
    if (auto ok = statements_.settle_rest.run(to_ms(at), std::string_view{r.session_id}); !ok) return ok;
    return note(at, r.session_id, std::nullopt, "closed", known->state == "opening" ? "never came to be" : "");
}

result<void> sqlite_journal::impl::apply(records::permission_asking const& r) {
    std::optional<std::int64_t> id;
    auto& s = statements_.asking;
    auto ok =
        s.query([&] { id = s.integer(0); }, std::string_view{r.session_id}, std::string_view{r.need}, to_ms(r.at));
    if (!ok) return ok;
    return note(r.at, r.session_id, id, "asking", "");
}

result<void> sqlite_journal::impl::apply(records::permission_settled const& r) {
    std::optional<std::int64_t> id;
    auto& s = statements_.open_permission;
    auto ok = s.query([&] { id = s.integer(0); }, std::string_view{r.session_id}, std::string_view{r.need});
    if (!ok) return ok;
    if (!id) return unexpected("a settled permission that was not asked for", r.session_id);
    ok = statements_.settled.run(std::string_view{r.request_id}, std::string_view{r.outcome}, to_ms(r.at), *id);
    if (!ok) return ok;
    return note(r.at, r.session_id, id, "settled", r.outcome);
}

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
    auto const ok = s.query([&] {
        auto const expires = s.integer(3);
        open.push_back({s.text(0), s.text(1), from_ms(s.integer(2).value_or(0)),
                        expires ? std::optional{from_ms(*expires)} : std::nullopt});
    });
    if (!ok) return ok.error();
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
