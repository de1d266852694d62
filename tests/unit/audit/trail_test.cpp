#include "jitproxy/audit/trail.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include "catch.hpp"
#include "trail_file.hpp"

using namespace jitproxy;
using test::trail_file;

namespace {

json::object parsed(std::string const& line) {
    return json::parse(line).as_object();
}

// No file of this process may grow beyond `bytes`, as on a full disk.
class full_disk {
  public:
    explicit full_disk(rlim_t bytes) {
        std::signal(SIGXFSZ, SIG_IGN);
        getrlimit(RLIMIT_FSIZE, &before_);
        rlimit const now{bytes, before_.rlim_max};
        setrlimit(RLIMIT_FSIZE, &now);
    }
    ~full_disk() { setrlimit(RLIMIT_FSIZE, &before_); }
    full_disk(full_disk const&) = delete;
    full_disk& operator=(full_disk const&) = delete;

  private:
    rlimit before_{};
};

mode_t mode_of(std::filesystem::path const& file) {
    struct stat info {};
    REQUIRE(lstat(file.c_str(), &info) == 0);
    return info.st_mode & 07777;
}

}  // namespace

TEST_CASE("a line says what, when, who, and what went before") {
    trail_file t;
    auto writer = t.writer();
    REQUIRE(writer.append({"session.opened",
                           "ses_1",
                           {{"kind", "peer"}, {"uid", 1000}},
                           {{"task_id", "tsk_1"}, {"agent", "default"}, {"name", "n"}}}));
    REQUIRE(writer.append({"daemon.stopped", "", {{"kind", "daemon"}}, {}}));
    auto const lines = t.lines();
    REQUIRE(lines.size() == 2);
    CHECK(
        lines[0] ==
        R"({"seq":1,"time":"2026-05-04T10:00:00.250Z","event":"session.opened","session_id":"ses_1","task_id":"tsk_1",)"
        R"("agent":"default","actor":{"kind":"peer","uid":1000},"data":{"name":"n"},"prev":")" +
            std::string(64, '0') + "\"}");
    CHECK(lines[1] ==
          R"({"seq":2,"time":"2026-05-04T10:00:00.250Z","event":"daemon.stopped","actor":{"kind":"daemon"},"data":{},)"
          R"("prev":")" +
              audit::hash_of(lines[0]) + "\"}");
    CHECK(mode_of(t.file) == 0600);
    CHECK(mode_of(audit::head_file(t.file)) == 0600);
}

TEST_CASE("a line is JSON whatever the text in it") {
    trail_file t;
    auto writer = t.writer();
    REQUIRE(writer.append({"e", "", {}, {{"reason", "bad \xff UTF-8, a \"quote\" and\na line"}}}));
    auto const lines = t.lines();
    REQUIRE(lines.size() == 1);
    CHECK(parsed(lines[0]).at("data").at("reason") == "bad \xef\xbf\xbd UTF-8, a \"quote\" and\na line");
    CHECK(t.verify().good());
}

TEST_CASE("data without measure is left out, and says so") {
    trail_file t;
    auto writer = t.writer();
    REQUIRE(writer.append({"e", "ses_1", {}, {{"details", std::string(audit::longest_line, 'x')}}}));
    REQUIRE(writer.append({"e", "ses_1", {}, {}}));
    CHECK(parsed(t.lines()[0]).at("data").as_object().contains("omitted_bytes"));
    CHECK(t.verify().good());
}

TEST_CASE("a later writer goes on where the one before stopped") {
    trail_file t;
    t.write(2);
    t.write(3);
    auto const v = t.verify();
    CHECK(v.good());
    CHECK(v.last.seq == 5);
}

TEST_CASE("two writers of one file make one chain") {
    trail_file t;
    auto a = t.writer();
    auto b = t.writer();
    for (int i = 0; i != 5; ++i) {
        REQUIRE(a.append({"a", "", {}, {}}));
        REQUIRE(b.append({"b", "", {}, {}}));
    }
    CHECK(t.verify().good());
    CHECK(t.verify().lines == 10);
}

TEST_CASE("a renamed file is left alone, and the next carries the chain on") {
    trail_file t;
    auto writer = t.writer();
    REQUIRE(writer.append({"one", "", {}, {}}));
    t.rename("audit.jsonl.1");
    SECTION("by the same writer") {}
    SECTION("by the next start") {
        writer = t.writer();
    }
    REQUIRE(writer.append({"two", "", {}, {}}));
    CHECK(t.lines("audit.jsonl.1").size() == 1);
    REQUIRE(t.lines().size() == 1);
    CHECK(parsed(t.lines()[0]).at("seq") == 2);
    auto const v = t.verify();
    CHECK(v.good());
    CHECK(v.lines == 2);
}

TEST_CASE("a file that was copied and truncated goes on with the chain") {
    trail_file t;
    t.write(2);
    std::filesystem::copy_file(t.file, t.place.file("audit.jsonl.1"));
    t.replace("");
    t.write(1);
    CHECK(t.verify().good());
    CHECK(t.verify().last.seq == 3);
}

