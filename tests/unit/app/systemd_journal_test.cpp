#include "jitproxy/app/systemd_journal.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

#include "catch.hpp"
#include "directory.hpp"

using namespace jitproxy;
using namespace jitproxy::app;

namespace {

// What systemd-journald is to a process that logs: a socket that takes datagrams.
class stand_in {
  public:
    explicit stand_in(std::string const& path) : path_(path) {
        sockaddr_un name{};
        name.sun_family = AF_UNIX;
        std::memcpy(name.sun_path, path.data(), path.size());
        REQUIRE(::bind(fd_, reinterpret_cast<sockaddr const*>(&name), sizeof name) == 0);
    }
    ~stand_in() {
        ::close(fd_);
        ::unlink(path_.c_str());
    }
    stand_in(stand_in const&) = delete;
    stand_in& operator=(stand_in const&) = delete;
    [[nodiscard]] std::string take() const {  // what has come; empty: nothing
        char bytes[4096];
        auto const n = ::recv(fd_, bytes, sizeof bytes, MSG_DONTWAIT);
        return n > 0 ? std::string(bytes, static_cast<std::size_t>(n)) : std::string();
    }

  private:
    std::string path_;
    int fd_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
};

// Stderr into a file, to see what falls back to it.
class stderr_file {
  public:
    explicit stderr_file(std::string const& path) : path_(path), old_(::dup(STDERR_FILENO)) {
        int const file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        REQUIRE(file >= 0);
        ::dup2(file, STDERR_FILENO);
        ::close(file);
    }
    ~stderr_file() {
        ::dup2(old_, STDERR_FILENO);
        ::close(old_);
    }
    stderr_file(stderr_file const&) = delete;
    stderr_file& operator=(stderr_file const&) = delete;
    [[nodiscard]] std::string text() const {
        std::ifstream in(path_);
        return {std::istreambuf_iterator<char>(in), {}};
    }

  private:
    std::string path_;
    int old_;
};

}  // namespace

TEST_CASE("what the journal does not take is a line on stderr, and it is found again") {
    test::directory const directory;
    auto const path = (directory.path() / "socket").string();
    open_systemd_journal(path);
    log::configure(log::level::info, log::format::journald);
    stderr_file const shown((directory.path() / "stderr").string());
    {
        stand_in const journal(path);
        log::info("one", {{"session", "s_1"}});
        CHECK(journal.take() ==
              "PRIORITY=6\nSYSLOG_IDENTIFIER=jitproxy\nJITPROXY_SESSION=s_1\nMESSAGE=one session=s_1\n");
        CHECK(shown.text().empty());
    }
    log::info("two", {{"session", "s_1"}});
    CHECK(shown.text().find(" info two session=s_1\n") != std::string::npos);
    stand_in const anew(path);
    log::info("three");
    CHECK(anew.take().find("MESSAGE=three\n") != std::string::npos);
    CHECK(shown.text().find("three") == std::string::npos);
    // A queue that is full holds nobody up.
    for (int i = 0; i < 10'000 && shown.text().find("filler") == std::string::npos; ++i) log::info("filler");
    CHECK(shown.text().find("filler") != std::string::npos);
    log::configure(log::level::info, log::format::text);
    log::set_journal(nullptr);
}

TEST_CASE("stderr goes to the journal where $JOURNAL_STREAM names what it is") {
    struct stat seen {};
    REQUIRE(::fstat(STDERR_FILENO, &seen) == 0);
    auto const device = std::to_string(seen.st_dev);
    auto const inode = std::to_string(seen.st_ino);
    CHECK(is_journal_stream(device + ":" + inode, STDERR_FILENO));
    for (auto const& other : {std::string(), device, device + ":" + inode + "1", inode + "x:" + device, device + ":"})
        CHECK_FALSE(is_journal_stream(other, STDERR_FILENO));
    CHECK_FALSE(is_journal_stream(device + ":" + inode, -1));

    ::setenv("JOURNAL_STREAM", (device + ":" + inode).c_str(), 1);
    CHECK(log_format("auto") == log::format::journald);
    CHECK(log_format("text") == log::format::text);
    CHECK(log_format("json") == log::format::json);
    ::setenv("JOURNAL_STREAM", "1:1", 1);
    CHECK(log_format("auto") == log::format::text);
    CHECK(log_format("journald") == log::format::journald);
    ::unsetenv("JOURNAL_STREAM");
    CHECK(log_format("auto") == log::format::text);
}
