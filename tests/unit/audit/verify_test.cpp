#include "jitproxy/audit/verify.hpp"

#include "catch.hpp"
#include "trail_file.hpp"

using namespace jitproxy;
using test::trail_file;

namespace {

using lines = std::vector<std::string>;

std::string changed(std::string line) {
    auto const at = line.find("ses_1");
    return line.replace(at, 5, "ses_2");
}

}  // namespace

TEST_CASE("each way to tamper with lines is found, at its line") {
    auto const [name, tamper, line, says] = GENERATE(table<char const*, lines (*)(lines), std::uint64_t, char const*>({
        {"a line changed",
         [](lines l) {
             l[1] = changed(l[1]);
             return l;
         },
         2, "changed: its SHA-256 is not what the line after it says"},
        {"a line that is no line any more",
         [](lines l) {
             l[1].pop_back();
             return l;
         },
         2, "changed: this is no line of an audit trail"},
        {"a line removed",
         [](lines l) {
             l.erase(l.begin() + 2);
             return l;
         },
         3, "line 3 of the trail is missing before this one"},
        {"lines removed",
         [](lines l) {
             l.erase(l.begin() + 1, l.begin() + 4);
             return l;
         },
         2, "lines 2 to 4 of the trail are missing before this one"},
        {"two lines exchanged",
         [](lines l) {
             std::swap(l[1], l[2]);
             return l;
         },
         3, "out of order: line 2 of the trail stands after line 3"},
        {"a line twice",
         [](lines l) {
             l.insert(l.begin() + 2, l[1]);
             return l;
         },
         3, "out of order: line 2 of the trail stands after line 2"},
        {"the last line changed",
         [](lines l) {
             l.back() = changed(l.back());
             return l;
         },
         5, "changed: its SHA-256 is not what was kept"},
        {"the last lines removed",
         [](lines l) {
             l.resize(3);
             return l;
         },
         3, "cut at the end: lines 4 to 5 of the trail are missing"},
        {"the first line changed",
         [](lines l) {
             l.front() = changed(l.front());
             return l;
         },
         1, "changed"},
        {"the first line's own predecessor invented",
         [](lines l) {
             l.front().replace(l.front().size() - 3, 1, "1");
             return l;
         },
         1, "changed: the first line of a trail follows on from nothing"},
        {"a line that vouches for another piece than stands there",
         [](lines l) {
             l.insert(l.begin() + 1, "{\"seq\":2,\"ti");
             return l;
         },
         2, "changed: this is no line of an audit trail"},
    }));
    INFO(name);
    trail_file t;
    t.write(5);
    REQUIRE(t.verify().good());
    t.replace_lines(tamper(t.lines()));
    auto const v = t.verify();
    REQUIRE_FALSE(v.good());
    CAPTURE(v.problems.front().text());
    bool found = false;
    for (auto const& p : v.problems)
        found = found || (p.file == t.file.string() && p.line == line && p.what.find(says) != std::string::npos);
    CHECK(found);
}

TEST_CASE("a torn end is told apart from tampering") {
    trail_file t;
    t.write(2);
    t.replace(t.text() + "{\"seq\":3");
    auto const v = t.verify();
    REQUIRE(v.problem_count == 1);
    CHECK(v.problems[0].line == 3);
    CHECK(v.problems[0].what.starts_with("torn: "));
    CHECK(v.last.seq == 2);
}

TEST_CASE("a mark for an unfinished line covers that piece alone") {
    trail_file t;
    t.write(1);
    t.replace(t.text() + "{\"seq\":2");
    t.write(1);
    REQUIRE(t.verify().good());
    auto all = t.lines();
    all[1] = "{\"seq\":9";  // as long
    t.replace_lines(all);
    CHECK_FALSE(t.verify().good());
}

TEST_CASE("a noted head is looked for") {
    trail_file t;
    t.write(3);
    auto const noted = t.verify().last;
    t.write(2);
    CHECK(t.verify(noted).good());
    SECTION("in a trail that was written anew, with its own head") {
        std::filesystem::remove(t.file);
        std::filesystem::remove(audit::head_file(t.file));
        t.now += std::chrono::hours(1);
        t.write(5);
        CHECK(t.verify().good());
        CHECK_FALSE(t.verify(noted).good());
    }
    SECTION("in a trail that was cut, with its head") {
        std::filesystem::remove(audit::head_file(t.file));
        auto all = t.lines();
        all.resize(2);
        t.replace_lines(all);
        CHECK(t.verify().good());
        auto const v = t.verify(noted);
        REQUIRE(v.problem_count == 1);
        CHECK(v.problems[0].what == "the noted head, line 3, is not in these files");
    }
}

TEST_CASE("renamed files are found by what is in them, the oldest first") {
    trail_file t;
    t.write(2);
    t.rename("audit.jsonl-20260503");
    t.write(2);
    t.rename("audit.jsonl.1");
    t.write(1);
    t.replace("x", "audit.jsonl.2.gz");
    t.replace("x", "audit.jsonlx");
    auto const found = audit::files_of(t.file);
    CHECK(found.files == std::vector{t.place.file("audit.jsonl-20260503"), t.place.file("audit.jsonl.1"), t.file});
    CHECK(found.left_out == 1);
    CHECK(t.verify().lines == 5);
    SECTION("without the oldest the rest is good, and says where it begins") {
        std::filesystem::remove(t.place.file("audit.jsonl-20260503"));
        auto const v = t.verify();
        CHECK(v.good());
        CHECK(v.first_seq == 3);
    }
    SECTION("without one in the middle it is not") {
        std::filesystem::remove(t.place.file("audit.jsonl.1"));
        auto const v = t.verify();
        REQUIRE(v.problem_count == 1);
        CHECK(v.problems[0].text() == t.file.string() + ":1: lines 3 to 4 of the trail are missing before this one");
    }
    SECTION("just renamed, the next not begun") {
        t.rename("audit.jsonl.3");
        CHECK(t.verify().good());
    }
}

TEST_CASE("nothing at all is less than the head says") {
    trail_file t;
    t.write(2);
    t.replace("");
    CHECK(t.verify().problem_count == 1);
}

TEST_CASE("a head is written as SEQ:HASH") {
    auto const hash = std::string(64, 'a');
    auto const good = audit::parse_head("12:" + hash);
    REQUIRE(good.has_value());
    CHECK(*good == audit::head{12, hash});
    auto const bad = GENERATE_COPY(values<std::string>({"", "12", "12:", "0:" + hash, "12:" + hash + "a", ":" + hash,
                                                        "12:" + std::string(64, 'g'), "-1:" + hash, "12 :" + hash}));
    CAPTURE(bad);
    CHECK(audit::parse_head(bad).has_error());
}
