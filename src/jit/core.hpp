// What the parts of the task manager share, and how a call to the AS gets its bearer.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "agents.hpp"
#include "jitproxy/base/log.hpp"
#include "jitproxy/jit/ledger.hpp"
#include "jitproxy/jit/task_manager.hpp"
#include "jitproxy/jit/timers.hpp"
#include "jitproxy/jit/token_keeper.hpp"

namespace jitproxy::jit {

struct core {
    core(manager_ports p, agent_table& a, task_manager_options o)
        : ports(p),
          agents(a),
          options(std::move(o)),
          grants(options.expiry_margin),
          answers(p.clock),
          later(p.clock, options.tell_after) {}

    manager_ports ports;
    agent_table& agents;
    task_manager_options options;
    ledger grants;
    outbox answers;  // for callers
    outbox later;    // what nobody waits for; in order with what is told and recorded at once
    bool shutting_down = false;
    // Every callback given to a port holds this weakly.
    std::shared_ptr<core*> alive = std::make_shared<core*>(this);

    [[nodiscard]] steady_time now() const { return ports.clock.now(); }
    [[nodiscard]] wall_time wall_now() const { return ports.clock.wall_now(); }
    void emit(std::string type, std::string session_id, json::object data, actor who = {});
    // A journal that cannot be written after the fact: the work goes on, the failure is told.
    void record(std::string const& session_id, journal_record what);
    void report(result<void> const& journaled, std::string const& session_id) const;
    // RFC 7009; a failure is only told, the token dies with its task or by itself. `grant_id` is empty where the token
    // is no grant's.
    void revoke(agent_index agent, secret_ptr token, std::string const& session_id, std::string const& grant_id = {});
    template <class T>
    void answer(callback<T> done, result<T> what) {
        answers.post([done = std::move(done), what = std::move(what)] { done(what); });
    }
};

template <class T>
using as_call = std::function<void(secret_ptr bearer, callback<T> done)>;

// Makes a call with the keeper's bearer. Where the AS says that the bearer is dead, and the keeper has another one or
// fetches one, the call is made again, once. A call that is refused for itself is not: a new token would change
// nothing, and the token endpoint allows few calls. Where no bearer can be had, `done` is told what `no_bearer` makes
// of the reason.
template <class T>
void call_as(
    core& c, std::shared_ptr<token_keeper> const& keeper, as_call<T> call, callback<T> done,
    error (*no_bearer)(error) = [](error what) { return what; }) {
    auto const again = [&c, weak = std::weak_ptr(keeper), call, done, no_bearer](bearer const& used,
                                                                                 result<T> const& answer) {
        auto const k = weak.lock();
        if (answer.has_value() || answer.error().code != errc::as_unauthorized || !k) return done(answer);
        k->renew(used.generation,
                 while_alive(c.alive, [call, done, used, answer, no_bearer](result<bearer> const& renewed) {
                     if (renewed.has_error()) return done(no_bearer(renewed.error()));
                     if (renewed->generation == used.generation) return done(answer);
                     call(renewed->token, done);
                 }));
    };
    auto const first = while_alive(c.alive, [&c, call, again, done, no_bearer](result<bearer> const& b) {
        if (b.has_error()) return done(no_bearer(b.error()));
        call(b->token, while_alive(c.alive, [again, used = *b](result<T> const& answer) { again(used, answer); }));
    });
    if (auto const b = keeper->current(); b.token)
        first(result<bearer>(b));
    else
        keeper->get(first);
}

}  // namespace jitproxy::jit
