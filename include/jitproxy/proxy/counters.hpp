// What the data path has counted, summed over the workers: for /metrics, status and tests.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "jitproxy/base/error.hpp"
#include "jitproxy/base/histogram.hpp"

namespace jitproxy::proxy {

// How a request ended. A small fixed set: it is a label of metrics.
enum class outcome : std::uint8_t {
    served,    // the origin's answer went to the client, and nothing was missing
    granted,   // the same, after a permission was given
    denied,    // the API's 403 went to the client: the permission that it named was denied
    pending,   // nobody had decided when the time to wait was over
    expired,   // nobody decided before the request expired
    refused,   // local policy does not let it be asked for
    error,     // it could not be asked for
    rejected,  // answered by the proxy: the client's request or this proxy's policy is why
    failed,    // answered by the proxy or broken off: the origin, the authorization server or the proxy itself is why
    aborted,   // the client left before the end, or its session or the proxy was closing
    tunneled,  // CONNECT to an unprotected host; stays the last one
};
constexpr std::size_t outcome_count = static_cast<std::size_t>(outcome::tunneled) + 1;
[[nodiscard]] std::string_view to_string(outcome o) noexcept;

// What came of asking for a permission; a request may ask more than once.
enum class escalation : std::uint8_t {
    granted,    // now
    reused,     // granted, by a grant that was there already
    denied,     // as outcome has them, from here
    pending,    //
    expired,    //
    refused,    //
    error,      //
    abandoned,  // the client left meanwhile; stays the last one
};
constexpr std::size_t escalation_count = static_cast<std::size_t>(escalation::abandoned) + 1;
[[nodiscard]] std::string_view to_string(escalation e) noexcept;

// Upper bounds of the histograms' buckets, in seconds.
inline constexpr std::array request_bounds{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                           0.5,   1.0,    2.5,   5.0,  10.0,  30.0, 60.0};
inline constexpr std::array approval_bounds{0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0};

constexpr std::string_view no_api = "-";  // in place of an API's name

struct api_counters {
    std::array<std::uint64_t, outcome_count> requests{};
    distribution duration{request_bounds};  // of requests but tunnels and switched protocols
};

struct counters {
    std::uint64_t connections = 0, open_connections = 0, tunnels = 0, escalations = 0, errors = 0, users_denied = 0;
    std::uint64_t upstream_connects = 0, upstream_failures = 0, upstream_reuses = 0;
    std::uint64_t upstream_idle = 0, upstream_busy = 0;  // connections to origins now: in the pool, in use
    std::uint64_t bytes_up = 0, bytes_down = 0;          // to and from origins, heads too; counted when a request ends
    std::uint64_t leaf_hits = 0, leaf_misses = 0, leaf_size = 0;  // the cache of minted certificates
    std::map<std::string, api_counters, std::less<>> apis;        // by name; no_api among them
    std::array<std::uint64_t, escalation_count> escalation_results{};
    distribution approval_wait{approval_bounds};
    std::map<errc, std::uint64_t> error_codes;  // none that is 0
};

}  // namespace jitproxy::proxy
