#include "journal.hpp"

#include <algorithm>
#include <variant>

namespace jitproxy::jit::model {

namespace {

std::string words(std::initializer_list<std::string> list) {
    std::string text;
    for (auto const& word : list) text.append(word).append(" ");
    return text;
}

struct in_words {
    std::string operator()(records::task_opening const& r) const {
        auto const& a = r.about;
        return "opening " + words({r.session_id, a.name, a.owner, a.parent_session_id, a.justification, a.secret_hash});
    }
    std::string operator()(records::task_opened const& r) const {
        return "opened " + words({r.session_id, r.opened.task_id});
    }
    std::string operator()(records::session_closing const& r) const {
        return "closing " + words({r.session_id, r.reason});
    }
    std::string operator()(records::session_resumed const& r) const { return "resumed " + r.session_id; }
    std::string operator()(records::task_closed const& r) const { return "closed " + words({r.session_id, r.reason}); }
    std::string operator()(records::permission_asking const& r) const {
        return "asking " + words({r.session_id, r.need, r.api, r.justification});
    }
    std::string operator()(records::permission_pending const& r) const {
        auto const& p = r.what;
        return "pending " +
               words({r.session_id, p.need, p.api, p.justification, p.request_id, p.status_url, p.risk_level});
    }
    std::string operator()(records::permission_settled const& r) const {
        return "settled " + words({r.session_id, r.need, r.request_id, r.outcome, r.reason, r.grant_id});
    }
    std::string operator()(records::grant_dropped const& r) const {
        return "dropped " + words({r.session_id, r.grant_id, r.reason});
    }
};

error unexpected(std::string what, std::string const& session_id) {
    return make_error(errc::internal, what + " for session " + session_id);
}

}  // namespace

std::string text_of(journal_record const& what) {
    return std::visit(in_words{}, what);
}

void model_journal::write(journal_record what, callback<void> done) {
    texts.push_back(text_of(what));
    queue_.emplace_back(std::move(what), std::move(done));
}

result<void> model_journal::store(journal_record const& what) {
    was_full = was_full || full;
    if (full) return make_error(errc::storage, "disk full");
    auto done = std::visit([this](auto const& r) { return put(r); }, what);
    if (done.has_error()) refused.push_back(done.error().detail + ": " + text_of(what));
    return done;
}

void model_journal::write_one() {
    if (queue_.empty()) return;
    auto const next = std::move(queue_.front());
    queue_.pop_front();
    auto const done = store(next.first);
    if (next.second) next.second(done);
}

void model_journal::crash(std::size_t still_written) {
    while (!queue_.empty() && still_written-- > 0) {
        (void)store(queue_.front().first);
        queue_.pop_front();
    }
    queue_.clear();
}

result<std::vector<open_task>> model_journal::left_open() const {
    std::vector<open_task> all;
    for (auto const& [id, r] : rows) {
        if (r.is == state::closed) continue;
        all.push_back(r.task);
        for (auto const& p : permissions)
            if (p.session_id == id && p.pending && !p.settled) all.back().pending.push_back(p.facts);
    }
    std::stable_sort(all.begin(), all.end(), [](auto const& a, auto const& b) { return a.opened_at < b.opened_at; });
    return all;
}

model_journal::row const* model_journal::of_task(std::string const& task_id) const {
    for (auto const& [id, r] : rows)
        if (r.task.task_id == task_id) return &r;
    return nullptr;
}

std::size_t model_journal::openings(std::string const& name) const {
    return static_cast<std::size_t>(std::count_if(rows.begin(), rows.end(), [&](auto const& each) {
        return each.second.is == state::opening && each.second.task.about.name == name;
    }));
}

model_journal::permission_row* model_journal::find_asking(std::string const& session_id, std::string const& need) {
    for (auto it = permissions.rbegin(); it != permissions.rend(); ++it)
        if (!it->settled && it->session_id == session_id && it->need == need) return &*it;
    return nullptr;
}

bool model_journal::asking(std::string const& session_id, std::string const& need) const {
    return std::any_of(permissions.begin(), permissions.end(), [&](permission_row const& p) {
        return !p.settled && p.session_id == session_id && p.need == need;
    });
}

result<void> model_journal::put(records::task_opening const& r) {
    auto const it = rows.find(r.session_id);
    if (it != rows.end() && it->second.is == state::open) return unexpected("a second opening", r.session_id);
    row fresh;
    fresh.task.session_id = r.session_id;
    fresh.task.opened_at = r.at;
    fresh.task.about = r.about;
    rows[r.session_id] = std::move(fresh);
    return {};
}

result<void> model_journal::put(records::task_opened const& r) {
    if (r.opened.task_id.empty()) return unexpected("a task without an id", r.session_id);
    auto const it = rows.find(r.session_id);
    if (it == rows.end() || it->second.is != state::opening)
        return unexpected("a task that was not being opened", r.session_id);
    it->second.is = state::open;
    it->second.task.task_id = r.opened.task_id;
    it->second.task.expires_at = r.opened.expires_at;
    return {};
}

result<void> model_journal::put(records::session_closing const& r) {
    if (auto const it = rows.find(r.session_id); it != rows.end()) it->second.task.closing = true;
    return {};
}

result<void> model_journal::put(records::session_resumed const& r) {
    for (auto& p : permissions)
        if (p.session_id == r.session_id && !p.pending) p.settled = true;
    return {};
}

result<void> model_journal::put(records::task_closed const& r) {
    auto const it = rows.find(r.session_id);
    if (it == rows.end() || it->second.is == state::closed) return {};
    it->second.is = state::closed;
    for (auto& p : permissions)
        if (p.session_id == r.session_id) p.settled = true;
    return {};
}

result<void> model_journal::put(records::permission_asking const& r) {
    permissions.push_back({r.session_id, r.need, false, false, {}});
    return {};
}

result<void> model_journal::put(records::permission_pending const& r) {
    auto* const p = find_asking(r.session_id, r.what.need);
    if (p == nullptr) return unexpected("a pending permission that was not asked for", r.session_id);
    p->pending = true;
    p->facts = r.what;
    return {};
}

result<void> model_journal::put(records::permission_settled const& r) {
    auto* const p = find_asking(r.session_id, r.need);
    if (p == nullptr) return unexpected("a settled permission that was not asked for", r.session_id);
    p->settled = true;
    return {};
}

result<void> model_journal::put(records::grant_dropped const&) {
    return {};
}

}  // namespace jitproxy::jit::model
