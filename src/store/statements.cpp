// The journal's SQL.
#include <utility>

#include "journal_impl.hpp"

namespace jitproxy::store {
namespace {

constexpr auto kept_after_closing = std::chrono::hours{30 * 24};

}  // namespace

result<void> sqlite_journal::impl::prepare() {
    auto const make = [this](statement& into, std::string_view sql) -> result<void> {
        auto s = database_.prepare(sql);
        if (!s) return s.error();
        into = std::move(*s);
        return {};
    };
    auto& all = statements_;
    std::pair<statement&, std::string_view> const texts[] = {
        {all.task_state, "SELECT state, task_id FROM tasks WHERE session_id = ?"},
        {all.task_opening,
         "INSERT INTO tasks (session_id, state, opened_at, name, owner, owner_pid, parent, justification, idle_ms, "
         "secret_hash, agent) VALUES (?, 'opening', ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (session_id) DO UPDATE SET "
         "state = 'opening', task_id = '', opened_at = excluded.opened_at, expires_at = NULL, closed_at = NULL, "
         "closing_at = NULL, reason = '', name = excluded.name, owner = excluded.owner, "
         "owner_pid = excluded.owner_pid, parent = excluded.parent, justification = excluded.justification, "
         "idle_ms = excluded.idle_ms, secret_hash = excluded.secret_hash, agent = excluded.agent"},
        {all.task_opened, "UPDATE tasks SET state = 'open', task_id = ?, expires_at = ? WHERE session_id = ?"},
        {all.task_closing, "UPDATE tasks SET closing_at = ?, reason = ? WHERE session_id = ? AND closing_at IS NULL"},
        {all.task_closed, "UPDATE tasks SET state = 'closed', closed_at = ?, reason = ? WHERE session_id = ?"},
        {all.left_open,
         "SELECT session_id, task_id, opened_at, expires_at, closing_at, name, owner, owner_pid, parent, "
         "justification, idle_ms, secret_hash, agent FROM tasks WHERE state <> 'closed' ORDER BY opened_at, "
         "session_id"},
        {all.left_pending,
         "SELECT need, api, justification, asked_at, request_id, status_url, risk_level, expires_at FROM permissions "
         "WHERE session_id = ? AND state = 'asking' AND pending_at IS NOT NULL ORDER BY id"},
        {all.asking,
         "INSERT INTO permissions (session_id, need, state, asked_at, api, justification) "
         "VALUES (?, ?, 'asking', ?, ?, ?) RETURNING id"},
        {all.open_permission,
         "SELECT id FROM permissions WHERE session_id = ? AND need = ? AND state = 'asking' ORDER BY id DESC LIMIT 1"},
        {all.pending,
         "UPDATE permissions SET pending_at = ?, request_id = ?, status_url = ?, risk_level = ?, expires_at = ? "
         "WHERE id = ?"},
        {all.settled,
         "UPDATE permissions SET state = 'settled', request_id = ?, outcome = ?, reason = ?, settled_at = ? "
         "WHERE id = ?"},
        {all.settle_rest,
         "UPDATE permissions SET state = 'settled', outcome = 'closed', settled_at = ? "
         "WHERE session_id = ? AND state = 'asking'"},
        {all.lose_unanswered,
         "UPDATE permissions SET state = 'settled', outcome = 'lost', settled_at = ? "
         "WHERE session_id = ? AND state = 'asking' AND pending_at IS NULL"},
        {all.granted,
         "INSERT INTO grants (grant_id, session_id, request_id, need, made_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)"},
        {all.grant_replaced,
         "UPDATE grants SET dropped_at = ?, dropped_why = 'replaced' "
         "WHERE session_id = ? AND need = ? AND dropped_at IS NULL"},
        {all.grant_dropped,
         "UPDATE grants SET dropped_at = ?, dropped_why = ? WHERE grant_id = ? AND dropped_at IS NULL"},
        {all.drop_grants,
         "UPDATE grants SET dropped_at = ?, dropped_why = ? WHERE session_id = ? AND dropped_at IS NULL"},
        {all.transition, "INSERT INTO transitions (at, session_id, permission, state, reason) VALUES (?, ?, ?, ?, ?)"},
    };
    for (auto const& [into, sql] : texts) {
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
        "DELETE FROM grants WHERE session_id IN (SELECT session_id FROM tasks WHERE state = 'closed' AND closed_at < "
        "?)",
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

result<std::optional<std::int64_t>> sqlite_journal::impl::find_permission(std::string const& session_id,
                                                                          std::string const& need) {
    std::optional<std::int64_t> id;
    auto& s = statements_.open_permission;
    auto ok = s.query([&] { id = s.integer(0); }, std::string_view{session_id}, std::string_view{need});
    if (!ok) return ok.error();
    return id;
}

}  // namespace jitproxy::store
