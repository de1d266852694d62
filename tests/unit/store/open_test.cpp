// How the journal behaves towards the file system and towards others who want the same directory.
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "catch.hpp"
#include "directory.hpp"
#include "jitproxy/store/database.hpp"
#include "jitproxy/store/journal.hpp"
#include "schema_1.hpp"

using namespace jitproxy;
using store::sqlite_journal;
namespace records = jit::records;

namespace {

unsigned mode_of(std::filesystem::path const& file) {
    struct stat about {};
    REQUIRE(::stat(file.c_str(), &about) == 0);
    return about.st_mode & 07777;
}

std::string bytes_of(std::filesystem::path const& file) {
    std::ifstream in{file, std::ios::binary};
    std::ostringstream all;
    all << in.rdbuf();
    return all.str();
}

void write(std::filesystem::path const& file, std::string const& bytes) {
    std::ofstream{file, std::ios::binary | std::ios::trunc} << bytes;
}

// Opens, expects a refusal, answers its detail.
std::string refused(std::filesystem::path const& directory, errc why = errc::storage) {
    auto const j = sqlite_journal::open(directory);
    REQUIRE(j.has_error());
    CHECK(j.error().code == why);
    return j.error().detail;
}

bool contains(std::string const& text, std::string const& part) {
    return text.find(part) != std::string::npos;
}

void change(test::directory const& d, char const* sql) {
    auto db = store::database::open(d.file("journal.db"));
    REQUIRE(db.has_value());
    REQUIRE(db->execute(sql).has_value());
}

}  // namespace

TEST_CASE("every file is for its owner alone, whatever the umask") {
    test::directory d;
    auto const before = ::umask(0);
    auto const j = sqlite_journal::open(d.path() / "state" / "jitproxy");
    ::umask(before);
    REQUIRE(j.has_value());
    REQUIRE((*j)->write(records::task_opening{"ses_1", wall_time{}}).has_value());
    auto const at = d.path() / "state" / "jitproxy";
    CHECK(mode_of(at) == 0700);
    for (auto const* name : {"journal.db", "journal.db-wal", "journal.db-shm", "journal.lock"}) {
        INFO(name);
        CHECK(mode_of(at / name) == 0600);
    }
}

TEST_CASE("a journal that others may read is closed to them again") {
    test::directory d;
    REQUIRE(sqlite_journal::open(d.path()).has_value());
    REQUIRE(::chmod(d.file("journal.db").c_str(), 0644) == 0);
    REQUIRE(sqlite_journal::open(d.path()).has_value());
    CHECK(mode_of(d.file("journal.db")) == 0600);
}

TEST_CASE("a second journal on the same directory is refused and told who holds it") {
    test::directory d;
    auto first = sqlite_journal::open(d.path());
    REQUIRE(first.has_value());
    auto const detail = refused(d.path(), errc::in_use);
    CHECK(contains(detail, "process " + std::to_string(::getpid())));
    CHECK(contains(detail, d.path().string()));

    SECTION("and let in once the first is gone") {
        first->reset();
        CHECK(sqlite_journal::open(d.path()).has_value());
    }
}

TEST_CASE("the holder's process id is told to another process, and a dead holder holds nothing") {
    test::directory d;
    int ready[2];
    int done[2];
    REQUIRE(::pipe(ready) == 0);
    REQUIRE(::pipe(done) == 0);
    auto const pid = ::fork();
    REQUIRE(pid >= 0);
    char byte = 0;
    if (pid == 0) {
        auto const j = sqlite_journal::open(d.path());
        ::close(done[1]);
        static_cast<void>(::write(ready[1], j ? "1" : "0", 1));
        static_cast<void>(::read(done[0], &byte, 1));
        ::_exit(0);
    }
    ::close(ready[1]);
    ::close(done[0]);
    REQUIRE(::read(ready[0], &byte, 1) == 1);
    CHECK(byte == '1');
    CHECK(contains(refused(d.path(), errc::in_use), "process " + std::to_string(pid) + ")"));
    ::close(done[1]);  // the child ends
    int status = 0;
    REQUIRE(::waitpid(pid, &status, 0) == pid);
    ::close(ready[0]);
    CHECK(sqlite_journal::open(d.path()).has_value());
}

