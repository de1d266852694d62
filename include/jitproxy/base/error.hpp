// Errors and result<T>: what went wrong, whose it is, and whether trying again may help.
// Inside the program errors travel as values; exceptions are for start-up only.
//
//     result<void> check(int port) {
//         if (port < 1) return make_error(errc::bad_argument, "port must be positive");
//         return {};                           // success of a result<void>
//     }
//     result<server> open(int port) {
//         if (auto ok = check(port); !ok) return ok.error();
//         return server{port};                 // or: return {boost::system::in_place_value, port};
//     }
//
// `*r` and `r->member` want a result that was tested; r.value() throws `failure` where there is none. error() copies.
#pragma once
#include <boost/system/result.hpp>
#include <cstdint>
#include <iosfwd>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace jitproxy {

// Who has to mend it.
enum class blame : std::uint8_t {
    client,                // the agent's request
    policy,                // this proxy's configuration forbids it
    upstream,              // the API or web server, or the way to it
    authorization_server,  // LumoAuth, or the way to it
    ours,                  // the proxy itself
};

// One enumerator a kind of failure. The HTTP status and RFC 9209 error type of each stand in http/reply.hpp.
enum class errc : std::uint8_t {
    // client
    malformed_request,        // not HTTP/1.x as RFC 9112 wants it
    ambiguous_framing,        // a message whose end could be read in two ways
    bad_target,               // request target not acceptable to a proxy
    target_too_long,          // request line over the limit
    head_too_large,           // head over the limit
    body_too_large,           // body over a limit
    unsupported_version,      // not HTTP/1.0 or 1.1
    unsupported_expectation,  // Expect other than 100-continue
    client_timeout,           // client stopped sending
    client_gone,              // client closed its connection
    misdirected,              // Host or SNI names another than the CONNECT target
    loop,                     // the request came through this proxy before
    session_required,         // no proxy credentials where they are required
    session_unknown,          // proxy credentials that are wrong, or of a session that is closed
    bad_argument,             // a control or command-line argument that cannot be used
    not_found,                // no such session, request or resource
    // policy
    host_denied,           // egress policy does not let this host through
    port_denied,           // a tunnel to this port is not allowed
    address_denied,        // the resolved address may not be dialled
    plain_http_denied,     // a bearer over plain HTTP is not allowed for this API
    user_denied,           // this local user may not use the proxy
    permission_not_asked,  // the API named something that its policy does not allow to ask for
    // upstream
    dns_timeout,          // name server silent
    dns_error,            // name server said no, or no such name
    connection_refused,   // nothing listens there
    connection_timeout,   // connect took too long
    unreachable,          // no route
    connection_closed,    // closed or reset before a whole answer
    read_timeout,         // origin stopped sending
    response_timeout,     // origin sent no head in time
    write_timeout,        // origin stopped reading
    tls_failed,           // handshake failed
    tls_bad_certificate,  // the origin's certificate did not verify
    bad_response,         // not HTTP/1.x as RFC 9112 wants it
    response_head_too_large,
    // authorization server
    as_unreachable,   // cannot be reached: nothing was asked of it
    as_unclear,       // no clear answer (5xx, timeout, reset): what was asked may have been done all the same
    as_down,          // it failed again and again: it is left alone for a while, and was not asked
    as_rate_limited,  // 429
    as_unauthorized,  // 401: the bearer is dead; with a new one the same call may succeed
    as_rejected,      // it refused the call itself, or our credentials
    as_malformed,     // its answer cannot be understood
    as_inactive,      // the task is closed, expired or suspended
    // ours
    configuration,  // the configuration cannot be used
    limit_reached,  // a limit of the proxy's own
    shutting_down,  // the proxy or the session is closing
    storage,        // state directory or journal unusable
    in_use,         // the state directory, or an address to listen on, is another process's
    internal,       // a defect. Stays the last one: what is counted by code is as long as this says
};

[[nodiscard]] blame blame_of(errc code) noexcept;
// True where the same request may succeed later without anybody changing it.
[[nodiscard]] bool retry_may_help(errc code) noexcept;
// A stable short name for logs and metrics, e.g. "dns_timeout".
[[nodiscard]] std::string_view name_of(errc code) noexcept;

struct error {
    errc code = errc::internal;
    std::string detail;   // for a human; what, where, how to mend; never a secret
    int retry_after = 0;  // seconds; 0: not known
};

std::ostream& operator<<(std::ostream& out, error const& e);  // "name: detail"

struct failure : std::runtime_error {  // a result's value() without a value, and start-up errors
    explicit failure(error const& e);
    errc code;
};

[[noreturn]] void throw_exception_from_error(error const& e, boost::source_location const& where);

template <class T>
using result = boost::system::result<T, error>;

[[nodiscard]] inline error make_error(errc code, std::string detail = {}) {
    return {code, std::move(detail), 0};
}

}  // namespace jitproxy
