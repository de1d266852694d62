// A command run in our place: signals passed on, job control kept, its status ours.
#pragma once
#include <sys/types.h>

#include <csignal>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "jitproxy/base/error.hpp"

namespace jitproxy::app {

// Exit codes of env(1) and container tools.
inline constexpr int exit_jitproxy_failed = 125;
inline constexpr int exit_cannot_execute = 126;
inline constexpr int exit_not_found = 127;

class child_process {
  public:
    struct failure_to_start {
        int exit_code;
        std::string message;
    };

    // Blocks the signals that are passed on, so that none is lost between here and wait(). The caller must be
    // single-threaded, or its other threads must have them blocked too.
    child_process();
    ~child_process();
    child_process(child_process const&) = delete;
    child_process& operator=(child_process const&) = delete;

    // argv[0] is looked up in PATH. Returns once the command's image runs, or with the reason why it does not.
    [[nodiscard]] std::optional<failure_to_start> start(std::vector<std::string> const& argv,
                                                        std::vector<std::string> const& environment);
    // Until the command ends. Its exit status, or 128 + n where signal n killed it.
    [[nodiscard]] int wait();
    // What is left to do when the command has ended, on a thread of its own, for it may take long. The first signal
    // that asks us to end calls `on_signal`. A second one leaves `work` where it is: false, and the caller has to end
    // the process at once.
    [[nodiscard]] bool finish(std::function<void()> work, std::function<void()> const& on_signal);
    // The signals stay blocked for good: the process is about to end with the command's status, and none of them is to
    // change that.
    void hold_signals() noexcept { hold_ = true; }
    [[nodiscard]] pid_t pid() const noexcept { return pid_; }

  private:
    [[nodiscard]] std::optional<int> reap();  // exit code, if it ended
    pid_t pid_ = -1;
    sigset_t passed_on_{};
    sigset_t before_{};
    bool hold_ = false;
};

}  // namespace jitproxy::app