TEST_CASE("examining tells how much is open, and changes nothing") {
    test::directory d;
    SECTION("in a file of today") {
        auto j = sqlite_journal::open(d.path());
        REQUIRE(j.has_value());
        REQUIRE((*j)->write(jit::records::task_opening{"ses_1", wall_time{}, {}}).has_value());
        auto const busy = sqlite_journal::examine(d.path());
        REQUIRE(busy.has_error());
        CHECK(busy.error().code == errc::in_use);
        j->reset();
        CHECK(sqlite_journal::examine(d.path()).value() == 1);
    }
    SECTION("in one of the first schema, which stays that") {
        std::ofstream(d.file("journal.db")).close();
        {
            auto db = store::database::open(d.file("journal.db"));
            REQUIRE(db.has_value());
            REQUIRE(db->execute(test::schema_1).has_value());
        }
        auto const before = bytes_of(d.file("journal.db"));
        CHECK(sqlite_journal::examine(d.path()).value() == 2);
        CHECK(bytes_of(d.file("journal.db")) == before);
    }
    SECTION("in one that is damaged") {
        write(d.file("journal.db"), "this is no database, but long enough to be looked at as one");
        auto const damaged = sqlite_journal::examine(d.path());
        REQUIRE(damaged.has_error());
        CHECK(damaged.error().code == errc::storage);
        CHECK(contains(damaged.error().detail, "move it away"));
    }
}

TEST_CASE("a newer schema is refused and left as it is") {
    test::directory d;
    REQUIRE(sqlite_journal::open(d.path()).has_value());
    change(d, "PRAGMA user_version = 4");
    auto const before = bytes_of(d.file("journal.db"));
    auto const detail = refused(d.path());
    CHECK(contains(detail, "newer jitproxy"));
    CHECK(contains(detail, "schema 4"));
    CHECK(bytes_of(d.file("journal.db")) == before);
}

TEST_CASE("another program's database is refused and left as it is") {
    test::directory d;
    write(d.file("journal.db"), "");
    change(d, "CREATE TABLE theirs (a); INSERT INTO theirs VALUES (1)");
    auto const before = bytes_of(d.file("journal.db"));
    CHECK(contains(refused(d.path()), "no journal of jitproxy"));
    CHECK(bytes_of(d.file("journal.db")) == before);
}

TEST_CASE("a file that is no database is refused, with how to mend it, and left as it is") {
    test::directory d;
    std::string const junk(8192, 'x');
    write(d.file("journal.db"), junk);
    auto const detail = refused(d.path());
    CHECK(contains(detail, "damaged"));
    CHECK(contains(detail, "move it away"));
    CHECK(bytes_of(d.file("journal.db")) == junk);
}

TEST_CASE("a journal with broken pages is refused and left as it is") {
    test::directory d;
    {
        auto const j = sqlite_journal::open(d.path());
        REQUIRE(j.has_value());
        for (int i = 0; i < 200; ++i)
            REQUIRE((*j)->write(records::task_opening{"ses_" + std::to_string(i), wall_time{}}).has_value());
    }
    auto bytes = bytes_of(d.file("journal.db"));
    REQUIRE(bytes.size() > 4 * 4096);
    for (std::size_t i = 4096; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 31);  // the first page stays
    write(d.file("journal.db"), bytes);
    CHECK(contains(refused(d.path()), "damaged"));
    CHECK(bytes_of(d.file("journal.db")) == bytes);
}

TEST_CASE("an empty file, as a crash before the first write leaves it, becomes a journal") {
    test::directory d;
    write(d.file("journal.db"), "");
    auto const j = sqlite_journal::open(d.path());
    REQUIRE(j.has_value());
    CHECK((*j)->write(records::task_opening{"ses_1", wall_time{}}).has_value());
}

