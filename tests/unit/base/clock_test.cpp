#include "jitproxy/base/clock.hpp"

#include "catch.hpp"

using namespace jitproxy;
using namespace std::chrono_literals;

namespace {
wall_time at(std::int64_t ms) {
    return wall_time{} + milliseconds{ms};
}
}  // namespace

TEST_CASE("RFC 3339 times are written in UTC with whole seconds") {
    CHECK(format_rfc3339(at(0)) == "1970-01-01T00:00:00Z");
    CHECK(format_rfc3339(at(1'767'225'599'999)) == "2025-12-31T23:59:59Z");
    CHECK(format_rfc3339(at(1'709'164'800'000)) == "2024-02-29T00:00:00Z");
    CHECK(format_rfc3339(at(-1)) == "1969-12-31T23:59:59Z");
}

TEST_CASE("RFC 3339 times are read with any offset and fraction") {
    struct row {
        std::string_view text;
        std::int64_t ms;
    };
    row const rows[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-01-01T00:00:00Z", 1'767'225'600'000},
        {"2026-01-01t00:00:00z", 1'767'225'600'000},
        {"2026-01-01 00:00:00Z", 1'767'225'600'000},
        {"2026-01-01T00:00:00.25Z", 1'767'225'600'250},
        {"2026-01-01T00:00:00.123456789123Z", 1'767'225'600'123},
        {"2026-01-01T01:30:00+01:30", 1'767'225'600'000},
        {"2025-12-31T16:00:00-08:00", 1'767'225'600'000},
        {"2026-01-01T00:00:00+00:00", 1'767'225'600'000},
        {"2016-12-31T23:59:60Z", 1'483'228'800'000},
        {"2024-02-29T12:00:00Z", 1'709'208'000'000},
        {"1969-12-31T23:59:59Z", -1'000},
    };
    for (auto const& r : rows) {
        INFO(r.text);
        auto const parsed = parse_rfc3339(r.text);
        REQUIRE(parsed);
        CHECK(std::chrono::duration_cast<milliseconds>(parsed->time_since_epoch()).count() == r.ms);
    }
}

TEST_CASE("what is no RFC 3339 time is refused") {
    for (auto text : {"",
                      "2026-01-01",
                      "2026-01-01T00:00:00",
                      "2026-13-01T00:00:00Z",
                      "2026-00-01T00:00:00Z",
                      "2026-02-29T00:00:00Z",
                      "2026-01-32T00:00:00Z",
                      "2026-01-01T24:00:00Z",
                      "2026-01-01T00:60:00Z",
                      "2026-01-01T00:00:61Z",
                      "2026-01-01T00:00:00.Z",
                      "2026-01-01T00:00:00+0100",
                      "2026-01-01T00:00:00+24:00",
                      "2026-01-01T00:00:00+01:60",
                      "2026-01-01T00:00:00ZZ",
                      " 2026-01-01T00:00:00Z",
                      "26-01-01T00:00:00Z",
                      "2026-1-01T00:00:00Z",
                      "+026-01-01T00:00:00Z",
                      "9999-01-01T00:00:00Z",
                      "0001-01-01T00:00:00Z",
                      "2026-01-01T00:00:0xZ"}) {
        INFO(text);
        CHECK_FALSE(parse_rfc3339(text));
    }
}

TEST_CASE("durations are read with their unit") {
    CHECK(parse_duration("500ms") == 500ms);
    CHECK(parse_duration("10s") == 10s);
    CHECK(parse_duration("5m") == 5min);
    CHECK(parse_duration("2h") == 2h);
    CHECK(parse_duration("1d") == 24h);
    CHECK(parse_duration("0s") == 0ms);
    CHECK(parse_duration("36525d") == 24h * 36525);
    for (auto text : {"", "10", "s", "-1s", "+1s", "1.5s", "1 s", " 1s", "1s ", "1w", "1S", "1min", "36526d",
                      "18446744073709551615ms", "18446744073709551616ms", "99999999999999999999s", "0x1s"}) {
        INFO(text);
        CHECK_FALSE(parse_duration(text));
    }
}

TEST_CASE("durations are written in their largest whole unit") {
    CHECK(format_duration(0ms) == "0s");
    CHECK(format_duration(1ms) == "1ms");
    CHECK(format_duration(1500ms) == "1500ms");
    CHECK(format_duration(2s) == "2s");
    CHECK(format_duration(90s) == "90s");
    CHECK(format_duration(5min) == "5m");
    CHECK(format_duration(2h) == "2h");
    CHECK(format_duration(48h) == "2d");
    CHECK(format_duration(-1500ms) == "-1500ms");
    for (auto text : {"0s", "1ms", "59s", "1m", "23h", "1d"}) CHECK(format_duration(*parse_duration(text)) == text);
}
