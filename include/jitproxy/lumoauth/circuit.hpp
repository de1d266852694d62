// The circuit breaker over the authorization server: after repeated failure it is left alone for a while, so that
// callers get an answer at once in place of a timeout. It heals by itself: when the pause is over one call is let
// through, and what becomes of that one decides for all. No clock and no I/O; used on one thread.
#pragma once
#include <cstdint>
#include <optional>

#include "jitproxy/base/clock.hpp"

namespace jitproxy::lumoauth {

class circuit {
  public:
    struct limits {
        unsigned failures = 5;  // with no success between them; 0: it never opens
        seconds window{60};     // from the first of them to the last
        seconds first_pause{2};
        seconds longest_pause{30};  // each pause is twice the one before
    };
    enum class change : std::uint8_t {
        none,
        opened,
        closed,
    };

    explicit circuit(limits l) : limits_(l), pause_(l.first_pause) {}

    // nullopt: the call may be made, and its outcome must be told. Else the time that is left, rounded up.
    [[nodiscard]] std::optional<seconds> refuses(steady_time now);
    change succeeded() noexcept;
    // `wanted`: Retry-After; the pause is at least that, within the longest.
    change failed(steady_time now, seconds wanted);
    // The call ended before the server could show how it is.
    void undecided() noexcept { trying_ = false; }

    [[nodiscard]] bool open() const noexcept { return open_; }

  private:
    limits limits_;
    unsigned failures_ = 0;  // in a row
    steady_time first_failure_;
    bool open_ = false;
    bool trying_ = false;  // one call is under way that decides
    steady_time until_;
    seconds pause_;
};

}  // namespace jitproxy::lumoauth