TEST_CASE("what cannot be a state directory is refused with its name") {
    test::directory d;
    SECTION("a file") {
        write(d.file("state"), "text");
        CHECK(contains(refused(d.file("state")), d.file("state").string()));
        CHECK(bytes_of(d.file("state")) == "text");
    }
    SECTION("below a file") {
        write(d.file("state"), "text");
        CHECK(contains(refused(d.file("state") / "deeper"), "cannot create the state directory"));
    }
    SECTION("one where journal.db is a symbolic link") {
        write(d.file("elsewhere"), "text");
        std::filesystem::create_symlink(d.file("elsewhere"), d.file("journal.db"));
        CHECK(contains(refused(d.path()), "journal.db"));
        CHECK(bytes_of(d.file("elsewhere")) == "text");
    }
    SECTION("one where journal.db is a directory") {
        std::filesystem::create_directory(d.file("journal.db"));
        CHECK(contains(refused(d.path()), "journal.db"));
    }
}

TEST_CASE("a directory that may not be written is refused, with how to mend it") {
    test::directory d;
    SECTION("with a journal of somebody else's") {
        REQUIRE(sqlite_journal::open(d.path()).has_value());
    }
    SECTION("empty") {}
    REQUIRE(::chmod(d.path().c_str(), 0555) == 0);
    int out[2];
    REQUIRE(::pipe(out) == 0);
    auto const pid = ::fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {  // in a child, as root may write anywhere
        if (::geteuid() == 0 && (::setgroups(0, nullptr) != 0 || ::setgid(65534) != 0 || ::setuid(65534) != 0)) {
            ::_exit(9);
        }
        auto const j = sqlite_journal::open(d.path());
        if (j) ::_exit(8);
        auto const& detail = j.error().detail;
        static_cast<void>(::write(out[1], detail.data(), detail.size()));
        ::_exit(j.error().code == errc::storage ? 0 : 7);
    }
    ::close(out[1]);
    char text[1024];
    auto const n = ::read(out[0], text, sizeof text);
    ::close(out[0]);
    int status = 0;
    REQUIRE(::waitpid(pid, &status, 0) == pid);
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    std::string const detail{text, n > 0 ? static_cast<std::size_t>(n) : 0};
    CHECK(contains(detail, d.path().string()));
    CHECK(contains(detail, "must be writable"));
}

TEST_CASE("a change that cannot be written is refused, and leaves what was there") {
    test::directory d;
    auto const pid = ::fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {  // in a child, as the limit cannot be taken back
        auto const j = sqlite_journal::open(d.path());
        if (!j || !(*j)->write(records::task_opening{"ses_1", wall_time{}}) ||
            !(*j)->write(records::task_opened{"ses_1", {"tsk_1", {}}}))
            ::_exit(9);
        ::signal(SIGXFSZ, SIG_IGN);
        auto const size = std::filesystem::file_size(d.file("journal.db-wal"));
        rlimit const full{size, size};
        if (::setrlimit(RLIMIT_FSIZE, &full) != 0) ::_exit(8);
        auto const r = (*j)->write(records::task_opening{"ses_2", wall_time{}});
        if (r.has_value()) ::_exit(7);
        if (r.error().code != errc::storage || !contains(r.error().detail, "journal.db")) ::_exit(6);
        auto const open = (*j)->left_open();
        ::_exit(open && open->size() == 1 && open->front().task_id == "tsk_1" ? 0 : 5);
    }
    int status = 0;
    REQUIRE(::waitpid(pid, &status, 0) == pid);
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    auto const j = sqlite_journal::open(d.path());
    REQUIRE(j.has_value());
    auto const open = (*j)->left_open();
    REQUIRE(open.has_value());
    REQUIRE(open->size() == 1);
    CHECK(open->front().task_id == "tsk_1");
}

TEST_CASE("a trailing slash names the same directory") {
    test::directory d;
    auto const j = sqlite_journal::open(d.path().string() + "/");
    REQUIRE(j.has_value());
    CHECK(std::filesystem::exists(d.file("journal.db")));
    CHECK(contains(refused(d.path(), errc::in_use), "another jitproxy"));
}
