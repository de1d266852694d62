#include "jitproxy/base/log.hpp"

#include <limits>
#include <string>
#include <vector>

#include "catch.hpp"
#include "jitproxy/base/json.hpp"

using namespace jitproxy;
using namespace std::string_view_literals;

namespace {

std::vector<std::string> lines;

struct captured_log {
    captured_log(log::level l, log::format f) {
        lines.clear();
        log::configure(l, f);
        log::capture([](std::string_view line) { lines.emplace_back(line); });
    }
    ~captured_log() {
        log::capture(nullptr);
        log::configure(log::level::info, log::format::text);
    }
};

// The line behind its time, which must look like the pattern ('d': a digit).
std::string rest_of(std::string const& line) {
    constexpr auto pattern = "dddd-dd-ddTdd:dd:dd.dddZ "sv;
    REQUIRE(line.size() > pattern.size());
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        bool const digit = line[i] >= '0' && line[i] <= '9';
        CHECK((pattern[i] == 'd' ? digit : line[i] == pattern[i]));
    }
    return line.substr(pattern.size());
}

}  // namespace

TEST_CASE("a text line holds time, level, message and fields") {
    captured_log const log{log::level::debug, log::format::text};
    log::info("listening", {{"address", "127.0.0.1:8080"}, {"port", 8080}, {"tls", true}, {"load", 0.5}});
    log::debug("d");
    log::warning("w");
    log::error("e");
    REQUIRE(lines.size() == 4);
    CHECK(rest_of(lines[0]) == "info listening address=127.0.0.1:8080 port=8080 tls=true load=0.5");
    CHECK(rest_of(lines[1]) == "debug d");
    CHECK(rest_of(lines[2]) == "warning w");
    CHECK(rest_of(lines[3]) == "error e");
}

TEST_CASE("values that are not one word are quoted in text") {
    captured_log const log{log::level::info, log::format::text};
    log::info("m", {{"a", "two words"}, {"b", ""}, {"c", "say \"hi\""}, {"d", "x=y"}, {"e", "back\\slash"}});
    REQUIRE(lines.size() == 1);
    CHECK(rest_of(lines[0]) == R"(info m a="two words" b="" c="say \"hi\"" d="x=y" e="back\\slash")");
}

TEST_CASE("what would break a line or move a terminal's cursor is escaped") {
    captured_log const log{log::level::info, log::format::text};
    log::info("one\ntwo\r\x1b[31m\0end"sv, {{"k", "a\nb\x7f"}, {"c1", "\xc2\x9b"}, {"ls", "\xe2\x80\xa8"}});
    log::info("ok \xc3\xbc \xe2\x82\xac \xf0\x9f\x98\x80", {{"bad", "\xff\xc3"}, {"cut", "\xe2\x82"}});
    REQUIRE(lines.size() == 2);
    CHECK(rest_of(lines[0]) == R"(info one\ntwo\r\x1b[31m\x00end k=a\nb\x7f c1=\u009b ls=\u2028)");
    CHECK(rest_of(lines[1]) == "info ok \xc3\xbc \xe2\x82\xac \xf0\x9f\x98\x80 bad=\\xff\\xc3 cut=\\xe2\\x82");
}

TEST_CASE("a JSON line is one object whatever the text") {
    captured_log const log{log::level::info, log::format::json};
    std::string every_byte;
    for (int c = 0; c < 256; ++c) every_byte += static_cast<char>(c);
    log::warning("quote \" and \\ and\nline",
                 {{"text", every_byte}, {"n", -5}, {"b", false}, {"nan", std::numeric_limits<double>::quiet_NaN()}});
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].find('\n') == std::string::npos);
    auto const parsed = parse_json_object(lines[0], errc::internal);
    REQUIRE(parsed.has_value());
    CHECK(string_member(*parsed, "level") == "warning");
    CHECK(string_member(*parsed, "message") == "quote \" and \\ and\nline");
    CHECK(string_member(*parsed, "time")->size() == "2026-01-01T00:00:00.000Z"sv.size());
    CHECK(int_member(*parsed, "n") == -5);
    CHECK(parsed->at("b") == false);
    CHECK(parsed->at("nan").is_null());
    auto const text = string_member(*parsed, "text");
    REQUIRE(text);
    CHECK(text->substr(0, 128) == every_byte.substr(0, 128));
    CHECK(text->substr(128, 3) == "\xef\xbf\xbd");
}

