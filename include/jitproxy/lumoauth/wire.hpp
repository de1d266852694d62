// What crosses the wire between the proxy and LumoAuth, without the wire: requests as they will be sent, answers as
// they came. No sockets here.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "jitproxy/base/clock.hpp"
#include "jitproxy/base/secret.hpp"

namespace jitproxy::lumoauth {

// The calls of protocol.md section 2 that the proxy makes. Rate limits are counted per endpoint.
enum class endpoint : std::uint8_t {
    token,        // POST /oauth/token: client credentials and delegation
    revoke,       // POST /oauth/revoke
    create_task,  // POST /jit/task
    request,      // POST /jit/request
    status,       // GET  /jit/request/{id}/status
    exchange,     // POST /jit/request/{id}/token
    complete,     // POST /jit/task/{id}/complete
    approve,      // POST /jit/approve/{id}
    deny,         // POST /jit/deny/{id}
    pending,      // GET  /jit/pending
    evaluate,     // POST /jit/task/{id}/evaluate
};
inline constexpr std::size_t endpoint_count = 11;
[[nodiscard]] std::string_view name_of(endpoint e) noexcept;  // as in the path, for logs: "jit/request"

struct wire_request {
    lumoauth::endpoint endpoint = endpoint::token;
    std::string_view method = "POST";
    std::string target;            // origin form
    std::string_view media_type;   // empty: no body
    std::string body;              // may hold secrets: wiped by whoever sent it
    secret_ptr bearer;             // null: none is sent
    std::vector<secret_ptr> held;  // secrets in the body
    // Sending it a second time does no harm, so it may be repeated when a kept connection turns out to be dead.
    bool repeatable = false;
};

struct wire_answer {
    unsigned status = 0;
    std::string retry_after;       // as received, like the next
    std::string rate_limit_reset;  // X-RateLimit-Reset
    std::string body;              // may hold a token: wiped by whoever read it
};

// What is known when an answer is read.
struct answer_context {
    lumoauth::endpoint endpoint = endpoint::token;
    wall_time now;                 // for Retry-After as a date and X-RateLimit-Reset
    std::vector<secret_ptr> sent;  // bearer and secrets of the request: hidden should the server echo them in an error
};

}  // namespace jitproxy::lumoauth
