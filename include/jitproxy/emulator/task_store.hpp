// Tasks and permission requests: who owns them, what state they are in, what dies with them.
// Pure: the clock is injected, and time works only when settle() is called.
#pragma once
#include <boost/system/result.hpp>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "jitproxy/emulator/risk.hpp"
#include "jitproxy/emulator/token_store.hpp"

namespace jitproxy::emulator {

enum class task_status : std::uint8_t {
    active,     // requests may be made
    completed,  // closed by the agent; failed and cancelled end here too, by `outcome`
    suspended,  // closed by the AS: too many denials
    expired,    // its time ran out
};
[[nodiscard]] std::string_view name_of(task_status s) noexcept;

enum class request_status : std::uint8_t {
    pending,   // waits for a human
    approved,  // may be exchanged, once
    denied,    // a human, or the rules, said no
    expired,   // nobody decided in time
};
[[nodiscard]] std::string_view name_of(request_status s) noexcept;

struct task_event {
    std::string type;
    std::string details;
    wall_time at{};
};

struct task {
    std::string id;
    std::string caep_session_id;
    std::string agent;
    std::string name;
    std::string type;
    std::string parent;
    std::string on_behalf_of;
    task_status status = task_status::active;
    std::string outcome;  // completed, failed or cancelled, when closed by the agent
    int denials = 0;
    wall_time created_at{};
    wall_time expires_at{};
    std::optional<wall_time> completed_at;
    std::vector<task_event> events;
};

struct permission {
    std::string id;
    std::string task;
    std::string agent;
    json::object details;
    std::string justification;
    std::string callback_url;
    seconds requested_ttl{};
    seconds granted_ttl{};
    risk_level risk = risk_level::low;
    request_status status = request_status::pending;
    wall_time created_at{};
    wall_time expires_at{};  // pending: decided until then; approved: exchanged until then
    std::string decided_by;
    std::string reason;
    int exchanges = 0;
    std::string token;  // the value issued last
};

// Why something is refused, as the AS words it.
struct refusal {
    unsigned status = 400;
    std::string code;
    std::string message;
};
template <class T>
using outcome = boost::system::result<T, refusal>;

// Who or what decides when rules alone would not.
enum class decision_mode : std::uint8_t {
    rules,    // low and medium at once, the rest waits
    approve,  // everything at once
    deny,     // nothing
    pending,  // everything waits
};

struct task_settings {
    seconds task_ttl{3600};
    seconds request_expiry{300};
    std::optional<seconds> grant_ttl;   // caps what is granted
    std::optional<seconds> auto_after;  // a stand-in human decides a pending request after that
    bool auto_approves = true;
    int denials_that_suspend = 3;
};
inline constexpr seconds max_grant_ttl{900};

class task_store {
  public:
    task_store(wall_clock clock, token_store& tokens, task_settings settings);

    // Lets time work: expires tasks and requests, and lets the stand-in human decide.
    void settle();

    // Takes names from `t`; id, times and status are set here. Refuses an unknown, foreign or inactive parent.
    outcome<task const*> open(task t);
    [[nodiscard]] outcome<task const*> owned_task(std::string_view id, std::string_view agent) const;
    // Ends the task; all of its tokens die, its pending requests expire. Refuses what is ended already.
    outcome<task const*> complete(std::string_view id, std::string_view agent, std::string_view how = "completed");
    void suspend(std::string_view id, std::string why);

    // Takes task, agent, details, justification, callback_url and requested_ttl from `p`.
    outcome<permission const*> ask(permission p, decision_mode mode);
    [[nodiscard]] outcome<permission const*> owned_request(std::string_view id, std::string_view agent) const;
    enum class second_exchange : std::uint8_t { refused, same_token, new_token };
    outcome<token const*> exchange(std::string_view id, std::string_view agent, second_exchange second);
    outcome<permission const*> approve(std::string_view id, std::string by, std::optional<seconds> ttl,
                                       std::string notes);
    outcome<permission const*> deny(std::string_view id, std::string by, std::string reason);

    [[nodiscard]] task const* find_task(std::string_view id) const;
    [[nodiscard]] permission const* find_request(std::string_view id) const;
    [[nodiscard]] std::map<std::string, task, std::less<>> const& tasks() const noexcept { return tasks_; }
    [[nodiscard]] std::vector<permission> const& requests() const noexcept { return requests_; }
    void clear();

  private:
    task* task_named(std::string_view id);
    permission* request_named(std::string_view id);
    void grant(permission& p, std::string by, std::optional<seconds> ttl);
    void refuse(permission& p, std::string by, std::string reason);
    void end(task& t, task_status status, wall_time at);

    wall_clock clock_;
    token_store& tokens_;
    task_settings settings_;
    std::map<std::string, task, std::less<>> tasks_;
    std::vector<permission> requests_;  // in the order they were made
};

}  // namespace jitproxy::emulator
