#include "jitproxy/base/stderr_sink.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>

#include "catch.hpp"

using namespace jitproxy;
using namespace std::chrono_literals;

namespace {

std::string lost_line(std::uint64_t lines) {
    return "lost " + std::to_string(lines);
}

struct test_pipe {
    static constexpr std::size_t size = 4096;  // the smallest there is

    test_pipe() {
        int ends[2];
        REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
        out = ends[0];
        in = ends[1];
        REQUIRE(::fcntl(in, F_SETPIPE_SZ, size) == size);
        REQUIRE(::fcntl(out, F_SETFL, O_NONBLOCK) == 0);
    }
    ~test_pipe() {
        close_reader();
        ::close(in);
    }
    void close_reader() {
        if (out >= 0) ::close(out);
        out = -1;
    }
    // As far as it has come.
    [[nodiscard]] std::string read() const {
        std::string all;
        char some[1024];
        for (ssize_t n = 0; (n = ::read(out, some, sizeof some)) > 0;) all.append(some, static_cast<std::size_t>(n));
        return all;
    }
    void fill() const { REQUIRE(::write(in, std::string(size, '.').data(), size) == size); }

    int in = -1;
    int out = -1;
};

}  // namespace

TEST_CASE("lines come as they were written") {
    test_pipe const pipe;
    log::stderr_sink sink(pipe.in, lost_line);
    sink.write("one");
    sink.write("");
    sink.write("three");
    CHECK(pipe.read() == "one\n\nthree\n");
}

TEST_CASE("what nobody reads is dropped, and said when somebody reads again") {
    test_pipe const pipe;
    pipe.fill();
    log::stderr_sink sink(pipe.in, lost_line, 1ms);
    for (int i = 0; i != 1000; ++i) sink.write("never seen");  // without an end where it waits
    CHECK(pipe.read() == std::string(test_pipe::size, '.'));
    sink.write("seen");
    sink.write("and the next");
    CHECK(pipe.read() == "lost 1000\nseen\nand the next\n");
}

TEST_CASE("a reader that stalls is waited for once, not a line each") {
    test_pipe const pipe;
    pipe.fill();
    log::stderr_sink sink(pipe.in, lost_line, 40ms);
    auto const begin = std::chrono::steady_clock::now();
    for (int i = 0; i != 1000; ++i) sink.write("x");
    auto const took = std::chrono::steady_clock::now() - begin;
    CHECK(took >= 40ms);
    CHECK(took < 20s);  // half of what a wait for each line would take
}

TEST_CASE("the rest of a line that was taken in part comes before the next") {
    test_pipe const pipe;
    log::stderr_sink sink(pipe.in, lost_line, 1ms);
    auto const longer = std::string(test_pipe::size, 'a') + "the rest";
    sink.write(longer);
    sink.write("dropped");
    sink.write("dropped too");
    CHECK(pipe.read() == std::string(test_pipe::size, 'a'));
    sink.write("next");
    CHECK(pipe.read() == "the rest\nlost 2\nnext\n");
}

TEST_CASE("the flags of a pipe that others write to stay as they are") {
    test_pipe const pipe;
    auto const before = ::fcntl(pipe.in, F_GETFL);
    {
        log::stderr_sink sink(pipe.in, lost_line);
        sink.write("x");
        CHECK(::fcntl(pipe.in, F_GETFL) == before);
    }
    CHECK(::fcntl(pipe.in, F_GETFL) == before);  // and it is still open
}

TEST_CASE("a reader that is gone and a descriptor that is closed lose lines and nothing else") {
    auto* const before = std::signal(SIGPIPE, SIG_IGN);
    test_pipe pipe;
    log::stderr_sink sink(pipe.in, lost_line);
    pipe.close_reader();
    for (int i = 0; i != 3; ++i) sink.write("x");
    log::stderr_sink closed(-1, lost_line);
    for (int i = 0; i != 3; ++i) closed.write("x");
    std::signal(SIGPIPE, before);
}

TEST_CASE("a socket, which nobody else can make non-blocking for us, holds nobody up either") {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    log::stderr_sink sink(ends[0], lost_line, 1ms);
    for (int i = 0; i != 1000; ++i) sink.write(std::string(1000, 'x'));
    CHECK(::fcntl(ends[0], F_GETFL) == O_RDWR);
    ::close(ends[0]);
    ::close(ends[1]);
}

TEST_CASE("a terminal whose other side is not read holds nobody up") {
    int const terminal = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    REQUIRE(terminal >= 0);
    REQUIRE((::grantpt(terminal) == 0 && ::unlockpt(terminal) == 0));
    char name[64];
    REQUIRE(::ptsname_r(terminal, name, sizeof name) == 0);
    int const side = ::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    REQUIRE(side >= 0);
    {
        log::stderr_sink sink(side, lost_line, 1ms);
        for (int i = 0; i != 1000; ++i) sink.write(std::string(1000, 'x'));  // far more than a terminal buffers
    }
    ::close(side);
    ::close(terminal);
}

TEST_CASE("a file gets everything") {
    char name[] = "/tmp/jitproxy-stderr-XXXXXX";
    int const file = ::mkostemp(name, O_CLOEXEC);
    REQUIRE(file >= 0);
    ::unlink(name);
    {
        log::stderr_sink sink(file, lost_line);
        for (int i = 0; i != 100; ++i) sink.write(std::string(9999, 'x'));
    }
    CHECK(::lseek(file, 0, SEEK_END) == 1'000'000);
    ::close(file);
}
