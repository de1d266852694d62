// What lies outside the task manager, as it sees it. All are used on the control thread only, and call back on it,
// never from within the call that started them.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "jitproxy/base/clock.hpp"
#include "jitproxy/base/error.hpp"
#include "jitproxy/base/json.hpp"
#include "jitproxy/base/secret.hpp"
#include "jitproxy/jit/journal.hpp"

namespace jitproxy::jit {

struct access_token {
    secret_ptr value;
    seconds expires_in{0};  // from the moment of the answer
};

struct task_order {  // POST /jit/task; empty members are not sent
    std::string name;
    std::string type;
    std::string parent_task_id;
    std::string on_behalf_of;
};
enum class request_status : std::uint8_t {
    pending,   // waits for a human
    approved,  // can be exchanged for a token
    denied,    // by a rule or a human
    expired,   // nobody decided in time
};
struct request_order {  // POST /jit/request
    std::string task_id;
    json::object authorization_details;
    std::string justification;
    seconds requested_ttl{300};
    std::string callback_url;  // empty: not sent
};
struct request_state {
    std::string request_id;
    request_status status = request_status::pending;
    std::string risk_level;
    std::string
        status_url;  // as received; the port checks the origin before it sends a token there; empty: from request_id
    std::string token_url;
    std::string reason;  // deny_reason, review_notes or message
    std::optional<wall_time> expires_at;
    std::optional<seconds> retry_after;  // how long to wait before asking again
};
enum class completion : std::uint8_t {
    completed,         // confirmed now
    already_complete,  // or unknown to the AS: as good
};

struct pending_request {  // GET /jit/pending
    std::string task_id;
    std::string needs;  // canonical authorization_details, one object
    request_state state;
};
struct evaluation {  // CAEP
    bool active = true;
    std::string reason;  // where it is not: what the AS said
};

// Which of the configured agents: its place among them. Sessions that name none are of the first.
using agent_index = std::size_t;

// LumoAuth (protocol.md section 2). What takes an agent's index uses that agent's own client credentials. Errors:
// as_unreachable and as_down (nothing was asked), as_unclear and as_malformed (it may have been done all the same),
// as_rate_limited (retry_after set where it was said), as_unauthorized (the bearer is dead), as_rejected (403, other
// 4xx), as_inactive (task closed, expired or suspended).
class authorization_server {
  public:
    virtual ~authorization_server() = default;
    virtual void fetch_agent_token(agent_index agent, callback<access_token> done) = 0;
    // RFC 8693: the user's token and the agent's make a delegated token.
    virtual void exchange_for_user(agent_index agent, secret_ptr user_token, secret_ptr agent_token,
                                   callback<access_token> done) = 0;
    virtual void create_task(secret_ptr bearer, task_order order, callback<task> done) = 0;
    virtual void request_permission(secret_ptr bearer, request_order order, callback<request_state> done) = 0;
    virtual void poll_permission(secret_ptr bearer, request_state known, callback<request_state> done) = 0;
    virtual void exchange_permission(secret_ptr bearer, request_state known, callback<access_token> done) = 0;
    virtual void complete_task(secret_ptr bearer, std::string task_id, callback<completion> done) = 0;
    virtual void revoke(agent_index agent, secret_ptr token, callback<void> done) = 0;  // RFC 7009
    // What waits for a human, of this agent. Mostly as_rejected: the list is for those who may approve.
    virtual void list_pending(secret_ptr bearer, callback<std::vector<pending_request>> done) = 0;
    virtual void evaluate_task(secret_ptr bearer, std::string task_id, callback<evaluation> done) = 0;
    // A human decides, with the human's own token. Answers the request's new state.
    virtual void approve(secret_ptr user_bearer, std::string request_id, std::string notes,
                         callback<request_state> done) = 0;
    virtual void deny(secret_ptr user_bearer, std::string request_id, std::string reason,
                      callback<request_state> done) = 0;
};

// What happened, for the control API's event stream, the log and metrics. Never a token.
struct event {
    std::string type;  // "session.opened", "session.closed", "request.pending", "request.granted", "request.denied", …
    std::string session_id;
    json::object data;
};
class event_sink {
  public:
    virtual ~event_sink() = default;
    virtual void on_event(event const& e) = 0;
};

}  // namespace jitproxy::jit
