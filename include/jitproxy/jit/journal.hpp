// The journal: what is open at the AS, written before the AS is told. It never holds a token.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "jitproxy/base/clock.hpp"
#include "jitproxy/base/error.hpp"

namespace jitproxy::jit {

template <class T>
using callback = std::function<void(result<T>)>;

struct task {
    std::string task_id;
    std::optional<wall_time> expires_at;
};

// What a session is taken up again with after a restart, where that is wanted.
struct session_facts {
    std::string agent;  // its client id; empty in what was written when there was only one
    std::string name;
    std::string owner;   // "hand", "run", "automatic", or "user": acts for one, whose token is not kept
    long owner_pid = 0;  // of `run`
    std::string parent_session_id;
    std::string justification;
    milliseconds idle_timeout{0};
    std::string secret_hash;  // base/keyed_hash of the proxy password; empty: there is none
};
struct open_permission {  // waits for a human
    std::string need;     // origin, space, canonical details
    std::string api;
    std::string justification;
    wall_time asked_at;
    std::string request_id;
    std::string status_url;
    std::string risk_level;
    std::optional<wall_time> expires_at;
};

// What can be written, each a transition that is kept with its time and reason. Those of a task outlive a power cut
// before they are confirmed. Those of a permission outlive the process: what a permission opens at the AS ends with its
// task, which is there to be completed by then.
namespace records {
struct task_opening {
    std::string session_id;
    wall_time at;
    session_facts about;
};
struct task_opened {
    std::string session_id;
    task opened;
};
struct session_closing {  // it is not taken up again
    std::string session_id;
    std::string reason;
};
struct session_resumed {  // its tokens, and the questions without an answer, are lost with the life before
    std::string session_id;
};
struct task_closed {  // confirmed by the AS, never came to be, or given up
    std::string session_id;
    std::string reason;
};
struct permission_asking {
    std::string session_id;
    std::string need;
    wall_time at;
    std::string api;
    std::string justification;
};
struct permission_pending {
    std::string session_id;
    open_permission what;
};
struct permission_settled {
    std::string session_id;
    std::string need;
    std::string request_id;
    std::string outcome;
    wall_time at;
    std::string reason;
    std::string grant_id;  // granted only, as is the next
    std::optional<wall_time> grant_expires_at;
};
struct grant_dropped {  // before its time
    std::string session_id;
    std::string grant_id;
    std::string reason;
};
}  // namespace records
using journal_record = std::variant<records::task_opening, records::task_opened, records::session_closing,
                                    records::session_resumed, records::task_closed, records::permission_asking,
                                    records::permission_pending, records::permission_settled, records::grant_dropped>;

struct open_task {
    std::string session_id;
    std::string task_id;  // empty: its creation was asked for and never answered
    wall_time opened_at;
    std::optional<wall_time> expires_at;
    bool closing = false;
    session_facts about;
    std::vector<open_permission> pending;
};

class journal {
  public:
    virtual ~journal() = default;
    // Records are written, and answered, in the order in which they were given. An error means: do not go on. What was
    // given is written also where nobody waits for the answer any more.
    virtual void write(journal_record what, callback<void> done) = 0;
    // Of earlier lives. Waits for the file: for the start only.
    [[nodiscard]] virtual result<std::vector<open_task>> left_open() const = 0;
};

}  // namespace jitproxy::jit
