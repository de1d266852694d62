// One exchange between a client and an origin as a machine without I/O: the driver (proxy/exchange) tells it what
// happened and does what it says. It decides which bearer goes out, when permission is asked for, when a request is
// sent again, and what the client gets. An event that its state does not expect is answered with `broken` and changes
// nothing.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>

#include "jitproxy/base/error.hpp"
#include "jitproxy/base/secret.hpp"
#include "jitproxy/jit/permission.hpp"
#include "jitproxy/jit/snapshot.hpp"

namespace jitproxy::jit {

// ---- events
struct request_ready {                // head accepted, destination decided, session found
    bool protected_api = false;       // false: everything passes; no bearer
    bool keep_authorization = false;  // the agent sent its own Authorization and the API's policy keeps it: no bearer
    bool safe_to_repeat = false;      // idempotent method (RFC 9110 9.2.2)
    snapshot_ptr session;             // null for what is no protected API
    scoped_bearer const* grant = nullptr;  // a live grant for this very resource
};
enum class signal_kind : std::uint8_t {
    none,        // an ordinary answer
    permission,  // it names what is missing
    malformed,   // it tries to, but cannot be understood
    dead_token,  // 401 invalid_token
};
struct response_started {  // final response head read, nothing of it sent to the client
    unsigned status = 0;
    signal_kind signal = signal_kind::none;
    bool replayable = true;  // the request's body is complete in the replay buffer, or empty
    std::string needs;       // canonical authorization_details of a permission signal
};
struct permission_decided {
    permission_outcome outcome;
};
struct bearer_refreshed {  // answer to refresh_bearer
    result<snapshot_ptr> session;
};
struct upstream_failed {  // before a response head was complete; while relaying: the answer's body was cut
    error what;
    bool reused_connection = false;  // it came from the pool
    bool nothing_received = false;   // not one byte of the answer
    bool replayable = true;
};
struct client_left {};        // closed its connection, or cannot be written to
struct response_finished {};  // the whole answer went to the client, be it the API's or the proxy's own

using exchange_event = std::variant<request_ready, response_started, permission_decided, bearer_refreshed,
                                    upstream_failed, client_left, response_finished>;

// ---- actions
struct send_request {               // connect (pool or new) and send the request, from its first byte
    secret_ptr bearer;              // null: no bearer is set
    bool fresh_connection = false;  // do not take one from the pool
    // The grant that the bearer is of, and its scoped_bearer::used: once there is a connection, whoever first_use() is
    // true for tells the task manager. Empty and null: no grant's.
    std::string grant_id;
    std::shared_ptr<std::atomic<bool>> used;
};
struct ask_permission {         // hold the answer back, ask the task manager, watch the client
    std::string refused_grant;  // permission_need::refused_grant: this grant went out and was not enough
};
struct refresh_bearer {  // the session's own bearer is dead: have it fetched anew
    std::uint64_t dead_generation = 0;
    std::string dead_grant;  // not empty: it is this grant that is dead, drop it
};
struct relay_response {     // pass the held answer on
    bool annotate = false;  // with the JIT-* fields and Proxy-Status of `why`
    permission_outcome why;
};
struct answer_locally {
    error what;
};
struct finish {};   // done: the client's next request
struct abandon {};  // drop both connections
struct broken {
    std::string what;
};  // a defect: 500 if nothing was sent, then close

using exchange_action =
    std::variant<send_request, ask_permission, refresh_bearer, relay_response, answer_locally, finish, abandon, broken>;

class exchange {
  public:
    explicit exchange(unsigned max_permissions = 3) : max_permissions_(max_permissions) {}
    [[nodiscard]] exchange_action resume(exchange_event const& event);

    enum class state : std::uint8_t {
        idle,        // waits for request_ready
        sent,        // the request is on its way upstream
        asking,      // permission is sought; the API's answer is held
        refreshing,  // the session's bearer is fetched anew
        relaying,    // an answer goes to the client
        done,        // finished or abandoned
    };
    [[nodiscard]] state current() const noexcept { return state_; }

  private:
    // One small handler an event.
    exchange_action on(request_ready const& e);
    exchange_action on(response_started const& e);
    exchange_action on(permission_decided const& e);
    exchange_action on(bearer_refreshed const& e);
    exchange_action on(upstream_failed const& e);
    exchange_action on(client_left const& e);
    exchange_action on(response_finished const& e);

    exchange_action permission_wanted(response_started const& e);
    exchange_action token_refused(response_started const& e);
    exchange_action send_own();  // with what goes out where no grant does
    exchange_action send_with_grant(secret_ptr token, std::string grant_id, std::shared_ptr<std::atomic<bool>> used);
    exchange_action send(secret_ptr bearer);
    exchange_action relay();
    exchange_action relay(permission_outcome why);
    [[nodiscard]] error closed() const;
    exchange_action answer(error what);
    exchange_action illegal(char const* event) const;

    state state_ = state::idle;
    unsigned max_permissions_;
    unsigned permissions_ = 0;         // granted so far in this exchange
    bool protected_ = false;           // of request_ready, as are the next two
    bool keep_authorization_ = false;  //
    bool safe_to_repeat_ = false;
    snapshot_ptr session_;
    secret_ptr bearer_;                        // what went out last; null: none of ours
    std::string grant_in_use_;                 // the grant that it belongs to; empty: the session's own
    std::shared_ptr<std::atomic<bool>> used_;  // of that grant
    bool fresh_grant_ = false;                 // and that grant was made in this exchange
    std::string granted_needs_;                // for exactly these
    std::string needs_;                        // what the answer that is held asks for
    bool replayable_ = true;                   // the request of the answer that is held
    bool bearer_renewed_ = false;              // the session's bearer was fetched anew once
    bool grant_dropped_ = false;               // a dead grant was dropped once
    bool connection_renewed_ = false;          // this attempt went out a second time, on a new connection
};

}  // namespace jitproxy::jit
