#include "jitproxy/app/adoption.hpp"

#include <unistd.h>

#include "catch.hpp"
#include "directory.hpp"
#include "jitproxy/base/log.hpp"
#include "jitproxy/store/journal.hpp"

using namespace jitproxy;
using namespace jitproxy::app;
namespace fs = std::filesystem;
namespace records = jit::records;

namespace {

struct scratch : test::directory {
    scratch() { log::configure(log::level::off, log::format::text); }
};

std::unique_ptr<store::sqlite_journal> open(fs::path const& directory) {
    auto made = store::sqlite_journal::open(directory);
    REQUIRE(made.has_value());
    return std::move(*made);
}

wall_time const now = wall_time{} + std::chrono::hours{24 * 20'000};

}  // namespace

TEST_CASE("open tasks of runs that ended are taken over, and their directories removed") {
    scratch const dir;
    {
        auto const run = open(dir.path() / "runs/a");
        REQUIRE(run->write(records::task_opening{"ses_1", now}).has_value());
        REQUIRE(run->write(records::task_opened{"ses_1", {"task_1", now + seconds{60}}}).has_value());
        REQUIRE(run->write(records::task_opening{"ses_2", now}).has_value());  // killed before the answer
        REQUIRE(run->write(records::task_opening{"ses_3", now}).has_value());
        REQUIRE(run->write(records::task_opened{"ses_3", {"task_3", std::nullopt}}).has_value());
        REQUIRE(run->write(records::task_closed{"ses_3"}).has_value());
    }
    { auto const empty = open(dir.path() / "runs/b"); }
    auto const into = open(dir.path());
    CHECK(adopt_orphans(dir.path() / "runs", *into) == 2);
    CHECK(fs::is_empty(dir.path() / "runs"));
    auto const left = into->left_open();
    REQUIRE(left.has_value());
    REQUIRE(left->size() == 2);
    for (auto const& t : *left) {
        CHECK((t.session_id == "ses_1" || t.session_id == "ses_2"));
        CHECK(t.task_id == (t.session_id == "ses_1" ? "task_1" : ""));
    }
    CHECK(adopt_orphans(dir.path() / "runs", *into) == 0);
}

TEST_CASE("a run that lives keeps what is its own") {
    scratch const dir;
    auto const run = open(dir.path() / "runs/a");
    REQUIRE(run->write(records::task_opening{"ses_1", now}).has_value());
    auto const into = open(dir.path());
    CHECK(adopt_orphans(dir.path() / "runs", *into) == 0);
    CHECK(run->left_open()->size() == 1);
    CHECK(fs::exists(dir.path() / "runs/a"));
}

TEST_CASE("what cannot be read stays where it is") {
    scratch const dir;
    fs::create_directories(dir.path() / "runs/being-made");
    auto const into = open(dir.path());
    CHECK(adopt_orphans(dir.path() / "runs", *into) == 0);
    CHECK(fs::exists(dir.path() / "runs/being-made"));
    CHECK(adopt_orphans(dir.path() / "no-runs", *into) == 0);
}
