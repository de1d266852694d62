#include "permissions.hpp"

#include <algorithm>

#include "jitproxy/base/id.hpp"
#include "jitproxy/jit/text.hpp"

namespace jitproxy::jit {

namespace {

constexpr std::size_t remembered = 200;  // settled requests in the list
constexpr seconds longest_ttl{900};      // protocol.md section 2
constexpr seconds default_ttl{300};
constexpr seconds hint_pause{1};  // between two polls that hints bring about

open_permission facts_of(permission_entry const& e) {
    auto const& known = e.machine.known();
    return {journal_name(e),  e.api,           e.justification, e.created_at, known.request_id, known.status_url,
            known.risk_level, known.expires_at};
}

// That no bearer can be had is no word about the request that it was wanted for.
error without_bearer(error what) {
    if (what.code == errc::as_rejected) what.code = errc::as_unauthorized;
    return what;
}

}  // namespace

// A decision on its way to the AS holds its entry for longer than this lives.
permission_desk::~permission_desk() {
    for (auto const& [key, e] : entries_) e->wake.cancel();
}

entry_ptr permission_desk::make_entry(std::string session_id, std::string origin, std::string needs,
                                      json::object details) const {
    auto e = std::make_shared<permission_entry>(
        core_.ports.clock,
        permission_timing{core_.options.poll_first, core_.options.poll_longest, core_.options.unclear_memory});
    e->local_id = random_id("local").replace(5, 1, "-");
    e->key = entry_key(session_id, origin, needs);
    e->session_id = std::move(session_id);
    e->origin = std::move(origin);
    e->needs = std::move(needs);
    e->details = std::move(details);
    e->created_at = core_.wall_now();
    return e;
}

entry_ptr permission_desk::open_entry(permission_need const& need, json::object const& details,
                                      std::string const& needs) {
    auto e = make_entry(need.session_id, need.origin, needs, details);
    e->api = need.api->name;
    e->method = need.method;
    e->url = need.url;
    auto const session = sessions_.find(need.session_id);
    e->justification = justification_of(need, session ? std::string_view(session->order.justification) : "");
    e->requested_ttl =
        need.api->requested_ttl > seconds(0) ? std::min(need.api->requested_ttl, longest_ttl) : default_ttl;
    opened_[need.session_id].push_back(core_.now());
    return e;
}

void permission_desk::feed(entry_ptr const& e, machine::event const& ev) {
    std::visit([&](auto const& action) { perform(e, action); }, e->machine.resume(ev, core_.wall_now()));
}

// Calls the AS with the session's bearer. Only the answer to the latest call counts, and what has waited for a bearer
// until it is not wanted any more is not asked.
template <class T>
void permission_desk::call(entry_ptr const& e, as_call<T> what,
                           std::function<void(entry_ptr const&, result<T> const&)> then) {
    auto const s = sessions_.find(e->session_id);
    if (!s) return;  // its closing has settled this entry, or is about to
    auto const number = ++e->call;
    auto const wanted = [weak = std::weak_ptr(e), number, what = std::move(what)](secret_ptr bearer, callback<T> done) {
        auto const alive = weak.lock();
        if (alive && alive->call == number && !alive->machine.settled()) what(std::move(bearer), std::move(done));
    };
    call_as<T>(core_, s->keeper, wanted,
               while_alive(core_.alive,
                           [this, weak = std::weak_ptr(e), number, then, agent = s->agent,
                            session_id = e->session_id](result<T> const& answer) {
                               auto const alive = weak.lock();
                               if (!alive || alive->call != number || alive->machine.settled()) {
                                   // A token that arrives late is nobody's: it must not outlive the session.
                                   if constexpr (std::is_same_v<T, access_token>)
                                       if (answer.has_value() && answer->value)
                                           core_.revoke(agent, answer->value, session_id);
                                   return;
                               }
                               then(alive, answer);
                               if (answer.has_error() && answer.error().code == errc::as_inactive)
                                   sessions_.task_died(session_id, answer.error().detail);
                           }),
               without_bearer);
}

void permission_desk::perform(entry_ptr const&, machine::nothing const&) {}

void permission_desk::perform(entry_ptr const& e, machine::record const&) {
    e->journaled = true;
    core_.ports.journal.write(
        records::permission_asking{e->session_id, journal_name(*e), core_.wall_now(), e->api, e->justification},
        while_alive(core_.alive, [this, weak = std::weak_ptr(e)](result<void> const& done) {
            auto const alive = weak.lock();
            if (!alive || alive->machine.settled()) return;  // closed meanwhile: not asked for
            alive->journaled = done.has_value();
            feed(alive, machine::recorded{done});
            if (!alive->journaled) return;
            core_.later.post([this, session_id = alive->session_id, told = told_of(*alive)] {
                core_.emit("request.asked", session_id, told, {.who = actor::kind::session});
            });
        }));
}

void permission_desk::perform(entry_ptr const& e, machine::ask const&) {
    auto const s = sessions_.find(e->session_id);
    auto const& url = core_.options.callback_url;
    request_order order{s ? s->info.task_id : std::string{}, e->details, e->justification, e->requested_ttl,
                        url ? url(e->local_id) : std::string{}};
    call<request_state>(
        e,
        [this, order = std::move(order)](secret_ptr bearer, callback<request_state> done) {
            core_.ports.as.request_permission(std::move(bearer), order, std::move(done));
        },
        [this](entry_ptr const& me, result<request_state> const& answer) { feed(me, machine::asked{answer}); });
}

void permission_desk::perform(entry_ptr const& e, machine::look const&) {
    call<std::vector<pending_request>>(
        e,
        [this](secret_ptr bearer, callback<std::vector<pending_request>> done) {
            core_.ports.as.list_pending(std::move(bearer), std::move(done));
        },
        [this](entry_ptr const& me, result<std::vector<pending_request>> const& list) {
            if (list.has_error()) return feed(me, machine::looked{list.error()});
            feed(me, machine::looked{find_pending(*me, *list)});
        });
}

void permission_desk::perform(entry_ptr const& e, machine::poll const& a) {
    arm(e, a.deadline);
    e->polled_at = core_.now();
    call<request_state>(
        e,
        [this, known = e->machine.known()](secret_ptr bearer, callback<request_state> done) {
            core_.ports.as.poll_permission(std::move(bearer), known, std::move(done));
        },
        [this](entry_ptr const& me, result<request_state> const& answer) { feed(me, machine::polled{answer}); });
}

void permission_desk::perform(entry_ptr const& e, machine::exchange const&) {
    e->wake.cancel();
    call<access_token>(
        e,
        [this, known = e->machine.known()](secret_ptr bearer, callback<access_token> done) {
            core_.ports.as.exchange_permission(std::move(bearer), known, std::move(done));
        },
        [this](entry_ptr const& me, result<access_token> const& answer) { feed(me, machine::exchanged{answer}); });
}

void permission_desk::perform(entry_ptr const& e, machine::pause const& a) {
    arm(e, core_.options.jitter(a.delay));
    if (e->machine.current() == machine::state::pending && !e->told_pending) {
        e->told_pending = true;
        core_.record(e->session_id, records::permission_pending{e->session_id, facts_of(*e)});
        tell(*e, "request.pending", {.who = actor::kind::authorization_server});
    }
    entry_waits(*e);
}

void permission_desk::perform(entry_ptr const& e, machine::fail_for_now const& a) {
    e->wake.cancel();
    log::warning("a permission has to wait for the authorization server",
                 {{"session", e->session_id}, {"reason", a.outcome.reason}});
    entry_decided(*e, a.outcome);
}

void permission_desk::perform(entry_ptr const& e, machine::settle const& a) {
    e->wake.cancel();
    ++e->call;
    e->outcome = a.outcome;
    if (a.token) grant_to(e, *a.token);
    entry_decided(*e, e->outcome);  // who waits comes before who only wants to know
    records::permission_settled settled{
        e->session_id,    journal_name(*e),  e->outcome.request_id, std::string(to_string(e->outcome.status)),
        core_.wall_now(), e->outcome.reason, e->outcome.grant_id,   {}};
    if (a.token) settled.grant_expires_at = core_.wall_now() + life_of(*a.token);
    core_.later.post([this, e, settled = std::move(settled)] { tell_settled(*e, settled); });
    if (e->outcome.status == permission_status::denied && core_.options.denial_memory > seconds(0))
        e->wake.arm(core_.options.denial_memory, [this, weak = std::weak_ptr(e)] {
            if (auto const alive = weak.lock()) forget(alive);
        });
    else
        forget(e);
}

void permission_desk::tell_settled(permission_entry const& e, records::permission_settled const& how) {
    if (e.journaled) core_.record(e.session_id, how);
    // Denied, expired and granted are the AS's words; what else ends a request is ours.
    auto const status = e.outcome.status;
    bool const ours = status == permission_status::error || status == permission_status::refused;
    tell(e, "request." + std::string(to_string(status)),
         {.who = ours ? actor::kind::daemon : actor::kind::authorization_server});
}

void permission_desk::perform(entry_ptr const& e, machine::broken const& a) {
    log::error("a permission request met an event that it does not expect",
               {{"session", e->session_id}, {"what", a.what}});
}

void permission_desk::arm(entry_ptr const& e, milliseconds delay) {
    e->wake.arm(delay, [this, weak = std::weak_ptr(e)] {
        if (auto const alive = weak.lock()) feed(alive, machine::timer_fired{});
    });
}

// The ledger first, then everybody who waits.
void permission_desk::grant_to(entry_ptr const& e, access_token token) {
    auto const& g =
        core_.grants.add(e->session_id, e->origin, e->needs, e->outcome.request_id, std::move(token), core_.now());
    e->outcome.grant_id = g.id;
    e->outcome.token = g.token;
    for (auto const& resource : e->resources) (void)core_.grants.bind(e->outcome.grant_id, resource);
    if (auto const s = sessions_.find(e->session_id)) sessions_.publish(*s);
    sessions_.arm_pruning();
}

void permission_desk::hint(std::string const& local_id) {
    for (auto const& [key, e] : entries_)
        if (e->local_id == local_id && e->machine.current() == machine::state::pending)
            return arm(e, std::chrono::ceil<milliseconds>(e->polled_at + hint_pause - core_.now()));
}

void permission_desk::forget(entry_ptr const& e) {
    auto const it = entries_.find(e->key);
    if (it == entries_.end() || it->second != e) return;
    entries_.erase(it);
    history_.push_back(info_of(*e));
    if (history_.size() > remembered) history_.pop_front();
}

void permission_desk::end_session(std::string const& session_id, std::string const& suspended) {
    opened_.erase(session_id);
    refused_.erase(session_id);
    std::vector<entry_ptr> mine;
    for (auto const& [key, e] : entries_)
        if (e->session_id == session_id) mine.push_back(e);
    for (auto const& e : mine) {
        if (!e->machine.settled()) feed(e, machine::close{suspended});
        e->wake.cancel();
        forget(e);
    }
}

}  // namespace jitproxy::jit
