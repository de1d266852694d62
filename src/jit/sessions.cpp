#include "sessions.hpp"

#include <algorithm>

#include "jitproxy/base/id.hpp"

namespace jitproxy::jit {

namespace {

constexpr std::size_t secret_bytes = 24;  // 192 bits, the password of the proxy credentials
// An automatic session that could not be opened is not tried again for each request that wants it.
constexpr seconds automatic_pause{1};
constexpr seconds longest_automatic_pause{60};

}  // namespace

session_facts session_table::facts_of(session_record const& s) const {
    auto const& order = s.order;
    session_facts facts;
    facts.agent = core_.agents.identity(s.agent).client_id;
    facts.name = order.task.name;
    facts.owner = order.automatic ? "automatic" : order.owner_pid != 0 ? "run" : order.user_token ? "user" : "hand";
    facts.owner_pid = order.owner_pid;
    facts.parent_session_id = order.parent_session_id;
    facts.justification = order.justification;
    facts.idle_timeout = order.idle_timeout;
    facts.secret_hash = s.secret_hash;
    return facts;
}

session_ptr session_table::make_record(session_order order, agent_index agent) {
    auto s = std::make_shared<session_record>(core_.ports.clock, std::move(order));
    s->agent = agent;
    s->info.session_id = random_id("ses");
    s->info.agent = core_.agents.identity(agent).name;
    s->info.name = s->order.task.name;
    s->info.automatic = s->order.automatic;
    s->info.opened_at = core_.wall_now();
    s->last_seen = core_.now();
    s->idle_timeout = s->order.automatic && s->order.idle_timeout == milliseconds(0) ? core_.options.idle_timeout
                                                                                     : s->order.idle_timeout;
    s->proxy_secret = make_secret(s->order.automatic ? std::string{} : random_token(secret_bytes));
    if (core_.options.hash && !s->order.automatic) s->secret_hash = (*core_.options.hash)(s->proxy_secret->reveal());
    s->keeper = s->order.user_token ? delegated_keeper(s) : core_.agents.keeper(agent);
    return s;
}

void session_table::open(session_order order, callback<opened_session> done) {
    auto const refuse = [&](error what) { core_.answer<opened_session>(std::move(done), std::move(what)); };
    if (core_.shutting_down) return refuse(make_error(errc::shutting_down, "the proxy is shutting down"));
    if (!order.parent_session_id.empty()) {
        auto const parent = find(order.parent_session_id);
        if (!parent || !parent->serving()) return refuse(make_error(errc::not_found, "the parent session is not open"));
        order.task.parent_task_id = parent->info.task_id;
        if (order.agent.empty()) order.agent = parent->info.agent;
        if (order.agent != parent->info.agent)
            return refuse(make_error(errc::bad_argument, "the parent session is agent \"" + parent->info.agent +
                                                             "\"'s: a task is made below a task of the same agent"));
    }
    auto const agent = core_.agents.named(order.agent);
    if (!agent) return refuse(agent.error());
    auto const s = make_record(std::move(order), *agent);
    s->openers.push_back(std::move(done));
    sessions_.emplace(s->info.session_id, s);
    feed(s, machine::start{});
}

void session_table::resume(open_task const& t, agent_index agent) {
    session_order order;
    order.task.name = t.about.name;
    order.parent_session_id = t.about.parent_session_id;
    order.justification = t.about.justification;
    order.idle_timeout = t.about.idle_timeout;
    auto const s = make_record(std::move(order), agent);
    s->proxy_secret = nullptr;
    s->secret_hash = t.about.secret_hash;
    s->info.session_id = t.session_id;
    s->info.task_id = t.task_id;
    s->info.opened_at = t.opened_at;
    s->info.expires_at = t.expires_at;
    sessions_.emplace(t.session_id, s);
    core_.record(t.session_id, records::session_resumed{t.session_id});
    feed(s, machine::resume_open{});
}

void session_table::ensure_automatic(callback<snapshot_ptr> done) {
    auto const as_snapshot = [done = std::move(done)](result<opened_session> const& opened) {
        if (opened.has_error()) return done(opened.error());
        done(opened->snapshot);
    };
    for (auto const& [id, s] : sessions_) {
        if (!s->order.automatic) continue;
        switch (s->machine.current()) {
            case machine::state::open:
                return core_.answer<opened_session>(as_snapshot, opened_session{info_of(*s), s->snapshot});
            case machine::state::authorizing:
            case machine::state::noting:
            case machine::state::creating:
            case machine::state::recording:
                s->openers.push_back(as_snapshot);
                return;
            default:  // on its way out: another one takes its place
                break;
        }
    }
    if (automatic_failed_ && core_.now() < automatic_not_before_)
        return core_.answer<opened_session>(as_snapshot, *automatic_failed_);
    session_order order;
    order.automatic = true;
    order.task.name = "jitproxy";
    open(std::move(order), as_snapshot);
}

void session_table::feed(session_ptr const& s, machine::event const& e) {
    std::visit([&](auto const& action) { perform(s, action); }, s->machine.resume(e));
}

void session_table::perform(session_ptr const&, machine::nothing const&) {}

void session_table::perform(session_ptr const& s, machine::get_bearer const&) {
    s->keeper->get(then<bearer>(s, [this](session_ptr const& me, result<bearer> const& b) {
        if (b.has_error()) return feed(me, machine::authorized{b.error()});
        me->last_bearer = *b;
        feed(me, machine::authorized{result<void>{}});
    }));
}

void session_table::perform(session_ptr const& s, machine::note const&) {
    core_.ports.journal.write(
        records::task_opening{s->info.session_id, core_.wall_now(), facts_of(*s)},
        then<void>(s, [this](session_ptr const& me, result<void> const& done) { feed(me, machine::noted{done}); }));
}

void session_table::perform(session_ptr const& s, machine::create const&) {
    call_as<task>(
        core_, s->keeper,
        [this, order = s->order.task](secret_ptr bearer, callback<task> done) {
            core_.ports.as.create_task(std::move(bearer), order, std::move(done));
        },
        then<task>(s,
                   [this](session_ptr const& me, result<task> const& answer) { feed(me, machine::created{answer}); }));
}

void session_table::perform(session_ptr const& s, machine::record const& a) {
    s->info.task_id = a.opened.task_id;
    s->info.expires_at = a.opened.expires_at;
    auto opened = a.opened;
    // One that has passed already says that our clocks disagree; a later life must not take the task for over.
    if (opened.expires_at && *opened.expires_at <= core_.wall_now()) opened.expires_at.reset();
    core_.ports.journal.write(records::task_opened{s->info.session_id, std::move(opened)},
                              then<void>(s, [this](session_ptr const& me, result<void> const& done) {
                                  core_.report(done, me->info.session_id);
                                  feed(me, machine::recorded{done});
                              }));
}

void session_table::perform(session_ptr const& s, machine::announce const&) {
    s->info.status = session_status::open;
    s->last_seen = core_.now();
    if (s->order.automatic) automatic_failed_.reset();
    if (auto const b = s->keeper->current(); b.token) s->last_bearer = b;
    publish(*s);
    watch_idle(s);
    watch_expiry(s);
    watch_evaluation(s);
    core_.emit(s->proxy_secret ? "session.opened" : "session.resumed", s->info.session_id,
               {{"task_id", s->info.task_id},
                {"name", s->info.name},
                {"agent", s->info.agent},
                {"automatic", s->info.automatic}});
    for (auto& done : std::exchange(s->openers, {}))
        core_.answer<opened_session>(std::move(done), opened_session{info_of(*s), s->snapshot});
}

void session_table::perform(session_ptr const& s, machine::give_up const& a) {
    s->info.status = session_status::failed;
    auto const& id = s->info.session_id;
    if (a.entry == machine::journal_entry::forget) core_.record(id, records::task_closed{id, "never came to be"});
    if (a.entry == machine::journal_entry::keep) doubtful({id, {}, s->info.opened_at, {}, false, facts_of(*s), {}});
    core_.emit("session.failed", id, {{"error", name_of(a.what.code)}, {"reason", a.what.detail}});
    if (s->order.automatic && a.what.code != errc::shutting_down) {
        automatic_failed_ = a.what;
        automatic_not_before_ =
            core_.now() + std::clamp(seconds(a.what.retry_after), automatic_pause, longest_automatic_pause);
    }
    for (auto& done : std::exchange(s->openers, {})) core_.answer<opened_session>(std::move(done), a.what);
    revoke_delegated(*s);
    gone(s);
}

void session_table::perform(session_ptr const& s, machine::broken const& a) {
    log::error("a session met an event that it does not expect", {{"session", s->info.session_id}, {"what", a.what}});
}

session_ptr session_table::find(std::string const& session_id) const {
    auto const it = sessions_.find(session_id);
    return it == sessions_.end() ? nullptr : it->second;
}

void session_table::publish(session_record& s) {
    if (!s.serving()) s.ended->store(true, std::memory_order_release);
    auto snapshot = std::make_shared<session_snapshot>();
    snapshot->ended = s.ended;
    snapshot->session_id = s.info.session_id;
    snapshot->proxy_secret = s.proxy_secret;
    snapshot->secret_hash = s.secret_hash;
    snapshot->hash = core_.options.hash;
    snapshot->automatic = s.order.automatic;
    snapshot->accepting = s.serving();
    snapshot->suspended = s.suspended;
    if (s.suspended.empty()) snapshot->bearer = s.last_bearer.token;
    snapshot->bearer_generation = s.last_bearer.generation;
    if (snapshot->accepting) core_.grants.collect(s.info.session_id, core_.now(), snapshot->grants);
    s.snapshot = std::move(snapshot);
    core_.ports.snapshots.publish(s.snapshot);
}

session_info session_table::info_of(session_record const& s) const {
    auto info = s.info;
    info.live_grants = core_.grants.live(info.session_id, core_.now());
    info.pending_requests = pending_requests(info.session_id);
    return info;
}

std::vector<session_info> session_table::list() const {
    std::vector<session_info> all;
    all.reserve(sessions_.size());
    for (auto const& [id, s] : sessions_) all.push_back(info_of(*s));
    std::stable_sort(all.begin(), all.end(), [](auto const& a, auto const& b) { return a.opened_at < b.opened_at; });
    return all;
}

std::optional<session_info> session_table::info(std::string const& session_id) const {
    if (auto const s = find(session_id)) return info_of(*s);
    auto const it =
        std::find_if(closed_.begin(), closed_.end(), [&](session_info const& i) { return i.session_id == session_id; });
    if (it == closed_.end()) return std::nullopt;
    return *it;
}

}  // namespace jitproxy::jit
