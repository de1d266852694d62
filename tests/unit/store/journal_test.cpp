#include "jitproxy/store/journal.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "catch.hpp"
#include "directory.hpp"
#include "jitproxy/store/database.hpp"

using namespace jitproxy;
using store::sqlite_journal;
namespace records = jit::records;

namespace {

wall_time at(int s) {
    return wall_time{seconds{1'750'000'000 + s}};
}

std::unique_ptr<sqlite_journal> opened(std::filesystem::path const& directory) {
    auto j = sqlite_journal::open(directory, [] { return at(500); });
    INFO((j ? "" : j.error().detail));
    REQUIRE(j.has_value());
    return std::move(*j);
}

std::vector<jit::open_task> left(sqlite_journal const& j) {
    auto open = j.left_open();
    REQUIRE(open.has_value());
    return *open;
}

// Looks into the file from beside.
std::string look(test::directory const& d, std::string const& sql) {
    auto db = store::database::open(d.file("journal.db"));
    REQUIRE(db.has_value());
    auto const text = db->read_text(sql);
    INFO((text ? "" : text.error().detail));
    REQUIRE(text.has_value());
    return *text;
}

// Runs `work`, which has to end the process, in a child. Answers its wait status.
int in_child(std::function<void()> const& work) {
    auto const pid = ::fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        work();
        ::_exit(1);
    }
    int status = 0;
    REQUIRE(::waitpid(pid, &status, 0) == pid);
    return status;
}

}  // namespace

TEST_CASE("a new journal has nothing left open") {
    test::directory d;
    CHECK(left(*opened(d.path())).empty());
}

TEST_CASE("what was opened and not closed is left open, in the order it was opened") {
    test::directory d;
    auto const j = opened(d.path());
    CHECK(j->write(records::task_opening{"ses_b", at(2)}).has_value());
    CHECK(j->write(records::task_opening{"ses_a", at(1)}).has_value());
    CHECK(j->write(records::task_opening{"ses_c", at(3)}).has_value());
    CHECK(j->write(records::task_opened{"ses_a", {"task/1", at(900)}}).has_value());
    CHECK(j->write(records::task_opened{"ses_c", {"task 3", std::nullopt}}).has_value());
    CHECK(j->write(records::task_closed{"ses_c"}).has_value());

    auto const open = left(*j);
    REQUIRE(open.size() == 2);
    CHECK(open[0].session_id == "ses_a");
    CHECK(open[0].task_id == "task/1");
    CHECK(open[0].opened_at == at(1));
    CHECK(open[0].expires_at == std::optional{at(900)});
    CHECK(open[1].session_id == "ses_b");
    CHECK(open[1].task_id.empty());  // asked for and never answered
    CHECK_FALSE(open[1].expires_at.has_value());
}

TEST_CASE("closing and opening again keeps what is open") {
    test::directory d;
    {
        auto const j = opened(d.path());
        REQUIRE(j->write(records::task_opening{"ses_1", at(1)}).has_value());
        REQUIRE(j->write(records::task_opened{"ses_1", {"tsk_1", at(600)}}).has_value());
        REQUIRE(j->write(records::task_opening{"ses_2", at(2)}).has_value());
        REQUIRE(j->write(records::task_closed{"ses_2"}).has_value());
    }
    auto const open = left(*opened(d.path()));
    REQUIRE(open.size() == 1);
    CHECK(open[0].task_id == "tsk_1");
    CHECK(open[0].expires_at == std::optional{at(600)});
}

TEST_CASE("a process that is killed right after a call leaves that call's change behind") {
    test::directory d;
    auto const status = in_child([&] {
        auto j = sqlite_journal::open(d.path());
        if (!j || !(*j)->write(records::task_opening{"ses_1", at(1)}) ||
            !(*j)->write(records::task_opened{"ses_1", {"tsk_1", {}}}) ||
            !(*j)->write(records::task_opening{"ses_2", at(2)}) ||
            !(*j)->write(records::permission_asking{"ses_1", "{}", at(3)})) {
            ::_exit(7);
        }
        ::kill(::getpid(), SIGKILL);  // while the journal is open
    });
    REQUIRE(WIFSIGNALED(status));
    REQUIRE(WTERMSIG(status) == SIGKILL);
    REQUIRE(std::filesystem::file_size(d.file("journal.db-wal")) > 0);  // not yet in the main file: must be recovered

    auto const open = left(*opened(d.path()));
    REQUIRE(open.size() == 2);
    CHECK(open[0].session_id == "ses_1");
    CHECK(open[0].task_id == "tsk_1");
    CHECK(open[1].session_id == "ses_2");
    CHECK(open[1].task_id.empty());
}

TEST_CASE("calls that contradict what the journal knows are refused and change nothing") {
    test::directory d;
    auto const j = opened(d.path());
    REQUIRE(j->write(records::task_opening{"ses_1", at(1)}).has_value());
    REQUIRE(j->write(records::task_opened{"ses_1", {"tsk_1", {}}}).has_value());

    CHECK(j->write(records::task_opening{"ses_1", at(9)}).error().code == errc::internal);
    CHECK(j->write(records::task_opened{"ses_1", {"tsk_2", {}}}).error().code == errc::internal);
    CHECK(j->write(records::task_opened{"ses_never", {"tsk_3", {}}}).error().code == errc::internal);
    CHECK(j->write(records::task_opened{"ses_1", {"", {}}}).error().code == errc::internal);
    CHECK(j->write(records::task_opening{"", at(1)}).error().code == errc::internal);
    CHECK(j->write(records::permission_settled{"ses_1", "{}", "req_1", "granted", at(2)}).error().code ==
          errc::internal);

    auto const open = left(*j);
    REQUIRE(open.size() == 1);
    CHECK(open[0].task_id == "tsk_1");
    CHECK(open[0].opened_at == at(1));
}

TEST_CASE("saying the same twice is no contradiction") {
    test::directory d;
    auto const j = opened(d.path());
    CHECK(j->write(records::task_opening{"ses_1", at(1)}).has_value());
    CHECK(j->write(records::task_opening{"ses_1", at(2)}).has_value());  // tried again before an answer came
    CHECK(j->write(records::task_opened{"ses_1", {"tsk_1", {}}}).has_value());
    CHECK(j->write(records::task_opened{"ses_1", {"tsk_1", {}}}).has_value());
    REQUIRE(left(*j).size() == 1);
    CHECK(left(*j)[0].opened_at == at(2));
    CHECK(j->write(records::task_closed{"ses_1"}).has_value());
    CHECK(j->write(records::task_closed{"ses_1"}).has_value());
    CHECK(j->write(records::task_closed{"ses_never"}).has_value());
    CHECK(left(*j).empty());
    CHECK(j->write(records::task_opening{"ses_1", at(3)}).has_value());  // a name may come back once it is closed
    REQUIRE(left(*j).size() == 1);
    CHECK(left(*j)[0].task_id.empty());
}

TEST_CASE("permissions and every change of state are kept with time and reason") {
    test::directory d;
    {
        auto const j = opened(d.path());
        REQUIRE(j->write(records::task_opening{"ses_1", at(1)}).has_value());
        REQUIRE(j->write(records::task_opened{"ses_1", {"tsk_1", {}}}).has_value());
        REQUIRE(j->write(records::permission_asking{"ses_1", R"({"type":"a"})", at(2)}).has_value());
        REQUIRE(j->write(records::permission_asking{"ses_1", R"({"type":"b"})", at(3)}).has_value());
        REQUIRE(
            j->write(records::permission_settled{"ses_1", R"({"type":"a"})", "req_1", "denied", at(4)}).has_value());
        REQUIRE(j->write(records::permission_asking{"ses_1", R"({"type":"a"})", at(5)}).has_value());  // once more
        REQUIRE(
            j->write(records::permission_settled{"ses_1", R"({"type":"a"})", "req_2", "granted", at(6)}).has_value());
        REQUIRE(j->write(records::task_closed{"ses_1"}).has_value());
        REQUIRE(j->write(records::task_opening{"ses_2", at(7)}).has_value());
        REQUIRE(j->write(records::task_closed{"ses_2"}).has_value());
    }
    CHECK(look(d,
               "SELECT group_concat(line, ' | ') FROM (SELECT need || ' ' || request_id || ' ' || outcome AS line "
               "FROM permissions ORDER BY id)") ==
          R"({"type":"a"} req_1 denied | {"type":"b"}  closed | {"type":"a"} req_2 granted)");
    CHECK(look(d,
               "SELECT group_concat(state || coalesce(permission, '') || ':' || reason, ' ') FROM (SELECT * FROM "
               "transitions WHERE session_id = 'ses_1' ORDER BY id)") ==
          "opening: open:tsk_1 asking1: asking2: settled1:denied asking3: settled3:granted closed:");
    CHECK(look(d, "SELECT reason FROM transitions WHERE session_id = 'ses_2' AND state = 'closed'") ==
          "never came to be");
    CHECK(look(d, "SELECT at FROM transitions WHERE state = 'settled' ORDER BY id LIMIT 1") == "1750000004000");
    CHECK(look(d, "SELECT at FROM transitions WHERE state = 'closed' LIMIT 1") == "1750000500000");
}

TEST_CASE("text with quotes, zero bytes and other scripts comes back as it was") {
    test::directory d;
    auto const j = opened(d.path());
    std::string const odd{"t'\"; DROP TABLE tasks; --\0ü任", 32};
    REQUIRE(j->write(records::task_opening{"ses_1", at(1)}).has_value());
    REQUIRE(j->write(records::task_opened{"ses_1", {odd, {}}}).has_value());
    CHECK(left(*j).at(0).task_id == odd);
}

TEST_CASE("what was closed more than a month ago is forgotten at the next start, what is open never") {
    test::directory d;
    {
        auto const j = opened(d.path());
        for (auto const* id : {"ses_old", "ses_open"}) {
            REQUIRE(j->write(records::task_opening{id, at(1)}).has_value());
            REQUIRE(j->write(records::permission_asking{id, "{}", at(1)}).has_value());
        }
        REQUIRE(j->write(records::task_closed{"ses_old"}).has_value());
    }
    auto const month_later = at(500) + std::chrono::hours{30 * 24} + seconds{1};
    auto const later = sqlite_journal::open(d.path(), [&] { return month_later; });
    REQUIRE(later.has_value());
    CHECK(left(**later).size() == 1);
    for (auto const* table : {"tasks", "permissions", "transitions"}) {
        INFO(table);
        CHECK(look(d, std::string{"SELECT group_concat(DISTINCT session_id) FROM "} + table) == "ses_open");
    }
}

TEST_CASE("settings that durability rests on") {
    test::directory d;
    auto const j = opened(d.path());
    CHECK(look(d, "PRAGMA journal_mode") == "wal");
    CHECK(look(d, "PRAGMA user_version") == "1");
}
