// A sequence of what clients, people, the authorization server, the disk and time do to the task manager, as data: made
// from a seed, printed as code, run again, made shorter. Every command can be run in every state: one that makes no
// sense there does nothing. Nothing is drawn while it runs.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace jitproxy::jit::model {

enum class verb : std::uint8_t {
    open,           // a: opening; b: the parent's slot; c: naming. Takes the next slot, whatever becomes of it
    ask,            // a: slot; b: need (0 to 2: A, B, C at the first origin; 3 to 5: at the second); c: asking
    give_up,        // a: the n-th caller that waits; its client is gone
    approve,        // a: the n-th request that the manager calls pending; by a human, through the manager
    deny,           // likewise
    decide,         // a: the n-th undecided request at the AS; b: 0 approved, 1 denied, 2 expired; at the AS itself
    hint,           // a: the n-th undecided request at the AS; somebody says that it is decided
    end_task,       // a: the n-th open task at the AS; b: 0 expires, 1 is suspended
    kill_bearers,   // a: 0 the agents', 1 the delegated ones; b: 0 of all agents, n: of the n-th; unknown to the AS
    process,        // a: the n-th call in flight; b: variant; the AS has done it, the answer is on its way
    answer,         // a: the n-th call in flight; b: fault; c: variant
    weather,        // a: the fault that calls meet which would have none, until it is changed
    close,          // a: slot
    traffic,        // a: slot; b: 1 requests of it are in flight in the workers, 0 none is
    refuse_bearer,  // a: slot; b: 0 the session's bearer, 1 a scoped token, 2 an old bearer; an API calls it dead
    write,          // a: records; the journal writes so many, 0: all
    disk,           // a: 1 full, 0 not
    advance,        // a: how long, see durations
    flow,           // a: variant; all that is asked for is written and answered, until nothing is under way
    crash,      // a: calls in flight 0 are lost, 1 are processed, 2 arrive later; b: records still written; c: resume
    shut_down,  // c: resume; once everything is closed the process ends and starts again
};
inline constexpr int verbs = 21;

enum class opening : std::uint8_t { hand, run, child, user, automatic, idle, child_for_user };
enum class naming : std::uint8_t { none, first, second, unknown };  // the agent that a session is for
enum class asking : std::uint8_t { waits, does_not_wait, two_at_once, grant_not_enough, waits_shortly };
enum class fault : std::uint8_t {
    none,
    unreachable,   // as_unreachable; nothing was done
    lost_answer,   // as_unclear; it was done
    lost_call,     // as_unclear; nothing was done
    late,          // as_unclear; it is done later
    slow_down,     // as_rate_limited, two seconds
    wait_long,     // as_rate_limited, half a minute
    down,          // as_down; was not asked
    garbled,       // as_malformed; it was done
    incomplete,    // done and answered, without the id or token that matters
    unauthorized,  // as_unauthorized: the bearer is dead
    rejected,      // as_rejected
};
inline constexpr int faults = 12;
// What the AS says where it has a choice. Tasks: 1 ends in a minute, 2 has ended by its own clock. Permissions: 0
// approved, 1 waits for a human, 2 denied, 3 waits for half a minute. Tokens: 1 live half a minute, 2 do not say how
// long. The pending list: 1 is not shown.
inline constexpr int variants = 4;
inline constexpr int durations[] = {10, 500, 1000, 2000, 5000, 15'000, 60'000, 300'000, 3'600'000};  // milliseconds

struct command {
    verb what{};
    int a = 0;
    int b = 0;
    int c = 0;
    friend bool operator==(command const&, command const&) = default;
};
using sequence = std::vector<command>;

[[nodiscard]] std::string_view name_of(verb v) noexcept;
[[nodiscard]] std::string_view name_of(fault f) noexcept;
// What it does, in words.
[[nodiscard]] std::string explain(command const& c);
// A line of code, with the words behind it.
[[nodiscard]] std::string print(command const& c);
// A call that can be pasted into a test.
[[nodiscard]] std::string print(sequence const& s);

// Without the commands from `begin` on and before `end`; the slots of sessions that are opened later move up.
[[nodiscard]] sequence without(sequence const& s, std::size_t begin, std::size_t end);

[[nodiscard]] sequence generate(std::uint64_t seed, std::size_t length);

}  // namespace jitproxy::jit::model
