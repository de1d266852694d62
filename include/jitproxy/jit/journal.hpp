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

// What can be written. Those of a task outlive a power cut before they are confirmed. Those of a permission outlive the
// process: what a permission opens at the AS ends with its task, which is there to be completed by then.
namespace records {
struct task_opening {
    std::string session_id;
    wall_time at;
};
struct task_opened {
    std::string session_id;
    task opened;
};
struct task_closed {  // confirmed by the AS, or never came to be
    std::string session_id;
};
struct permission_asking {
    std::string session_id;
    std::string need;
    wall_time at;
};
struct permission_settled {
    std::string session_id;
    std::string need;
    std::string request_id;
    std::string outcome;
    wall_time at;
};
}  // namespace records
using journal_record = std::variant<records::task_opening, records::task_opened, records::task_closed,
                                    records::permission_asking, records::permission_settled>;

struct open_task {
    std::string session_id;
    std::string task_id;  // empty: its creation was asked for and never answered
    wall_time opened_at;
    std::optional<wall_time> expires_at;
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
