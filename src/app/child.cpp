#include "jitproxy/app/child.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <thread>

namespace jitproxy::app {
namespace {

constexpr int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGTSTP, SIGCONT, SIGWINCH, SIGCHLD};

std::vector<char*> pointers(std::vector<std::string> const& texts) {
    std::vector<char*> out;
    out.reserve(texts.size() + 1);
    for (auto const& text : texts) out.push_back(const_cast<char*>(text.c_str()));  // execvpe does not write to them
    out.push_back(nullptr);
    return out;
}

// What a key or a new window size sends goes to the whole foreground process group: the command has it already. A
// hang-up goes to the session's leader alone, which may be us.
bool has_it_already(int number, siginfo_t const& info) {
    return info.si_code == SI_KERNEL &&
           (number == SIGINT || number == SIGQUIT || number == SIGTSTP || number == SIGWINCH);
}

bool asks_to_end(int number) {
    return number == SIGINT || number == SIGTERM || number == SIGHUP || number == SIGQUIT;
}

}  // namespace

child_process::child_process() {
    ::signal(SIGCHLD, SIG_DFL);  // an inherited SIG_IGN would reap the command behind our back
    sigemptyset(&passed_on_);
    for (int const s : signals) sigaddset(&passed_on_, s);
    pthread_sigmask(SIG_BLOCK, &passed_on_, &before_);
}

child_process::~child_process() {
    if (!hold_) pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

std::optional<child_process::failure_to_start> child_process::start(std::vector<std::string> const& argv,
                                                                    std::vector<std::string> const& environment) {
    auto const fail = [](int code, std::string message) { return failure_to_start{code, std::move(message)}; };
    int report[2];  // closes by itself when the command's image runs; else it carries errno
    if (pipe2(report, O_CLOEXEC) != 0) return fail(exit_jitproxy_failed, std::strerror(errno));
    auto const args = pointers(argv);
    auto const env = pointers(environment);
    pid_ = fork();
    if (pid_ < 0) {
        int const e = errno;
        close(report[0]);
        close(report[1]);
        return fail(exit_jitproxy_failed, std::string("fork: ") + std::strerror(e));
    }
    if (pid_ == 0) {
        // Dispositions stay as they were inherited: what nohup ignores, the command ignores too.
        pthread_sigmask(SIG_SETMASK, &before_, nullptr);
        execvpe(args[0], args.data(), env.data());
        int const e = errno;
        [[maybe_unused]] auto const written = write(report[1], &e, sizeof e);
        _exit(exit_cannot_execute);
    }
    close(report[1]);
    int e = 0;
    ssize_t got = 0;
    do {
        got = read(report[0], &e, sizeof e);
    } while (got < 0 && errno == EINTR);
    close(report[0]);
    if (got != sizeof e) return std::nullopt;
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
    return fail(e == ENOENT || e == ENOTDIR ? exit_not_found : exit_cannot_execute,
                argv[0] + ": " + (e == ENOENT ? "command not found" : std::strerror(e)));
}

std::optional<int> child_process::reap() {
    int status = 0;
    while (true) {
        auto const got = waitpid(pid_, &status, WNOHANG | WUNTRACED);
        if (got < 0 && errno == EINTR) continue;
        if (got == 0) return std::nullopt;
        if (got < 0) return exit_jitproxy_failed;
        if (WIFEXITED(status)) return WEXITSTATUS(status);
        if (WIFSIGNALED(status)) return 128 + WTERMSIG(status);
        // Stopped. Where a shell does job control it must see us stop too, and `fg` wakes both.
        if (tcgetpgrp(STDIN_FILENO) >= 0) {
            raise(SIGSTOP);
            kill(pid_, SIGCONT);
        }
    }
}

int child_process::wait() {
    while (true) {
        if (auto const code = reap()) return *code;
        siginfo_t info{};
        int const s = sigwaitinfo(&passed_on_, &info);
        if (s < 0 || s == SIGCHLD || has_it_already(s, info)) continue;
        kill(pid_, s);
    }
}

bool child_process::finish(std::function<void()> work, std::function<void()> const& on_signal) {
    auto const done = std::make_shared<std::atomic<bool>>(false);
    std::thread worker([work = std::move(work), done, waiting = pthread_self()] {
        work();
        *done = true;
        pthread_kill(waiting, SIGCHLD);
    });
    bool told = false;
    while (!*done) {
        int const s = sigwaitinfo(&passed_on_, nullptr);
        if (s == SIGTSTP) raise(SIGSTOP);
        if (!asks_to_end(s) || *done) continue;
        if (told) {
            worker.detach();
            return false;
        }
        told = true;
        on_signal();
    }
    worker.join();
    return true;
}

}  // namespace jitproxy::app
