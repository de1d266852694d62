// Sessions, permission requests and grants: one object, used on the control thread only. It holds no socket and no
// thread; time and the world come through ports. Its decisions are made by the machines in jit/session.hpp and
// jit/permission_request.hpp.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "jitproxy/jit/permission.hpp"
#include "jitproxy/jit/ports.hpp"
#include "jitproxy/jit/snapshot.hpp"

namespace jitproxy::jit {

struct agent_identity {
    std::string name;       // what sessions call it
    std::string client_id;  // who it is at the AS, and in the journal
};

struct task_manager_options {
    std::vector<agent_identity> agents{{"default", {}}};  // at least one; the first is that of sessions that name none
    milliseconds idle_timeout{std::chrono::minutes{15}};  // of the automatic session, and of others where set
    milliseconds hold{std::chrono::minutes{5}};           // how long a client waits for a human
    milliseconds poll_first{500};
    milliseconds poll_longest{5000};
    seconds denial_memory{10};
    milliseconds unclear_memory{10'000};  // permission_timing
    // Of one session, so that neither the AS nor a human is flooded; more is refused.
    std::size_t requests_per_minute = 120;
    std::size_t requests_open = 64;
    milliseconds evaluate_every{0};  // how often the AS is asked whether a task is still fine (CAEP); 0: never
    bool revoke_tokens = true;       // scoped tokens one by one when their session closes, besides completing its task
    // Where the AS may say that a request is decided, by that request's local id; empty: nowhere.
    std::function<std::string(std::string const& local_id)> callback_url;
    // Makes a pause after trouble a bit longer, so that many proxies do not come back at the same moment.
    std::function<milliseconds(milliseconds)> jitter = [](milliseconds pause) { return pause; };
    // What nobody waits for (that a permission was asked for and granted, that its token is used) is told and recorded
    // so long after: on a processor that all threads share it would delay who waits.
    milliseconds tell_after{0};
    seconds expiry_margin{15};  // a token is not used when less of its life is left (at most a tenth of its life)
    // Looked at before a session is opened or a permission asked for; an error refuses it. Null: nothing stands
    // against.
    std::function<result<void>()> ready;
    bool resume = false;  // at the start: take up sessions opened by hand again, or complete their tasks
    std::shared_ptr<keyed_hash const> hash;  // that their proxy passwords are recognised by; null: none is
};

struct session_order {
    task_order task;
    std::string agent;  // empty: the parent's, else the first
    std::string parent_session_id;
    secret_ptr user_token;  // for on_behalf_of; may be null
    std::string
        justification;  // why permissions are asked for, in the API's stead; a pattern as [[api]] justification is
    bool automatic = false;
    long owner_pid = 0;            // of `run`; 0: none
    actor who;                     // opens it; an automatic session's is the session itself
    milliseconds idle_timeout{0};  // closed when nothing was seen for so long; 0: never, but for the automatic one
};
enum class session_status : std::uint8_t { opening, open, closing, completed, failed };
[[nodiscard]] std::string_view to_string(session_status s) noexcept;
struct session_info {
    std::string session_id;
    std::string task_id;
    std::string name;
    std::string agent;
    session_status status = session_status::opening;
    bool automatic = false;
    wall_time opened_at;
    std::optional<wall_time> expires_at;
    std::optional<wall_time> completed_at;
    std::size_t live_grants = 0;
    std::size_t pending_requests = 0;
};
struct opened_session {
    session_info info;
    snapshot_ptr snapshot;  // holds the proxy secret
};
struct request_info {        // GET /v1/requests
    std::string request_id;  // the AS's; the local id while it has none
    std::string local_id;    // "local-…": the same from the first event to the last; a restart makes a new one
    std::string session_id;
    std::string api;
    std::string status;  // pending, approved, granted, denied, expired, refused, error
    std::string risk_level;
    std::string justification;
    std::string reason;
    json::array authorization_details;
    wall_time created_at;
    std::optional<wall_time> expires_at;
};
struct agent_token_info {
    std::string agent;
    std::string state;  // "none", "fetching", "live", "failed"
    std::optional<wall_time> expires_at;
    std::string last_error;
};

struct recovery_info {                             // what earlier lives left, and what the AS never confirmed
    std::map<std::string, std::uint64_t> results;  // "completed", "already_complete", "uncertain"
    std::vector<open_task> waiting;                // to be completed yet
    std::vector<open_task> uncertain;              // may be open; their ids are not known
};

struct manager_ports {
    authorization_server& as;
    jit::journal& journal;
    scheduler& clock;
    snapshot_sink& snapshots;
    event_sink& events;
};

class task_manager {
  public:
    task_manager(manager_ports ports, task_manager_options const& options);
    ~task_manager();

    // Fetches the agent token, keeps it fresh from now on, and completes what an earlier life left open.
    void start();

    // Errors: as_*, storage, shutting_down, not_found (parent), bad_argument (agent).
    void open_session(session_order order, callback<opened_session> done);
    // The session of clients without credentials: opened at first use, once for all who ask at the same time.
    void ensure_automatic_session(callback<snapshot_ptr> done);
    // Answers once the AS has confirmed; info.status tells. A second call joins the first. Errors: not_found, as_*.
    void close_session(std::string const& session_id, callback<session_info> done, actor const& who = {});
    // Last request seen; keeps idle sessions alive. Workers report it now and then, not per request.
    void touch(std::string const& session_id);

    using ticket = std::uint64_t;
    // Joins the request in flight for the same session, origin and canonical details, or starts it; each member of an
    // array is asked for, and the outcome is granted when all are. Calls back exactly once unless cancelled, never from
    // within this call; `done` must not destroy this object.
    ticket request_permission(permission_need need, std::function<void(permission_outcome)> done);
    // The client is gone: it is not told any more, but the permission request goes on.
    void cancel(ticket t);
    // A bearer was refused with invalid_token. Fetches the session's bearer anew unless a newer one is there already;
    // with a grant id drops that grant instead and answers at once.
    void bearer_refused(std::string const& session_id, std::uint64_t generation, std::string const& grant_id,
                        callback<snapshot_ptr> done);

    // The token of this grant goes to the API for the first time (first_use()); the grant may have ended meanwhile.
    void token_used(std::string const& session_id, std::string const& grant_id);

    // The AS port has other secrets of the same agents: those without a token try at once.
    void credentials_changed();
    // Somebody says that this request is decided: look soon. The word of a stranger, so no more than a hint.
    void hint(std::string const& local_id);
    void approve(std::string const& request_id, secret_ptr user_bearer, std::string notes, callback<request_info> done,
                 actor const& who = {});
    void deny(std::string const& request_id, secret_ptr user_bearer, std::string reason, callback<request_info> done,
              actor const& who = {});

    // Closes every session; calls back when all are confirmed. Nothing new is opened from now on. What is not confirmed
    // when the owner's patience ends stays in the journal.
    void shut_down(std::function<void()> done);

    [[nodiscard]] std::vector<session_info> sessions() const;
    [[nodiscard]] std::optional<session_info> session(std::string const& session_id) const;
    [[nodiscard]] std::vector<request_info> requests() const;
    [[nodiscard]] std::vector<agent_token_info> agent_tokens() const;  // the first agent's first
    [[nodiscard]] std::size_t live_grants() const;
    [[nodiscard]] recovery_info recovered() const;

  private:
    struct impl;
    std::shared_ptr<impl> impl_;
};

}  // namespace jitproxy::jit
