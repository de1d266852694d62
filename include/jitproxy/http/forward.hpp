// What an intermediary writes: the head it sends on, with hop-by-hop fields handled (RFC 9110 7.6, RFC 9112 9.3).
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "jitproxy/base/clock.hpp"
#include "jitproxy/http/framing.hpp"
#include "jitproxy/http/head.hpp"

namespace jitproxy::http {

struct outgoing_request {
    std::string_view path;                  // origin form
    std::string_view host;                  // value of Host, made from the target
    std::string_view bearer;                // empty: Authorization passes as it came
    bool keep_agent_authorization = false;  // a bearer is set only where the agent sent no Authorization
    body_framing framing;
    bool upgrade = false;  // pass Upgrade and "Connection: upgrade"
    std::string_view via;  // this proxy's pseudonym; the received version goes before it
};
// Appends to `out`. Removed: Host (made anew, first), Connection and what it nominates, Keep-Alive, Proxy-*, TE but
// "trailers", Trailer (but with a chunked body), Transfer-Encoding (made anew from framing), Upgrade (unless asked),
// JIT-Justification, Expect of an HTTP/1.0 client.
// Everything else keeps order, duplicates, spelling. Content-Length is written from framing, in its place; without a
// body a received "Content-Length: 0" stays. Via is a field line of its own behind the received ones (together they are
// one list, RFC 9110 5.3). Nomination does not remove what gives a message its meaning: Authorization, Content-Length,
// Content-Type, Expect, Host, Via. A bearer with a byte that a field value cannot hold is not sent.
void write_request_head(std::string& out, request_head const& head, outgoing_request const& options);

using extra_field = std::pair<std::string_view, std::string_view>;
struct outgoing_response {
    body_framing framing;  // how the body goes to the client
    version client_version = version::http_1_1;
    bool keep_alive = true;  // false: "Connection: close"
    bool upgrade = false;    // 101: pass Upgrade and "Connection: upgrade"
    bool trailers = false;   // a chunked body is passed on with its trailers: pass Trailer too
    std::string_view via;
    std::span<extra_field const> extra;  // appended; fields of these names from upstream are removed first
    std::string_view date;               // http_date(): added to a final answer without Date (RFC 9110 6.6.1)
};
// Content-Length: from framing, in its place; of an answer without a body (HEAD, 304, length 0) as received, but none
// in a 1xx or 204. "Connection: close" also where the body ends with the connection. Upgrade stays in a 426.
void write_response_head(std::string& out, response_head const& head, outgoing_response const& options);

// RFC 9110 5.6.7, for Date: "Sun, 06 Nov 1994 08:49:37 GMT".
[[nodiscard]] std::string http_date(wall_time t);

// RFC 9110 7.6.3: has this proxy (by its pseudonym) forwarded the message already?
[[nodiscard]] bool via_contains(request_head const& head, std::string_view pseudonym) noexcept;
// A pseudonym that is this process's own: "jitproxy-" and random characters.
[[nodiscard]] std::string make_via_pseudonym();

// RFC 7617 credentials of Proxy-Authorization: user and password, or nullopt where the field is absent or is no Basic.
struct basic_credentials {
    std::string user;
    std::string password;
};
[[nodiscard]] std::optional<basic_credentials> proxy_credentials(request_head const& head);
// RFC 9110 7.6.2: Max-Forwards of an OPTIONS or TRACE. 0: this proxy has to answer itself; write_request_head counts it
// down. nullopt where it is absent, no number, or of another method.
[[nodiscard]] std::optional<std::uint32_t> max_forwards(request_head const& head) noexcept;
// RFC 9110 10.1.4: this client takes trailers in the answer ("TE: trailers", and not of HTTP/1.0).
[[nodiscard]] bool accepts_trailers(request_head const& head) noexcept;
// RFC 9110 7.8: the client asks for another protocol. Not for HTTP/2 ("h2c"): its HTTP2-Settings is for one hop only,
// and what came behind it could not be read here (RFC 9113 3.1 has given it up).
[[nodiscard]] bool wants_upgrade(request_head const& head) noexcept;
// Authorization of a scheme whose server may take all that follows on the connection for the same user's: NTLM,
// Negotiate (RFC 4559 6) and their kin. What HTTP forbids (RFC 9110 11.7.3 and 3.3: each request stands for itself).
[[nodiscard]] bool authenticates_connection(request_head const& head) noexcept;
// RFC 7240 "wait=SECONDS"; nullopt where it is absent or no number.
[[nodiscard]] std::optional<std::uint32_t> prefer_wait(request_head const& head) noexcept;

}  // namespace jitproxy::http
