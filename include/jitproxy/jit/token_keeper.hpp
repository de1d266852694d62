// The agent's token (or a session's delegated one): fetched once for all who wait, and again before it runs out.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "jitproxy/base/clock.hpp"
#include "jitproxy/jit/backoff.hpp"
#include "jitproxy/jit/ports.hpp"
#include "jitproxy/jit/timers.hpp"

namespace jitproxy::jit {

// How long a token lives: an answer without (or with a senseless) expires_in counts as five minutes.
[[nodiscard]] seconds life_of(access_token const& token) noexcept;
// How much of its life is not used: `expiry_margin`, but at most a tenth.
[[nodiscard]] milliseconds unused_end(seconds life, seconds expiry_margin) noexcept;

struct bearer {
    secret_ptr token;
    std::uint64_t generation = 0;  // grows with each token; 0: there was none
};

// What to do when; no I/O. Each event answers what the driver has to do now; wake_at() says when to call woke().
class token_machine {
  public:
    enum class state : std::uint8_t {
        none,      // nobody has asked yet
        fetching,  // no usable token, and one is on its way
        live,      // a usable token is at hand (it may be renewed meanwhile)
        failed,    // no usable token, and the last attempt failed
    };
    struct action {
        bool fetch = false;    // ask for a token
        bool answer = false;   // tell all who wait what current() says
        bool changed = false;  // there is a new token
    };

    explicit token_machine(seconds expiry_margin) : margin_(expiry_margin) {}

    action wanted(steady_time now);
    // The token of this generation is dead. Ignored where a newer one is there, and where the last such news is only
    // seconds old: an API that refuses every token must not make us fetch one for each request.
    action refused(std::uint64_t generation, steady_time now);
    action fetched(access_token token, steady_time now);
    action fetch_failed(error what, steady_time now);
    action woke(steady_time now);
    // What it failed for may have been mended: asks now. Where a fetch is under way it began before that, so that its
    // failure is nobody's answer, unless the AS wants to be left alone for a while.
    action mended(steady_time now);

    [[nodiscard]] result<bearer> current(steady_time now) const;
    [[nodiscard]] state current_state(steady_time now) const noexcept;
    [[nodiscard]] std::optional<steady_time> wake_at() const noexcept { return wake_at_; }
    [[nodiscard]] std::optional<error> const& last_error() const noexcept { return last_error_; }

  private:
    [[nodiscard]] bool usable(steady_time now) const noexcept { return token_ && now < usable_until_; }
    action fetch();

    seconds margin_;
    secret_ptr token_;
    std::uint64_t generation_ = 0;
    steady_time usable_until_;
    bool fetching_ = false;
    bool mended_meanwhile_ = false;
    std::optional<error> last_error_;
    steady_time not_before_;     // after a failure nobody makes us ask earlier
    steady_time believe_after_;  // when a refusal is believed again
    std::optional<steady_time> wake_at_;
    backoff pauses_{seconds(1), seconds(60)};
};

class token_keeper {
  public:
    using fetch_function = std::function<void(callback<access_token>)>;
    using jitter_function = std::function<milliseconds(milliseconds)>;
    // `changed` is called when there is a new token, before those who wait are told. `jitter`:
    // task_manager_options::jitter.
    token_keeper(scheduler& clock, seconds expiry_margin, fetch_function fetch, std::function<void()> changed,
                 jitter_function jitter = {});
    ~token_keeper();
    token_keeper(token_keeper const&) = delete;
    token_keeper& operator=(token_keeper const&) = delete;

    void get(callback<bearer> done);
    // `refused_generation` was refused: answers a newer token, fetched if need be; or the same one (see above).
    void renew(std::uint64_t refused_generation, callback<bearer> done);
    void mended();  // after a failure: does not wait for the next attempt

    [[nodiscard]] bearer current() const;  // empty where there is no usable one
    [[nodiscard]] token_machine::state state() const;
    [[nodiscard]] std::optional<wall_time> expires_at() const;
    [[nodiscard]] std::string last_error() const;

  private:
    void perform(token_machine::action what);
    void answer_waiting();

    scheduler& clock_;
    fetch_function fetch_;
    std::function<void()> changed_;
    jitter_function jitter_;
    token_machine machine_;
    std::vector<callback<bearer>> waiting_;
    std::optional<wall_time> expires_at_;
    timer timer_;
    outbox outbox_;
    std::shared_ptr<token_keeper*> self_;
};

}  // namespace jitproxy::jit
