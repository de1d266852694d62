// How sessions end, and what keeps them from ending too late: idle time, the task's own expiry, expired grants.
#include <algorithm>

#include "jitproxy/jit/text.hpp"
#include "sessions.hpp"

namespace jitproxy::jit {

namespace {

constexpr std::size_t most_remembered = 100;  // closed sessions that can still be asked about
constexpr auto longest_timer = std::chrono::hours(24);

bool over(session_machine::state s) {
    return s == session_machine::state::completed || s == session_machine::state::failed;
}

}  // namespace

void session_table::close(std::string const& session_id, callback<session_info> done) {
    if (auto const s = find(session_id)) {
        s->closers.push_back(std::move(done));
        return close(s, "closed");
    }
    if (auto const known = info(session_id)) return core_.answer<session_info>(std::move(done), *known);
    core_.answer<session_info>(std::move(done), make_error(errc::not_found, "no such session"));
}

void session_table::close(session_ptr const& s, std::string why) {
    if (s->closed_because.empty()) s->closed_because = std::move(why);
    feed(s, machine::close{});
}

void session_table::close_all(std::function<void()> done) {
    when_empty_.push_back(std::move(done));
    auto const all = sessions_;
    for (auto const& [id, s] : all) close(s, "the proxy is shutting down");
    if (sessions_.empty())
        for (auto& each : std::exchange(when_empty_, {})) core_.answers.post(std::move(each));
}

void session_table::perform(session_ptr const& s, machine::wind_down const& a) {
    auto const id = s->info.session_id;
    s->info.status = session_status::closing;
    s->idle.cancel();
    s->expiry.cancel();
    s->evaluation.cancel();
    if (core_.options.revoke_tokens) s->scoped_tokens = core_.grants.tokens_of(id);
    core_.grants.drop_session(id);
    // Workers first: from this moment no request of the session is served.
    if (s->snapshot) publish(*s);
    s->in_flight = s->snapshot != nullptr;
    end_requests(*s);
    core_.record(id, records::session_closing{id, s->closed_because});
    core_.emit("session.closing", id, {{"task_id", s->info.task_id}, {"reason", s->closed_because}});
    if (a.opening)
        for (auto& done : std::exchange(s->openers, {})) core_.answer<opened_session>(std::move(done), *a.opening);
    auto const children = children_of(id);
    for (auto const& child : children) close(child, "its parent session is closing");
    if (!s->in_flight) return check_drained(s);
    core_.ports.snapshots.drain(id, while_alive(core_.alive, [this, weak = std::weak_ptr(s)] {
                                    auto const alive = weak.lock();
                                    if (!alive) return;
                                    alive->in_flight = false;
                                    check_drained(alive);
                                }));
}

void session_table::check_drained(session_ptr const& s) {
    bool const waits = s->machine.current() == machine::state::draining && !s->in_flight;
    if (waits && children_of(s->info.session_id).empty()) feed(s, machine::drained{});
}

void session_table::perform(session_ptr const& s, machine::complete const&) {
    // A delegated token may have died with the user's: the agent, whose task it is, may complete it as well.
    auto const& keeper = s->completions++ % 2 == 0 ? s->keeper : core_.agents.keeper(s->agent);
    call_as<completion>(
        core_, keeper,
        [this, task_id = s->info.task_id](secret_ptr bearer, callback<completion> done) {
            core_.ports.as.complete_task(std::move(bearer), task_id, std::move(done));
        },
        then<completion>(s, [this](session_ptr const& me, result<completion> const& answer) {
            if (answer.has_error())
                log::warning("a task could not be completed yet", {{"session", me->info.session_id},
                                                                   {"task", me->info.task_id},
                                                                   {"error", name_of(answer.error().code)}});
            feed(me, machine::completion_answered{answer});
        }));
    revoke_scoped(*s);
}

void session_table::perform(session_ptr const& s, machine::pause const& a) {
    s->retry.arm(core_.options.jitter(a.delay), [this, weak = std::weak_ptr(s)] {
        if (auto const alive = weak.lock()) feed(alive, machine::timer_fired{});
    });
}

void session_table::perform(session_ptr const& s, machine::finish const&) {
    auto const& id = s->info.session_id;
    s->info.status = session_status::completed;
    s->info.completed_at = core_.wall_now();
    core_.record(id, records::task_closed{id, s->closed_because});
    withdraw(*s);
    revoke_delegated(*s);
    core_.emit("session.closed", id, {{"task_id", s->info.task_id}, {"reason", s->closed_because}});
    for (auto& done : std::exchange(s->closers, {})) core_.answer<session_info>(std::move(done), info_of(*s));
    gone(s);
}

void session_table::gone(session_ptr const& s) {
    for (auto& done : std::exchange(s->closers, {})) core_.answer<session_info>(std::move(done), info_of(*s));
    closed_.push_back(info_of(*s));
    if (closed_.size() > most_remembered) closed_.pop_front();
    sessions_.erase(s->info.session_id);
    if (auto const parent = find(s->order.parent_session_id)) check_drained(parent);
    if (sessions_.empty())
        for (auto& each : std::exchange(when_empty_, {})) core_.answers.post(std::move(each));
}

std::vector<session_ptr> session_table::children_of(std::string const& session_id) const {
    std::vector<session_ptr> children;
    for (auto const& [id, s] : sessions_)
        if (s->order.parent_session_id == session_id && !over(s->machine.current())) children.push_back(s);
    return children;
}

void session_table::touch(std::string const& session_id) {
    if (auto const s = find(session_id)) s->last_seen = core_.now();
}

void session_table::watch_idle(session_ptr const& s) {
    if (s->idle_timeout <= milliseconds(0)) return;
    auto const left = s->last_seen + s->idle_timeout - core_.now();
    s->idle.arm(std::chrono::ceil<milliseconds>(left), [this, weak = std::weak_ptr(s)] {
        auto const alive = weak.lock();
        if (!alive || !alive->serving()) return;
        // Who waits for a human is not idle.
        if (pending_requests(alive->info.session_id) > 0) alive->last_seen = core_.now();
        if (core_.now() - alive->last_seen < alive->idle_timeout) return watch_idle(alive);
        close(alive, "idle");
    });
}

void session_table::watch_expiry(session_ptr const& s) {
    // One that has passed already says that our clocks disagree; the AS will tell when the task is over.
    if (!s->info.expires_at || *s->info.expires_at <= core_.wall_now()) return;
    auto const left = std::chrono::ceil<milliseconds>(*s->info.expires_at - core_.wall_now());
    s->expiry.arm(std::min<milliseconds>(left, longest_timer), [this, weak = std::weak_ptr(s)] {
        auto const alive = weak.lock();
        if (!alive) return;
        if (core_.wall_now() < *alive->info.expires_at) return watch_expiry(alive);
        close(alive, "its task has expired");
    });
}

void session_table::bearer_refused(std::string const& session_id, std::uint64_t generation, std::string const& grant_id,
                                   callback<snapshot_ptr> done) {
    auto const s = find(session_id);
    if (!s || !s->serving())
        return core_.answer<snapshot_ptr>(std::move(done), make_error(errc::shutting_down, "the session is closed"));
    if (!grant_id.empty()) {
        auto const* g = core_.grants.find(grant_id);
        if (g != nullptr && g->session_id == session_id) {
            core_.grants.drop(grant_id);
            core_.record(session_id, records::grant_dropped{session_id, grant_id, "the API refused its token"});
            publish(*s);
        }
        return core_.answer<snapshot_ptr>(std::move(done), s->snapshot);
    }
    if (s->last_bearer.generation != generation) return core_.answer<snapshot_ptr>(std::move(done), s->snapshot);
    s->keeper->renew(generation, then<bearer>(s, [done](session_ptr const& me, result<bearer> const& b) {
                         if (b.has_error()) return done(b.error());
                         if (!me->serving()) return done(make_error(errc::shutting_down, "the session is closed"));
                         done(me->snapshot);
                     }));
}

void session_table::bearer_changed(token_keeper const& keeper) {
    auto const fresh = keeper.current();
    if (!fresh.token) return;
    auto const all = sessions_;
    for (auto const& [id, s] : all) {
        if (s->keeper.get() != &keeper || s->last_bearer.generation == fresh.generation) continue;
        s->last_bearer = fresh;
        if (s->serving()) publish(*s);
    }
}

void session_table::arm_pruning() {
    auto const first = core_.grants.next_expiry();
    if (!first) return prune_.cancel();
    prune_.arm(std::chrono::ceil<milliseconds>(*first - core_.now()), [this] { prune(); });
}

void session_table::prune() {
    for (auto const& id : core_.grants.prune(core_.now()))
        if (auto const s = find(id); s && s->serving()) publish(*s);
    arm_pruning();
}

}  // namespace jitproxy::jit
