#include "jitproxy/app/child.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>

#include "catch.hpp"
#include "directory.hpp"

using namespace jitproxy::app;

namespace {

std::vector<std::string> const plain{"PATH=/usr/local/bin:/usr/bin:/bin"};

int status_of(std::vector<std::string> const& argv) {
    child_process child;
    auto const failed = child.start(argv, plain);
    if (failed) return failed->exit_code;
    return child.wait();
}

}  // namespace

TEST_CASE("a command's status is ours") {
    CHECK(status_of({"true"}) == 0);
    CHECK(status_of({"false"}) == 1);
    CHECK(status_of({"sh", "-c", "exit 42"}) == 42);
    CHECK(status_of({"sh", "-c", "kill -9 $$"}) == 128 + SIGKILL);
    CHECK(status_of({"sh", "-c", "kill -TERM $$"}) == 128 + SIGTERM);
}

TEST_CASE("a command that does not start") {
    jitproxy::test::directory const dir;
    auto const data = (dir.path() / "data").string();
    std::ofstream(data) << "x";
    child_process child;
    auto const missing = child.start({"no-such-command-anywhere"}, plain);
    REQUIRE(missing);
    CHECK(missing->exit_code == 127);
    CHECK(missing->message == "no-such-command-anywhere: command not found");
    auto const forbidden = child.start({data}, plain);
    REQUIRE(forbidden);
    CHECK(forbidden->exit_code == 126);
    CHECK(forbidden->message.starts_with(data));
    auto const directory = child.start({dir.path().string()}, plain);
    REQUIRE(directory);
    CHECK(directory->exit_code == 126);
}

TEST_CASE("the command gets the environment that it was given, and its own arguments") {
    child_process child;
    REQUIRE_FALSE(
        child.start({"sh", "-c", "test \"$ONLY\" = 'a b' && test -z \"$HOME\" && test \"$1\" = '-x y'", "sh", "-x y"},
                    {"PATH=/usr/bin:/bin", "ONLY=a b"}));
    CHECK(child.wait() == 0);
}

TEST_CASE("signals are passed on, and none is lost that came before the command ran") {
    for (int const number : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2}) {
        INFO(number);
        jitproxy::test::directory const dir;
        auto const ready = (dir.path() / "ready").string();
        REQUIRE(mkfifo(ready.c_str(), 0600) == 0);
        child_process child;
        // Says that its trap is set by opening the pipe; then waits for the signal.
        auto const script =
            "trap 'exit 7' " + std::to_string(number) + "; : > '" + ready + "'; while :; do sleep 0.01; done";
        REQUIRE_FALSE(child.start({"sh", "-c", script}, plain));
        close(open(ready.c_str(), O_RDONLY));
        kill(getpid(), number);  // blocked here, taken up by wait()
        CHECK(child.wait() == 7);
    }
}

TEST_CASE("the signal mask is as it was, afterwards and in the command") {
    sigset_t before;
    pthread_sigmask(SIG_SETMASK, nullptr, &before);
    CHECK(status_of({"sh", "-c", "kill -TERM $$; exit 0"}) == 128 + SIGTERM);  // would be blocked otherwise
    sigset_t after;
    pthread_sigmask(SIG_SETMASK, nullptr, &after);
    for (int const number : {SIGTERM, SIGINT, SIGCHLD, SIGHUP})
        CHECK(sigismember(&before, number) == sigismember(&after, number));
}

TEST_CASE("what is left to do after the command: the first signal is answered, the second leaves it") {
    child_process child;
    REQUIRE_FALSE(child.start({"sh", "-c", "exit 5"}, plain));
    CHECK(child.wait() == 5);
    int told = 0;
    bool worked = false;
    CHECK(child.finish([&] { worked = true; }, [&] { ++told; }));
    CHECK(worked);
    CHECK(told == 0);

    std::promise<void> end;
    std::promise<void> ended;
    kill(getpid(), SIGWINCH);  // asks for nothing
    kill(getpid(), SIGTERM);
    bool const done = child.finish(
        [until = end.get_future().share(), &ended] {
            until.wait();
            ended.set_value();
        },
        [&] {
            ++told;
            kill(getpid(), SIGINT);
        });
    CHECK_FALSE(done);
    CHECK(told == 1);
    end.set_value();
    ended.get_future().wait();
}

TEST_CASE("signals that are held stay blocked") {
    sigset_t before;
    pthread_sigmask(SIG_SETMASK, nullptr, &before);
    {
        child_process child;
        child.hold_signals();
    }
    sigset_t after;
    pthread_sigmask(SIG_SETMASK, &before, &after);
    CHECK(sigismember(&after, SIGTERM) == 1);
}
