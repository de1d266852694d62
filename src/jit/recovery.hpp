// What earlier lives of the process left open at the AS: completed now, or taken up again, or reported as uncertain.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core.hpp"
#include "jitproxy/jit/backoff.hpp"
#include "permissions.hpp"
#include "sessions.hpp"

namespace jitproxy::jit {

class recovery {
  public:
    recovery(core& c, session_table& sessions, permission_desk& desk) : core_(c), sessions_(sessions), desk_(desk) {}

    void start();
    // The AS may have made this task, and did not say so: nothing can be done but to wait for its end.
    void doubt(open_task t);
    [[nodiscard]] recovery_info info() const;

  private:
    struct job {
        explicit job(scheduler& clock) : retry(clock) {}
        open_task task;
        agent_index agent = 0;
        std::string why;  // it is not taken up again
        wall_time gives_up_at;
        backoff pauses{seconds(1), std::chrono::minutes(5)};
        timer retry;
    };
    using job_ptr = std::shared_ptr<job>;
    job_ptr make_job(open_task t, std::string why) const;
    void attempt(job_ptr const& j);
    void answered(job_ptr const& j, result<completion> const& answer);
    void done(job_ptr const& j, std::string const& how);
    void give_up(job_ptr const& j, std::string const& reason);
    void orphaned(open_task const& t);
    void watch(job_ptr const& j);                                         // a doubtful one, until its time is over
    [[nodiscard]] std::string why_not_resumed(open_task const& t) const;  // empty: it can be

    core& core_;
    session_table& sessions_;
    permission_desk& desk_;
    std::vector<job_ptr> jobs_;
    std::vector<job_ptr> doubtful_;
    std::map<std::string, std::uint64_t> results_{{"completed", 0}, {"already_complete", 0}, {"uncertain", 0}};
};

}  // namespace jitproxy::jit
