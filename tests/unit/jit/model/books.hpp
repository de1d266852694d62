// What the authorization server knows: the truth that the task manager is measured by.
#pragma once
#include <map>
#include <string>

#include "jitproxy/jit/ports.hpp"

namespace jitproxy::jit::model {

// Every secret of the model holds this, so that a text that holds a secret is known at once.
inline constexpr char const* secret_mark = "SECRET";

struct task_book {
    std::string name;    // of the session, as ordered
    std::string parent;  // its task
    agent_index agent = 0;
    bool open = true;
    std::string why_not;  // it is not open any more
    wall_time ends;
    int told_in = 0;  // the life of the process that heard its id; 0: none did
};
struct request_book {
    std::string task_id;
    std::string needs;   // canonical details
    std::string origin;  // as its justification names it
    std::string local_id;
    request_status status = request_status::pending;
    bool exchanged = false;
    wall_time ends;
    int told_in = 0;  // the life that heard its id in the answer to its asking, or took it up again
};
enum class token_kind : std::uint8_t { agent, delegated, scoped };
struct token_book {
    token_kind kind = token_kind::agent;
    agent_index agent = 0;
    std::string user;     // delegated: whose token it was made of
    std::string request;  // scoped: what was exchanged
    bool alive = true;
    wall_time ends;
    int told_in = 0;
    bool revoking = false;  // the manager has asked for its end
};
struct books {
    std::map<std::string, task_book> tasks;  // by id, as are the others
    std::map<std::string, request_book> requests;
    std::map<std::string, token_book> tokens;  // by value

    [[nodiscard]] std::string fresh(std::string const& prefix) { return prefix + std::to_string(++serial_); }

    // By the AS: every token of the task dies with it.
    void end_task(std::string const& task_id, std::string why) {
        auto const it = tasks.find(task_id);
        if (it == tasks.end() || !it->second.open) return;
        it->second.open = false;
        it->second.why_not = std::move(why);
        for (auto& [value, t] : tokens)
            if (t.kind == token_kind::scoped && requests.at(t.request).task_id == task_id) t.alive = false;
    }
    // What ends by itself.
    void pass_time(wall_time now) {
        for (auto const& [id, t] : tasks)
            if (t.open && now >= t.ends) end_task(id, "the task has expired");
        for (auto& [id, r] : requests)
            if (r.status == request_status::pending && now >= r.ends) r.status = request_status::expired;
        for (auto& [value, t] : tokens)
            if (now >= t.ends) t.alive = false;
    }
    [[nodiscard]] bool undecided(request_book const& r) const {
        return r.status == request_status::pending && tasks.at(r.task_id).open;
    }

  private:
    int serial_ = 100;  // ids of one length sort as they were made
};

}  // namespace jitproxy::jit::model
