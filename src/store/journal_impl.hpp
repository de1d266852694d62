// The journal's statements and what each record does with them. Times in the file are milliseconds since the epoch.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "jitproxy/store/database.hpp"
#include "jitproxy/store/journal.hpp"
#include "jitproxy/store/lock_file.hpp"

namespace jitproxy::store {

inline std::int64_t to_ms(wall_time t) {
    return std::chrono::duration_cast<milliseconds>(t.time_since_epoch()).count();
}
inline std::optional<std::int64_t> to_ms(std::optional<wall_time> t) {
    if (!t) return std::nullopt;
    return to_ms(*t);
}
inline wall_time from_ms(std::int64_t ms) {
    return wall_time{milliseconds{ms}};
}
inline std::optional<wall_time> from_ms(std::optional<std::int64_t> ms) {
    if (!ms) return std::nullopt;
    return from_ms(*ms);
}

struct statements {
    statement task_state, task_opening, task_opened, task_closing, task_closed, left_open, left_pending;
    statement asking, open_permission, pending, settled, settle_rest, lose_unanswered;
    statement granted, grant_replaced, grant_dropped, drop_grants;
    statement transition;
};

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
    // The one that was asked for last and is not settled; nullopt: there is none.
    result<std::optional<std::int64_t>> find_permission(std::string const& session_id, std::string const& need);
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
    result<void> apply(jit::records::task_opening const& r);
    result<void> apply(jit::records::task_opened const& r);
    result<void> apply(jit::records::session_closing const& r);
    result<void> apply(jit::records::session_resumed const& r);
    result<void> apply(jit::records::task_closed const& r);
    result<void> apply(jit::records::permission_asking const& r);
    result<void> apply(jit::records::permission_pending const& r);
    result<void> apply(jit::records::permission_settled const& r);
    result<void> apply(jit::records::grant_dropped const& r);
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

}  // namespace jitproxy::store
