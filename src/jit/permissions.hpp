// The permission requests in flight, and those who wait for them: equal needs of a session and origin are one request.
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core.hpp"
#include "jitproxy/jit/permission_request.hpp"
#include "sessions.hpp"

namespace jitproxy::jit {

// One permission asked for, or denied a moment ago.
struct permission_entry {
    permission_entry(scheduler& clock, permission_timing timing) : machine(timing), wake(clock) {}

    std::string key;
    std::string local_id;  // what joins its events, whatever the AS calls it; its id until the AS has given one
    std::string session_id;
    std::string origin;
    std::string needs;  // canonical
    json::object details;
    std::string api;
    std::string justification;
    std::string method;  // of the request that it is asked for first, as is the next; not known after a restart
    std::string url;     // without query
    seconds requested_ttl{300};
    wall_time created_at;
    permission_request machine;
    timer wake;
    std::uint64_t call = 0;             // the call to the AS whose answer counts; others come too late
    steady_time polled_at;              // last
    bool journaled = false;             // or on its way there
    bool told_pending = false;          // the event was sent
    permission_outcome outcome;         // once settled
    std::deque<std::string> resources;  // to be served by the grant
};
[[nodiscard]] std::string entry_key(std::string_view session_id, std::string_view origin, std::string_view needs);
[[nodiscard]] std::string journal_name(permission_entry const& e);  // what the journal calls its need
using entry_ptr = std::shared_ptr<permission_entry>;

class permission_desk {
  public:
    using done_function = std::function<void(permission_outcome)>;

    permission_desk(core& c, session_table& sessions) : core_(c), sessions_(sessions) {}
    ~permission_desk();
    permission_desk(permission_desk const&) = delete;
    permission_desk& operator=(permission_desk const&) = delete;

    std::uint64_t request(permission_need need, done_function done);
    void cancel(std::uint64_t ticket);
    // The session is closing: everything of it ends now.
    void end_session(std::string const& session_id, std::string const& suspended);
    // permission_entry::local_id; polled at most once a second, however many hints come.
    void hint(std::string const& local_id);
    // Asked for in an earlier life of the process, in a session that goes on: it is polled for again.
    void resume(std::string const& session_id, open_permission const& p);
    void decide(bool approve, std::string const& request_id, secret_ptr user_bearer, std::string words,
                callback<request_info> done, actor const& who);
    void token_used(std::string const& session_id, std::string const& grant_id);

    // Those that something is being done about (an approval kept for a later attempt is none of them).
    [[nodiscard]] std::size_t pending(std::string const& session_id) const;
    [[nodiscard]] std::vector<request_info> list() const;

  private:
    struct part {  // one member of what a caller needs
        std::string needs;
        entry_ptr entry;                            // null: was decided at once
        std::optional<permission_outcome> outcome;  // once decided
    };
    struct caller {
        explicit caller(scheduler& clock) : hold(clock) {}
        std::uint64_t ticket = 0;
        permission_need need;
        milliseconds patience{0};
        std::vector<part> parts;
        done_function done;
        bool answered = false;
        bool has_ticket = false;  // request() has returned: it may be told at once
        timer hold;
    };
    using caller_ptr = std::shared_ptr<caller>;
    using machine = permission_request;

    // callers (permission_callers.cpp)
    std::optional<permission_outcome> refuse(permission_need const& need);
    std::optional<permission_outcome> over_limit(permission_need const& need);
    void tell_refused(permission_need const& need, permission_outcome const& outcome);
    part begin_part(permission_need const& need, json::object const& details, bool last);
    void entry_decided(permission_entry const& e, permission_outcome const& outcome);
    void entry_waits(permission_entry const& e);
    void review(caller_ptr const& c);
    void answer(caller_ptr const& c, permission_outcome outcome);
    void deliver(caller_ptr const& c, permission_outcome const& outcome);
    void start_hold(caller_ptr const& c);

    // entries (permissions.cpp)
    [[nodiscard]] std::size_t open(std::string const& session_id) const;
    entry_ptr make_entry(std::string session_id, std::string origin, std::string needs, json::object details) const;
    entry_ptr open_entry(permission_need const& need, json::object const& details, std::string const& needs);
    void feed(entry_ptr const& e, machine::event const& ev);
    void perform(entry_ptr const& e, machine::nothing const& a);
    void perform(entry_ptr const& e, machine::record const& a);
    void perform(entry_ptr const& e, machine::ask const& a);
    void perform(entry_ptr const& e, machine::look const& a);
    void perform(entry_ptr const& e, machine::poll const& a);
    void perform(entry_ptr const& e, machine::exchange const& a);
    void perform(entry_ptr const& e, machine::pause const& a);
    void perform(entry_ptr const& e, machine::fail_for_now const& a);
    void perform(entry_ptr const& e, machine::settle const& a);
    void perform(entry_ptr const& e, machine::broken const& a);
    template <class T>
    void call(entry_ptr const& e, as_call<T> what, std::function<void(entry_ptr const&, result<T> const&)> then);
    [[nodiscard]] std::optional<request_state> find_pending(permission_entry const& e,
                                                            std::vector<pending_request> const& list) const;
    void arm(entry_ptr const& e, milliseconds delay);
    void grant_to(entry_ptr const& e, access_token token);
    void forget(entry_ptr const& e);
    [[nodiscard]] request_info info_of(permission_entry const& e) const;
    [[nodiscard]] json::object told_of(permission_entry const& e) const;  // an event's data: how it stands now
    void tell(permission_entry const& e, std::string const& what, actor who = {});
    void tell_settled(permission_entry const& e, records::permission_settled const& how);

    core& core_;
    session_table& sessions_;
    std::map<std::string, entry_ptr> entries_;               // by key
    std::deque<request_info> history_;                       // settled ones, the latest last
    std::map<std::string, std::deque<steady_time>> opened_;  // by session: its new requests of the last minute
    struct refusals {
        steady_time since;  // a minute is counted from here
        std::size_t told = 0;
        std::size_t untold = 0;
    };
    std::map<std::string, refusals> refused_;  // by session
    std::map<std::uint64_t, caller_ptr> callers_;
    std::uint64_t next_ticket_ = 1;
};

}  // namespace jitproxy::jit
