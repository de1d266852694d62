#include "jitproxy/store/journal.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <functional>

#include "catch.hpp"
#include "directory.hpp"
#include "jitproxy/store/database.hpp"
#include "schema_1.hpp"

using namespace jitproxy;
using std::chrono::minutes;
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
        REQUIRE(j->write(records::task_closed{"ses_2", "never came to be"}).has_value());
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
        REQUIRE(j->write(records::task_closed{"ses_2", "never came to be"}).has_value());
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
    constexpr char literal[] = "t'\"; DROP TABLE tasks; --\0ü任";
    std::string const odd(literal, sizeof(literal));
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
    CHECK(look(d, "PRAGMA user_version") == "3");
}

TEST_CASE("a journal of the first schema is brought up to date, and nothing in it is lost") {
    test::directory d;
    std::ofstream(d.file("journal.db")).close();
    {
        auto db = store::database::open(d.file("journal.db"));
        REQUIRE(db.has_value());
        REQUIRE(db->execute(test::schema_1).has_value());
    }
    {
        auto const j = opened(d.path());
        auto const open = left(*j);
        REQUIRE(open.size() == 2);
        CHECK(open[0].session_id == "ses_open");
        CHECK(open[0].task_id == "tsk_1");
        CHECK(open[0].expires_at == std::optional{at(900)});
        CHECK(open[0].about.owner.empty());
        CHECK_FALSE(open[0].closing);
        CHECK(open[0].pending.empty());
        CHECK(open[1].session_id == "ses_opening");
        CHECK(look(d, "PRAGMA user_version") == "3");
        CHECK(look(d, "SELECT count(*) FROM transitions") == "2");
        CHECK(look(d, "SELECT request_id || outcome FROM permissions WHERE id = 2") == "req_1granted");
        CHECK(j->write(records::permission_settled{"ses_open", "https://a:443 {}", "req_2", "granted", at(600), "",
                                                   "grt_1", at(700)})
                  .has_value());
        CHECK(j->write(records::task_closed{"ses_open", "restart"}).has_value());
    }
    CHECK(left(*opened(d.path())).size() == 1);
    CHECK(look(d, "SELECT reason FROM tasks WHERE session_id = 'ses_open'") == "restart");
    CHECK(look(d, "SELECT dropped_why FROM grants") == "session closed");
}

TEST_CASE("what a session is taken up again with comes back as it was written") {
    test::directory d;
    {
        auto const j = opened(d.path());
        for (auto const* id : {"ses_1", "ses_2"}) {
            jit::session_facts about{"agt_2", "name", "hand", 0, "ses_parent", "why", minutes(7), "hash"};
            REQUIRE(j->write(records::task_opening{id, at(1), about}).has_value());
            REQUIRE(j->write(records::task_opened{id, {std::string("tsk_") + id, {}}}).has_value());
        }
        for (auto const* need : {"o {1}", "o {2}", "o {3}"})
            REQUIRE(j->write(records::permission_asking{"ses_1", need, at(2), "acme", "because"}).has_value());
        for (auto const* need : {"o {1}", "o {2}"}) {
            jit::open_permission p{need, "acme", "because", at(2), "req_1", "/status", "high", at(900)};
            REQUIRE(j->write(records::permission_pending{"ses_1", p}).has_value());
        }
        REQUIRE(j->write(records::permission_settled{"ses_1", "o {2}", "req_2", "denied", at(5), "no"}).has_value());
        REQUIRE(j->write(records::session_closing{"ses_2", "idle"}).has_value());
        CHECK(j->write(records::permission_pending{"ses_1", {"never asked", "", "", at(2), "r", "", "", {}}})
                  .error()
                  .code == errc::internal);
    }
    auto const j = opened(d.path());
    auto const open = left(*j);
    REQUIRE(open.size() == 2);
    auto const& a = open[0].about;
    CHECK(a.name == "name");
    CHECK(a.owner == "hand");
    CHECK(a.parent_session_id == "ses_parent");
    CHECK(a.justification == "why");
    CHECK(a.idle_timeout == minutes(7));
    CHECK(a.secret_hash == "hash");
    CHECK_FALSE(open[0].closing);
    CHECK(open[1].closing);
    REQUIRE(open[0].pending.size() == 1);
    auto const& p = open[0].pending[0];
    CHECK(p.need == "o {1}");
    CHECK(p.api == "acme");
    CHECK(p.justification == "because");
    CHECK(p.asked_at == at(2));
    CHECK(p.request_id == "req_1");
    CHECK(p.status_url == "/status");
    CHECK(p.risk_level == "high");
    CHECK(p.expires_at == std::optional{at(900)});
    // Taken up again: what was asked for and never answered is lost with the life before.
    REQUIRE(j->write(records::session_resumed{"ses_1"}).has_value());
    CHECK(look(d, "SELECT group_concat(need || outcome) FROM permissions WHERE state = 'settled'") ==
          "o {2}denied,o {3}lost");
}

TEST_CASE("grants are kept with request, expiry and end, and without their tokens") {
    test::directory d;
    auto const j = opened(d.path());
    REQUIRE(j->write(records::task_opening{"ses_1", at(1)}).has_value());
    int n = 0;
    for (auto const* need : {"a", "b", "a"}) {
        auto const serial = std::to_string(++n);
        REQUIRE(j->write(records::permission_asking{"ses_1", need, at(2)}).has_value());
        REQUIRE(j->write(records::permission_settled{"ses_1", need, "req_" + serial, "granted", at(3), "",
                                                     "grt_" + serial, at(300)})
                    .has_value());
    }
    REQUIRE(j->write(records::grant_dropped{"ses_1", "grt_2", "the API refused its token"}).has_value());
    CHECK(look(d, "SELECT group_concat(grant_id || ' ' || request_id || ' ' || dropped_why, ', ') FROM grants") ==
          "grt_1 req_1 replaced, grt_2 req_2 the API refused its token, grt_3 req_3 ");
    REQUIRE(j->write(records::session_closing{"ses_1", "closed"}).has_value());
    CHECK(look(d, "SELECT dropped_why FROM grants WHERE grant_id = 'grt_3'") == "session closed");
    CHECK(look(d, "SELECT expires_at FROM grants WHERE grant_id = 'grt_3'") == "1750000300000");
}

TEST_CASE("one record that contradicts the journal does not touch those beside it") {
    test::directory d;
    auto const j = opened(d.path());
    auto const outcomes = j->write_all({records::task_opening{"ses_1", at(1)}, records::task_opened{"ses_9", {"t", {}}},
                                        records::task_opening{"ses_2", at(2)}});
    REQUIRE(outcomes.size() == 3);
    CHECK(outcomes[0].has_value());
    CHECK(outcomes[1].error().code == errc::internal);
    CHECK(outcomes[2].has_value());
    CHECK(left(*j).size() == 2);
}
