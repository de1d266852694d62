// The life of one session (one task at the AS) as a machine without I/O. Its driver (src/jit/sessions) fetches bearers,
// writes the journal, calls the AS and keeps the timers.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "jitproxy/jit/backoff.hpp"
#include "jitproxy/jit/ports.hpp"

namespace jitproxy::jit {

class session_machine {
  public:
    enum class state : std::uint8_t {
        idle,         // nothing has happened
        authorizing,  // waits for the bearer that the task is created with
        noting,       // the journal writes that a task is about to be made
        creating,     // POST /jit/task is on its way
        recording,    // the task exists; its id goes into the journal
        open,         // requests are served
        draining,     // closed for requests; those in flight end, and its children are closed first
        completing,   // POST …/complete is on its way
        retrying,     // not confirmed yet; a pause before it is tried again
        completed,    // the AS has confirmed
        failed,       // never came to be
    };

    // ---- events
    struct start {};
    struct resume_open {};  // it was open in an earlier life of the process, and its task lives
    struct authorized {
        result<void> outcome;
    };
    struct noted {
        result<void> outcome;
    };
    struct created {
        result<task> answer;
    };
    struct recorded {
        result<void> outcome;
    };
    struct close {};    // somebody, the idle timer or the AS (a dead task) wants it closed
    struct drained {};  // no child and no request is left
    struct completion_answered {
        result<completion> answer;
    };
    struct timer_fired {};
    using event = std::variant<start, resume_open, authorized, noted, created, recorded, close, drained,
                               completion_answered, timer_fired>;

    // ---- actions
    struct nothing {};
    struct get_bearer {};
    struct note {};    // into the journal: a task is about to be made
    struct create {};  // at the AS
    struct record {    // into the journal
        task opened;
    };
    struct announce {};  // open: publish, tell who opened it
    enum class journal_entry : std::uint8_t {
        none,    // there is none
        forget,  // the AS has certainly not made a task
        keep,    // it may have: cannot be known
    };
    struct give_up {
        error what;
        journal_entry entry = journal_entry::none;
    };
    struct wind_down {                 // stop serving, drop grants, end permission requests, close children
        std::optional<error> opening;  // what those who wait for the opening are told
    };
    struct complete {};
    struct pause {
        milliseconds delay;
    };
    struct finish {};  // confirmed: journal, withdraw, tell who closed it
    struct broken {    // an event that this state does not expect; nothing has changed
        std::string what;
    };
    using action = std::variant<nothing, get_bearer, note, create, record, announce, give_up, wind_down, complete,
                                pause, finish, broken>;

    [[nodiscard]] action resume(event const& e);
    [[nodiscard]] state current() const noexcept { return state_; }

  private:
    action on(start const& e);
    action on(resume_open const& e);
    action on(authorized const& e);
    action on(noted const& e);
    action on(created const& e);
    action on(recorded const& e);
    action on(close const& e);
    action on(drained const& e);
    action on(completion_answered const& e);
    action on(timer_fired const& e);
    action fail(error what, journal_entry entry);
    action illegal(char const* what) const;

    state state_ = state::idle;
    bool close_wanted_ = false;  // while it is being opened
    backoff pauses_{std::chrono::seconds(1), std::chrono::seconds(60)};
};

}  // namespace jitproxy::jit