TEST_CASE("a lost head is found again in the file") {
    trail_file t;
    t.write(3);
    std::filesystem::remove(audit::head_file(t.file));
    t.write(1);
    CHECK(t.verify().good());
    CHECK(t.verify().last.seq == 4);
}

TEST_CASE("a head that is behind, as a crash leaves it, catches up") {
    trail_file t;
    t.write(1);
    auto const behind = t.text("audit.jsonl.head");
    t.write(1);
    t.replace(behind, "audit.jsonl.head");
    t.write(1);
    CHECK(t.verify().good());
    CHECK(t.verify().last.seq == 3);
}

TEST_CASE("a head that is behind catches up with a file that was renamed before the next line") {
    trail_file t;
    t.write(1);
    auto const behind = t.text("audit.jsonl.head");
    t.write(1);
    t.replace(behind, "audit.jsonl.head");
    t.rename("audit.jsonl-20260504");
    t.write(1);
    auto const v = t.verify();
    CHECK(v.good());
    CHECK(v.lines == 3);
    CHECK(v.last.seq == 3);
}

TEST_CASE("an unfinished line is marked, and the chain goes on") {
    trail_file t;
    t.write(2);
    auto const whole = t.text();
    std::string const piece = R"({"seq":3,"time":"2026-)";
    t.replace(whole + piece);
    SECTION("head known") {}
    SECTION("head lost") {
        std::filesystem::remove(audit::head_file(t.file));
    }
    t.write(1);
    auto const lines = t.lines();
    REQUIRE(lines.size() == 5);
    CHECK(lines[2] == piece);
    CHECK(parsed(lines[3]).at("event") == "audit.torn");
    CHECK(parsed(lines[3]).at("seq") == 3);
    auto const v = t.verify();
    CHECK(v.good());
    CHECK(v.torn == 1);
    CHECK(v.lines == 4);
}

TEST_CASE("what a full disk took is told when there is room again") {
    trail_file t;
    t.write(1);
    auto writer = t.writer();
    auto const before = t.text();
    {
        full_disk const none_left(before.size() + 20);  // a line begins to fit
        auto const failed = writer.append({"lost", "", {}, {}});
        REQUIRE(failed.has_error());
        CHECK(failed.error().code == errc::storage);
        CHECK(failed.error().detail.find(t.file.string()) != std::string::npos);
        CHECK(writer.append({"lost too", "", {}, {}}).has_error());
        CHECK(writer.ready().has_error());
        CHECK(writer.failing());
    }
    CHECK(t.text() == before);  // no piece of a line stays
    CHECK(writer.failures() == 2);
    SECTION("by whoever asks whether lines can be written") {
        CHECK(writer.ready());
    }
    SECTION("by the next line") {
        CHECK(writer.append({"kept", "", {}, {}}));
    }
    CHECK_FALSE(writer.failing());
    auto const told = parsed(t.lines()[1]);
    CHECK(told.at("event") == "audit.lost");
    CHECK(told.at("data").at("entries") == 2);
    CHECK(t.verify().good());
    CHECK(writer.failures() == 2);
}

TEST_CASE("whether a line can be written is known before the first that cannot") {
    trail_file t;
    auto writer = t.writer();
    CHECK(writer.ready());
    CHECK(t.text().empty());
    REQUIRE(writer.append({"one", "", {}, {}}));
    CHECK(writer.ready());
    CHECK_FALSE(writer.failing());
    t.rename("kept");
    std::filesystem::create_directory(t.file);
    auto const refused = writer.ready();
    REQUIRE(refused.has_error());
    CHECK(refused.error().code == errc::storage);
    CHECK(writer.failing());
    CHECK(writer.failures() == 0);  // nothing was to be written
    std::filesystem::remove(t.file);
    std::filesystem::rename(t.place.file("kept"), t.file);
    CHECK(writer.ready());
    CHECK_FALSE(writer.failing());
    CHECK(t.lines().size() == 1);
}

TEST_CASE("what is no regular file is not written to") {
    trail_file t;
    SECTION("a link") {
        std::filesystem::create_symlink("/dev/null", t.file);
    }
    SECTION("a pipe") {
        REQUIRE(mkfifo(t.file.c_str(), 0600) == 0);
    }
    SECTION("a directory that is missing") {
        t.file = t.place.file("none") / "audit.jsonl";
    }
    auto writer = t.writer();
    auto const done = writer.append({"e", "", {}, {}});
    REQUIRE(done.has_error());
    CHECK(done.error().code == errc::storage);
}

TEST_CASE("a lock that another process keeps is not waited for without end") {
    trail_file t;
    t.write(1);
    int const held = open(audit::head_file(t.file).c_str(), O_RDWR | O_CLOEXEC);
    REQUIRE(flock(held, LOCK_EX) == 0);
    auto writer = t.writer();
    CHECK(writer.append({"e", "", {}, {}}).has_error());
    close(held);
    CHECK(writer.append({"e", "", {}, {}}));
    CHECK(t.verify().lines == 3);  // one of them tells of the loss
}
