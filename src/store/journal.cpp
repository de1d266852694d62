#include "jitproxy/store/journal.hpp"

#include <sys/stat.h>

#include <utility>

#include "jitproxy/store/database.hpp"
#include "jitproxy/store/lock_file.hpp"
#include "jitproxy/store/schema.hpp"

namespace jitproxy::store {
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

class sqlite_journal final : public jit::journal {
  public:
    sqlite_journal(lock_file lock, database d, std::function<wall_time()> now)
        : lock_(std::move(lock)), database_(std::move(d)), now_(std::move(now)) {}

    [[nodiscard]] result<void> prepare();

    [[nodiscard]] result<void> task_opening(std::string const& session_id, wall_time now) override;
    [[nodiscard]] result<void> task_opened(std::string const& session_id, jit::task const& t) override;
    [[nodiscard]] result<void> task_closed(std::string const& session_id) override;
    [[nodiscard]] result<void> permission_asking(std::string const& session_id, std::string const& need,
                                                 wall_time now) override;
    [[nodiscard]] result<void> permission_settled(std::string const& session_id, std::string const& need,
                                                  std::string const& request_id, std::string const& outcome,
                                                  wall_time now) override;
    [[nodiscard]] result<std::vector<jit::open_task>> left_open() const override;

  private:
    struct row {
        std::string state;  // empty: no such row
        std::string task_id;
    };
    result<row> find(std::string const& session_id);
    result<void> forget_old();
    // Runs `changes`, which returns result<void>, as one transaction.
    template <class Changes>
    result<void> together(Changes&& changes) {
        auto t = transaction::begin(database_);
        if (!t) return t.error();
        if (auto ok = changes(); !ok) return ok;
        return t->commit();
    }
    result<void> note(wall_time at, std::string const& session_id, std::optional<std::int64_t> permission,
                      std::string_view state, std::string_view reason) {
        return statements_.transition.run(to_ms(at), std::string_view{session_id}, permission, state, reason);
    }

    lock_file lock_;                 // let go of last
    database database_;              // closed after its statements
    mutable statements statements_;  // stepping through rows changes a statement, not the journal
    std::function<wall_time()> now_;
};

error unexpected(std::string_view what, std::string const& session_id) {
    return make_error(errc::internal, "journal: " + std::string{what} + " for session " + session_id);
}

result<void> sqlite_journal::prepare() {
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
result<void> sqlite_journal::forget_old() {
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

result<sqlite_journal::row> sqlite_journal::find(std::string const& session_id) {
    row found;
    auto& s = statements_.task_state;
    auto ok = s.query([&] { found = {s.text(0), s.text(1)}; }, std::string_view{session_id});
    if (!ok) return ok.error();
    return found;
}

result<void> sqlite_journal::task_opening(std::string const& session_id, wall_time now) {
    if (session_id.empty()) return unexpected("an opening without a name", session_id);
    return together([&]() -> result<void> {
        auto const known = find(session_id);
        if (!known) return known.error();
        // Its task would be forgotten while it lives.
        if (known->state == "open") return unexpected("a second opening", session_id);
        if (auto ok = statements_.task_opening.run(std::string_view{session_id}, to_ms(now)); !ok) return ok;
        return note(now, session_id, std::nullopt, "opening", "");
    });
}

result<void> sqlite_journal::task_opened(std::string const& session_id, jit::task const& t) {
    if (t.task_id.empty()) return unexpected("a task without an id", session_id);
    return together([&]() -> result<void> {
        auto const known = find(session_id);
        if (!known) return known.error();
        if (known->state == "open" && known->task_id == t.task_id) return {};
        if (known->state != "opening") return unexpected("a task that was not being opened", session_id);
        auto& s = statements_.task_opened;
        if (auto ok = s.run(std::string_view{t.task_id}, to_ms(t.expires_at), std::string_view{session_id}); !ok) {
            return ok;
        }
        return note(now_(), session_id, std::nullopt, "open", t.task_id);
    });
}

result<void> sqlite_journal::task_closed(std::string const& session_id) {
    return together([&]() -> result<void> {
        auto const known = find(session_id);
        if (!known) return known.error();
        if (known->state.empty() || known->state == "closed") return {};
        auto const now = now_();
        if (auto ok = statements_.task_closed.run(to_ms(now), std::string_view{session_id}); !ok) return ok;
        if (auto ok = statements_.settle_rest.run(to_ms(now), std::string_view{session_id}); !ok) return ok;
        return note(now, session_id, std::nullopt, "closed", known->state == "opening" ? "never came to be" : "");
    });
}

result<void> sqlite_journal::permission_asking(std::string const& session_id, std::string const& need, wall_time now) {
    return together([&]() -> result<void> {
        std::optional<std::int64_t> id;
        auto& s = statements_.asking;
        auto ok = s.query([&] { id = s.integer(0); }, std::string_view{session_id}, std::string_view{need}, to_ms(now));
        if (!ok) return ok;
        return note(now, session_id, id, "asking", "");
    });
}

result<void> sqlite_journal::permission_settled(std::string const& session_id, std::string const& need,
                                                std::string const& request_id, std::string const& outcome,
                                                wall_time now) {
    return together([&]() -> result<void> {
        std::optional<std::int64_t> id;
        auto& s = statements_.open_permission;
        auto ok = s.query([&] { id = s.integer(0); }, std::string_view{session_id}, std::string_view{need});
        if (!ok) return ok;
        if (!id) return unexpected("a settled permission that was not asked for", session_id);
        ok = statements_.settled.run(std::string_view{request_id}, std::string_view{outcome}, to_ms(now), *id);
        if (!ok) return ok;
        return note(now, session_id, id, "settled", outcome);
    });
}

result<std::vector<jit::open_task>> sqlite_journal::left_open() const {
    std::vector<jit::open_task> open;
    auto& s = statements_.left_open;
    auto const ok = s.query([&] {
        auto const expires = s.integer(3);
        open.push_back({s.text(0), s.text(1), from_ms(s.integer(2).value_or(0)),
                        expires ? std::optional{from_ms(*expires)} : std::nullopt});
    });
    if (!ok) return ok.error();
    return open;
}

result<void> make_directory(std::filesystem::path const& directory) {
    std::error_code ec;
    if (std::filesystem::is_directory(directory, ec)) return {};
    if (directory.has_parent_path()) std::filesystem::create_directories(directory.parent_path(), ec);
    if (!ec && ::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) ec.assign(errno, std::generic_category());
    if (!ec) return {};
    return make_error(errc::storage, "cannot create the state directory " + directory.string() + ": " + ec.message());
}

}  // namespace

result<std::unique_ptr<jit::journal>> create_journal(std::filesystem::path directory, std::function<wall_time()> now) {
    if (!directory.has_filename()) directory = directory.parent_path();  // "state/"
    if (auto ok = make_directory(directory); !ok) return ok.error();
    auto lock = lock_file::acquire(directory / "journal.lock");
    if (!lock) return lock.error();
    auto const file = directory / "journal.db";
    if (auto ok = prepare_file(file); !ok) return ok.error();
    auto d = database::open(file);
    if (!d) return d.error();
    if (auto ok = prepare_schema(*d, file); !ok) return ok.error();
    auto made = std::make_unique<sqlite_journal>(std::move(*lock), std::move(*d), std::move(now));
    if (auto ok = made->prepare(); !ok) return ok.error();
    return std::unique_ptr<jit::journal>{std::move(made)};
}

}  // namespace jitproxy::store
