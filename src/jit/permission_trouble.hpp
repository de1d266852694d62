// What a failed call of a permission request means for it. For the sources of that machine.
#pragma once
#include <chrono>

#include "jitproxy/base/error.hpp"

namespace jitproxy::jit {

// Nothing waits without a deadline, also where the AS does not name one.
inline constexpr auto longest_patience = std::chrono::hours(1);
inline constexpr unsigned most_asks = 3;
inline constexpr int longest_rate_pause = 10;  // seconds; a client is not kept waiting longer for a rate limit

// The call may succeed later.
inline bool passes(errc code) noexcept {
    return code == errc::as_unreachable || code == errc::as_unclear || code == errc::as_down ||
           code == errc::as_rate_limited;
}

// It says nothing about a request that the AS has: neither that it is gone nor that it is decided. A bearer that is
// refused is the session's trouble.
inline bool keeps_request(errc code) noexcept {
    return passes(code) || code == errc::as_malformed || code == errc::as_unauthorized;
}

// The AS may have done it all the same.
inline bool may_be_done(errc code) noexcept {
    return code == errc::as_unclear || code == errc::as_malformed;
}

}  // namespace jitproxy::jit