TEST_CASE("levels below the minimum write nothing") {
    using log::level;
    struct row {
        level minimum;
        std::size_t written;
    };
    for (auto const& r : {row{level::debug, 4}, row{level::info, 3}, row{level::warning, 2}, row{level::error, 1},
                          row{level::off, 0}}) {
        captured_log const log{r.minimum, log::format::text};
        log::debug("1");
        log::info("2");
        log::warning("3");
        log::error("4");
        log::write(level::off, "never");
        CHECK(lines.size() == r.written);
        CHECK(log::enabled(level::error) == (r.minimum != level::off));
        CHECK_FALSE(log::enabled(level::off));
    }
}

TEST_CASE("a journald record is a datagram of fields, and its message alone tells the story") {
    captured_log const log{log::level::debug, log::format::journald};
    log::warning("two\nlines", {{"session", "s_1"}, {"n", 5}, {"text", "a b"}});
    REQUIRE(lines.size() == 1);
    CHECK(lines[0] ==
          "PRIORITY=4\nSYSLOG_IDENTIFIER=jitproxy\nJITPROXY_SESSION=s_1\nJITPROXY_N=5\nJITPROXY_TEXT=a b\n"
          "MESSAGE=two\\nlines session=s_1 n=5 text=\"a b\"\n");
    log::debug("d");
    log::info("i");
    log::error("e");
    CHECK(lines[1].starts_with("PRIORITY=7\n"));
    CHECK(lines[2].starts_with("PRIORITY=6\n"));
    CHECK(lines[3].starts_with("PRIORITY=3\n"));
}

TEST_CASE("a value with a line end cannot make a field of its own in the journal") {
    captured_log const log{log::level::info, log::format::journald};
    log::info("m", {{"text", "x\nMESSAGE=forged"}});
    REQUIRE(lines.size() == 1);
    CHECK(lines[0] ==
          "PRIORITY=6\nSYSLOG_IDENTIFIER=jitproxy\nJITPROXY_TEXT\n"
          "\x10\0\0\0\0\0\0\0x\nMESSAGE=forged\nMESSAGE=m text=\"x\\nMESSAGE=forged\"\n"sv);
}

TEST_CASE("a line that is used again holds nothing of the one before") {
    using namespace std::chrono_literals;
    log::line l;
    std::chrono::system_clock::time_point const when{1'700'000'000'007ms};
    l.begin(log::format::text, log::level::info, "first", when);
    l.add("secret", "of the first");
    l.end();
    l.begin(log::format::text, log::level::info, "second", when + 1ms);
    l.add_count("n", 18'446'744'073'709'551'615ULL);
    l.add_milliseconds("a_ms", 1us);
    l.add_milliseconds("b_ms", 12'345'670us);
    l.add_milliseconds("c_ms", -7us);
    l.end();
    CHECK(l.record() ==
          "2023-11-14T22:13:20.008Z info second n=18446744073709551615 a_ms=0.001 b_ms=12345.670 c_ms=0.000");
    l.begin(log::format::json, log::level::error, "third", when + 1s);
    l.add("k", "v");
    l.add_milliseconds("ms", 1500us);
    l.end();
    CHECK(l.record() == R"({"time":"2023-11-14T22:13:21.007Z","level":"error","message":"third","k":"v","ms":1.500})");
    l.begin(log::format::journald, log::level::info, "fourth", when);
    l.end();
    CHECK(l.record() == "PRIORITY=6\nSYSLOG_IDENTIFIER=jitproxy\nMESSAGE=fourth\n");
    CHECK(l.text() == "2023-11-14T22:13:20.007Z info fourth");
}
