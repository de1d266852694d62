// The sessions: opens, publishes and closes them, as their machines say.
#pragma once
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core.hpp"
#include "jitproxy/jit/session.hpp"

namespace jitproxy::jit {

struct session_record {
    session_record(scheduler& clock, session_order o)
        : order(std::move(o)), retry(clock), idle(clock), expiry(clock), evaluation(clock) {}

    session_order order;
    agent_index agent = 0;
    session_info info;
    session_machine machine;
    std::shared_ptr<token_keeper> keeper;  // the agent's, or its own where it acts for a user
    bearer last_bearer;                    // what was published last
    secret_ptr proxy_secret;
    std::string secret_hash;  // in the journal; of an earlier life's secret where there is no other
    std::shared_ptr<std::atomic<bool>> ended = std::make_shared<std::atomic<bool>>(false);
    snapshot_ptr snapshot;  // null until it was open
    std::string closed_because;
    std::string suspended;                  // why, where the AS has suspended the task
    std::vector<secret_ptr> scoped_tokens;  // that were live when closing began, until they are revoked
    std::vector<std::pair<secret_ptr, steady_time>> delegated;  // its own tokens, and when each of them ends
    steady_time last_seen;
    milliseconds idle_timeout{0};
    std::vector<callback<opened_session>> openers;
    std::vector<callback<session_info>> closers;
    bool in_flight = false;    // workers still serve requests of it
    unsigned completions = 0;  // attempts
    timer retry;               // of the completion
    timer idle;
    timer expiry;  // the task's own
    timer evaluation;

    [[nodiscard]] bool serving() const noexcept { return machine.current() == session_machine::state::open; }
};
using session_ptr = std::shared_ptr<session_record>;

class session_table {
  public:
    explicit session_table(core& c) : core_(c), prune_(c.ports.clock) {}

    // The task manager's other parts: ends what a closing session still waits for; is it waited for by anybody?
    std::function<void(session_record const&)> end_requests = [](session_record const&) {};
    std::function<std::size_t(std::string const&)> pending_requests = [](std::string const&) { return std::size_t{0}; };
    // The AS may have made this task, and did not say so.
    std::function<void(open_task)> doubtful = [](open_task const&) {};

    void open(session_order order, callback<opened_session> done);
    void ensure_automatic(callback<snapshot_ptr> done);
    // As it was when an earlier life of the process ended. Its bearer follows.
    void resume(open_task const& t, agent_index agent);
    void close(std::string const& session_id, callback<session_info> done);
    void close_all(std::function<void()> done);
    // The AS says that the task is not active any more, or even suspended: nothing of the session is served from now
    // on.
    void task_died(std::string const& session_id, std::string const& why);
    void touch(std::string const& session_id);
    void bearer_refused(std::string const& session_id, std::uint64_t generation, std::string const& grant_id,
                        callback<snapshot_ptr> done);
    void bearer_changed(token_keeper const& keeper);

    [[nodiscard]] session_ptr find(std::string const& session_id) const;
    void publish(session_record& s);  // after a change of bearer, grants or state
    void arm_pruning();

    [[nodiscard]] session_info info_of(session_record const& s) const;
    [[nodiscard]] std::vector<session_info> list() const;
    [[nodiscard]] std::optional<session_info> info(std::string const& session_id) const;

  private:
    using machine = session_machine;
    void feed(session_ptr const& s, machine::event const& e);
    // What an answer of the AS does, unless the session is gone. Weakly: a session's own keeper may hold it.
    template <class T>
    callback<T> then(session_ptr const& s, std::function<void(session_ptr const&, result<T> const&)> step) {
        return while_alive(core_.alive, [weak = std::weak_ptr(s), step = std::move(step)](result<T> const& answer) {
            if (auto const alive = weak.lock()) step(alive, answer);
        });
    }
    // One small function an action.
    void perform(session_ptr const& s, machine::nothing const& a);
    void perform(session_ptr const& s, machine::get_bearer const& a);
    void perform(session_ptr const& s, machine::note const& a);
    void perform(session_ptr const& s, machine::create const& a);
    void perform(session_ptr const& s, machine::record const& a);
    void perform(session_ptr const& s, machine::announce const& a);
    void perform(session_ptr const& s, machine::give_up const& a);
    void perform(session_ptr const& s, machine::wind_down const& a);
    void perform(session_ptr const& s, machine::complete const& a);
    void perform(session_ptr const& s, machine::pause const& a);
    void perform(session_ptr const& s, machine::finish const& a);
    void perform(session_ptr const& s, machine::broken const& a);

    session_ptr make_record(session_order order, agent_index agent);
    [[nodiscard]] session_facts facts_of(session_record const& s) const;
    [[nodiscard]] std::shared_ptr<token_keeper> delegated_keeper(session_ptr const& s);
    void close(session_ptr const& s, std::string why);
    [[nodiscard]] std::vector<session_ptr> children_of(std::string const& session_id) const;
    void check_drained(session_ptr const& s);
    void gone(session_ptr const& s);  // completed or failed: out of the table, parents and shut-down go on
    void watch_idle(session_ptr const& s);
    void watch_expiry(session_ptr const& s);
    void watch_evaluation(session_ptr const& s);
    void suspend(session_ptr const& s, std::string const& why);
    void revoke_scoped(session_record& s);
    void fetch_delegated(session_ptr const& s, callback<access_token> const& done);
    void revoke_delegated(session_record& s);
    void withdraw(session_record const& s);
    void prune();

    core& core_;
    std::map<std::string, session_ptr> sessions_;
    std::deque<session_info> closed_;  // the latest, for those who ask again
    std::vector<std::function<void()>> when_empty_;
    std::optional<error> automatic_failed_;  // and is not tried again before
    steady_time automatic_not_before_;
    std::deque<std::string> suspended_;  // closed, but still published, so that their requests are told why
    timer prune_;
};

}  // namespace jitproxy::jit
