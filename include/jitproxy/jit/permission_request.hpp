// One permission (one authorization_details object in one session) from the asking to the token, as a machine without
// I/O. Its driver (src/jit/permissions) writes the journal, calls the AS and keeps the one timer.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "jitproxy/base/clock.hpp"
#include "jitproxy/jit/backoff.hpp"
#include "jitproxy/jit/permission.hpp"
#include "jitproxy/jit/ports.hpp"

namespace jitproxy::jit {

struct permission_timing {
    milliseconds poll_first{500};
    milliseconds poll_longest{5000};
    // After an unclear answer, where the AS does not show its pending list: how long the same is not asked for again.
    milliseconds unclear_memory{10'000};
};

class permission_request {
  public:
    enum class state : std::uint8_t {
        idle,            // nothing was asked for yet
        recording,       // the journal writes that it is about to be asked for
        asking,          // POST /jit/request is on its way
        ask_later,       // the AS asked us to slow down; it is asked again
        look_later,      // no clear answer to the asking: a pause, then a look at what is pending
        looking,         // GET /jit/pending is on its way: is it there?
        in_doubt,        // could not be found out; a later attempt goes on from here
        pending,         // waits for a human; pause between two polls
        polling,         // a poll is on its way
        exchanging,      // approved; the token is being fetched
        exchange_later,  // approved; a short pause after the AS could not be reached
        approved,        // approved; the token could not be fetched so far, a later attempt tries again
        settled,         // it is over: granted, denied, expired or failed
    };

    // ---- events
    struct start {};  // somebody needs it (also: again, in `approved` and `in_doubt`)
    struct resumed {  // asked for in an earlier life of the process, and not decided then
        request_state known;
    };
    struct recorded {  // with an error: the AS must not be told
        result<void> outcome;
    };
    struct asked {
        result<request_state> answer;
    };
    struct looked {  // the pending request for the same, which is none of another entry's; nullopt: there is none
        result<std::optional<request_state>> answer;
    };
    struct polled {
        result<request_state> answer;
    };
    struct learned {  // the decision came another way (approved or denied through the control API)
        request_state known;
    };
    struct exchanged {
        result<access_token> answer;
    };
    struct timer_fired {};
    struct close {              // the session is closing
        std::string suspended;  // why, where the AS has suspended it
    };
    using event = std::variant<start, resumed, recorded, asked, looked, polled, learned, exchanged, timer_fired, close>;

    // ---- actions
    struct nothing {};
    struct record {};  // into the journal: it is about to be asked for
    struct ask {};     // POST /jit/request
    struct look {};    // GET /jit/pending
    struct poll {      // ask for the status; give up at the timer
        milliseconds deadline;
    };
    struct exchange {};
    struct pause {  // set the timer; a call still in flight is forgotten
        milliseconds delay;
    };
    struct fail_for_now {  // tell who waits; the approval, or the doubt, is kept for a later attempt
        permission_outcome outcome;
    };
    struct settle {  // tell who waits, once and for all
        permission_outcome outcome;
        std::optional<access_token> token;  // granted only; outcome.token and grant_id are the ledger's to fill in
    };
    struct broken {  // an event that this state does not expect; nothing has changed
        std::string what;
    };
    using action = std::variant<nothing, record, ask, look, poll, exchange, pause, fail_for_now, settle, broken>;

    explicit permission_request(permission_timing timing)
        : timing_(timing), poll_pauses_(timing.poll_first, timing.poll_longest, 150) {}

    [[nodiscard]] action resume(event const& e, wall_time now);

    [[nodiscard]] state current() const noexcept { return state_; }
    [[nodiscard]] bool settled() const noexcept { return state_ == state::settled; }
    // start{} makes it go on: nothing is under way.
    [[nodiscard]] bool startable() const noexcept;
    // It has been asked for, and somebody else's time passes: a human's, or that of an AS in trouble.
    [[nodiscard]] bool waits() const noexcept;
    // What the AS has said so far.
    [[nodiscard]] request_state const& known() const noexcept { return known_; }
    // Seconds after which a client had better look again.
    [[nodiscard]] int retry_after() const noexcept;
    // For request_info: pending, approved, granted, denied, expired or error.
    [[nodiscard]] std::string_view status() const noexcept;

  private:
    action on(start const& e, wall_time now);
    action on(resumed const& e, wall_time now);
    action on(recorded const& e, wall_time now);
    action on(asked const& e, wall_time now);
    action on(looked const& e, wall_time now);
    action on(polled const& e, wall_time now);
    action on(learned const& e, wall_time now);
    action on(exchanged const& e, wall_time now);
    action on(timer_fired const& e, wall_time now);
    action on(close const& e, wall_time now);

    void learn(request_state const& news, wall_time now);
    action follow(wall_time now, std::optional<seconds> retry_after);  // does what known_.status calls for
    action pause_for(milliseconds delay, wall_time now);
    action fetch_token();
    action ask_again();
    action doubt(error const& what, wall_time now);
    action doubtful(wall_time now);
    action doubted(wall_time now);
    action end(permission_status status, std::string const& reason);
    action end(error const& what);
    action illegal(char const* what) const;

    permission_timing timing_;
    state state_ = state::idle;
    permission_status outcome_ = permission_status::pending;  // of `settled`
    request_state known_;
    wall_time give_up_at_;  // expires_at, or our own longest patience
    backoff poll_pauses_;
    backoff exchange_pauses_{std::chrono::seconds(1), std::chrono::seconds(8)};
    backoff look_pauses_{milliseconds(500), std::chrono::seconds(4)};
    unsigned asks_ = 0;
    unsigned looks_ = 0;             // that told nothing
    unsigned absent_ = 0;            // that found nothing, since it was asked last
    error unclear_;                  // the answer that left us in doubt
    bool list_closed_ = false;       // the AS does not show what is pending
    wall_time ask_again_at_;         // and then not before
    bool exchange_unclear_ = false;  // a token may have been made, and its answer lost
    unsigned exchanges_ = 0;
};

}  // namespace jitproxy::jit
