// What is known of one request while it is served: what its line in the log says, and what is counted when it is over.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "jitproxy/base/clock.hpp"
#include "jitproxy/base/log_line.hpp"
#include "jitproxy/http/target.hpp"
#include "jitproxy/proxy/traffic.hpp"

namespace jitproxy::proxy {

enum class request_log : std::uint8_t {
    all,        // a line for each request
    escalated,  // for those that a permission was asked for
    none,
};

struct request_record {
    using microseconds = std::chrono::microseconds;

    steady_time began{};         // its head was complete; the epoch: it was not
    std::string_view method;     // a view of the head, as is path
    std::string_view scheme;     // empty: CONNECT
    std::string host;            // "host:port"; empty: the target was not understood
    std::string_view path;       // without query; empty: CONNECT
    api_traffic* api = nullptr;  // null: no protected API
    unsigned status = 0;         // of the answer; 0: there was none
    proxy::outcome outcome = proxy::outcome::aborted;
    std::optional<errc> error;
    microseconds queue{0};       // until its upstream connection was there, over all attempts; a session's opening too
    microseconds upstream{0};    // from there to the head of the origin's answer, over all attempts
    microseconds approval{0};    // until a permission was decided
    std::uint64_t bytes_up = 0;  // to the origin, heads and attempts that were made again too
    std::uint64_t bytes_down = 0;  // from it
    std::string session_id;        // empty: none
    std::string request_id;        // of the permission that was asked for last; empty: none
    bool escalated = false;
    bool connection_reused = false;  // to the origin, of the last attempt
    bool silent = false;             // a CONNECT that is intercepted, once it was answered

    void restart();  // for the next request; keeps memory
    void name_target(http::request_target const& target, http::authority const& to, http::scheme scheme_spoken);
    // The proxy answers itself.
    void fail(errc code) noexcept;
};

// The whole line, up to its end.
void describe(log::line& into, request_record const& r, std::chrono::microseconds duration);

}  // namespace jitproxy::proxy
