// What each record changes in the journal.
#include "journal_impl.hpp"

namespace jitproxy::store {
namespace records = jit::records;
using text = std::string_view;
namespace {

error unexpected(std::string_view what, std::string const& session_id) {
    return make_error(errc::internal, "journal: " + std::string{what} + " for session " + session_id);
}

// Steps in order, up to the first that fails.
template <class... Steps>
result<void> each(Steps&&... steps) {
    result<void> done;
    static_cast<void>(((done = steps(), done.has_value()) && ...));
    return done;
}

}  // namespace

result<void> sqlite_journal::impl::apply(records::task_opening const& r) {
    if (r.session_id.empty()) return unexpected("an opening without a name", r.session_id);
    auto const known = find(r.session_id);
    if (!known) return known.error();
    // Its task would be forgotten while it lives.
    if (known->state == "open") return unexpected("a second opening", r.session_id);
    auto const& a = r.about;
    return each(
        [&] {
            return statements_.task_opening.run(text{r.session_id}, to_ms(r.at), text{a.name}, text{a.owner},
                                                std::int64_t{a.owner_pid}, text{a.parent_session_id},
                                                text{a.justification}, std::int64_t{a.idle_timeout.count()},
                                                text{a.secret_hash}, text{a.agent});
        },
        [&] { return note(r.at, r.session_id, std::nullopt, "opening", a.owner); });
}

result<void> sqlite_journal::impl::apply(records::task_opened const& r) {
    auto const& task_id = r.opened.task_id;
    if (task_id.empty()) return unexpected("a task without an id", r.session_id);
    auto const known = find(r.session_id);
    if (!known) return known.error();
    if (known->state == "open" && known->task_id == task_id) return {};
    if (known->state != "opening") return unexpected("a task that was not being opened", r.session_id);
    return each(
        [&] { return statements_.task_opened.run(text{task_id}, to_ms(r.opened.expires_at), text{r.session_id}); },
        [&] { return note(now_(), r.session_id, std::nullopt, "open", task_id); });
}

result<void> sqlite_journal::impl::apply(records::session_closing const& r) {
    auto const at = now_();
    return each([&] { return statements_.task_closing.run(to_ms(at), text{r.reason}, text{r.session_id}); },
                [&] { return statements_.drop_grants.run(to_ms(at), text{"session closed"}, text{r.session_id}); },
                [&] { return note(at, r.session_id, std::nullopt, "closing", r.reason); });
}

result<void> sqlite_journal::impl::apply(records::session_resumed const& r) {
    auto const at = now_();
    return each([&] { return statements_.lose_unanswered.run(to_ms(at), text{r.session_id}); },
                [&] { return statements_.drop_grants.run(to_ms(at), text{"restart"}, text{r.session_id}); },
                [&] { return note(at, r.session_id, std::nullopt, "resumed", ""); });
}

result<void> sqlite_journal::impl::apply(records::task_closed const& r) {
    auto const known = find(r.session_id);
    if (!known) return known.error();
    if (known->state.empty() || known->state == "closed") return {};
    auto const at = now_();
    return each([&] { return statements_.task_closed.run(to_ms(at), text{r.reason}, text{r.session_id}); },
                [&] { return statements_.settle_rest.run(to_ms(at), text{r.session_id}); },
                [&] { return statements_.drop_grants.run(to_ms(at), text{"session closed"}, text{r.session_id}); },
                [&] { return note(at, r.session_id, std::nullopt, "closed", r.reason); });
}

result<void> sqlite_journal::impl::apply(records::permission_asking const& r) {
    std::optional<std::int64_t> id;
    auto& s = statements_.asking;
    return each(
        [&] {
            return s.query([&] { id = s.integer(0); }, text{r.session_id}, text{r.need}, to_ms(r.at), text{r.api},
                           text{r.justification});
        },
        [&] { return note(r.at, r.session_id, id, "asking", ""); });
}

result<void> sqlite_journal::impl::apply(records::permission_pending const& r) {
    auto const id = find_permission(r.session_id, r.what.need);
    if (!id) return id.error();
    if (!*id) return unexpected("a pending permission that was not asked for", r.session_id);
    auto const at = now_();
    auto const& p = r.what;
    return each(
        [&] {
            return statements_.pending.run(to_ms(at), text{p.request_id}, text{p.status_url}, text{p.risk_level},
                                           to_ms(p.expires_at), **id);
        },
        [&] { return note(at, r.session_id, *id, "pending", p.request_id); });
}

result<void> sqlite_journal::impl::apply(records::permission_settled const& r) {
    auto const id = find_permission(r.session_id, r.need);
    if (!id) return id.error();
    if (!*id) return unexpected("a settled permission that was not asked for", r.session_id);
    auto done = each(
        [&] { return statements_.settled.run(text{r.request_id}, text{r.outcome}, text{r.reason}, to_ms(r.at), **id); },
        [&] {
            return note(r.at, r.session_id, *id, "settled", r.reason.empty() ? r.outcome : r.outcome + ": " + r.reason);
        });
    if (!done || r.grant_id.empty()) return done;
    return each([&] { return statements_.grant_replaced.run(to_ms(r.at), text{r.session_id}, text{r.need}); },
                [&] {
                    return statements_.granted.run(text{r.grant_id}, text{r.session_id}, text{r.request_id},
                                                   text{r.need}, to_ms(r.at), to_ms(r.grant_expires_at));
                });
}

result<void> sqlite_journal::impl::apply(records::grant_dropped const& r) {
    auto const at = now_();
    return each([&] { return statements_.grant_dropped.run(to_ms(at), text{r.reason}, text{r.grant_id}); },
                [&] { return note(at, r.session_id, std::nullopt, "grant dropped", r.grant_id + ": " + r.reason); });
}

}  // namespace jitproxy::store
