#include "catch.hpp"
#include "jitproxy/control/address.hpp"
#include "jitproxy/control/event_hub.hpp"
#include "jitproxy/control/metrics.hpp"
#include "jitproxy/control/query.hpp"

using namespace jitproxy;
using namespace jitproxy::control;

TEST_CASE("control addresses") {
    struct row {
        char const* text;
        char const* normal;  // null: refused
    };
    row const rows[] = {
        {"unix:/run/x.sock", "unix:/run/x.sock"},
        {"/run/x.sock", "unix:/run/x.sock"},
        {"127.0.0.1:8081", "127.0.0.1:8081"},
        {"[::1]:8081", "[::1]:8081"},
        {"http://127.0.0.1:8081/", "127.0.0.1:8081"},
        {"unix:relative", nullptr},
        {"127.0.0.1", nullptr},
        {"localhost:1", nullptr},
        {"https://127.0.0.1:1", nullptr},
        {"", nullptr},
    };
    for (auto const& [text, normal] : rows) {
        INFO(text);
        auto const parsed = parse_address(text);
        CHECK(parsed.has_value() == (normal != nullptr));
        if (parsed && normal) CHECK(parsed->text() == normal);
    }
    CHECK_FALSE(parse_address("/" + std::string(200, 'x')).has_value());
}

TEST_CASE("targets") {
    auto const t = parse_target("/v1/sessions/a%2Fb?wait=5&attached&x=%20y&wait=6");
    REQUIRE(t);
    CHECK(t->segments == std::vector<std::string>{"v1", "sessions", "a/b"});
    CHECK(t->query.at("wait") == "6");
    CHECK(t->query.at("x") == " y");
    CHECK(t->flag("attached"));
    CHECK_FALSE(t->flag("nothing"));
    CHECK_FALSE(parse_target("/x?attached=0")->flag("attached"));
    for (auto const* wrong : {"", "x", "//", "/a//b", "/%g1", "/a?%"}) {
        INFO(wrong);
        CHECK_FALSE(parse_target(wrong));
    }
}

TEST_CASE("Prometheus' text format") {
    CHECK(render_metrics({{"a_total", "Line\nbreak \\", metric_kind::counter, 3, {}},
                          {"b", "B", metric_kind::gauge, 1, {{"x", "q\"\\\n"}, {"y", "2"}}},
                          {"b", "B", metric_kind::gauge, 2, {{"x", "r"}}}}) ==
          "# HELP a_total Line\\nbreak \\\\\n# TYPE a_total counter\na_total 3\n"
          "# HELP b B\n# TYPE b gauge\nb{x=\"q\\\"\\\\\\n\",y=\"2\"} 1\nb{x=\"r\"} 2\n");
}

TEST_CASE("a histogram: cumulative buckets, the largest of them for everything, then sum and count") {
    static constexpr std::array bounds{0.005, 1.0, 300.0};
    distribution seen(bounds);
    seen.counts = {2, 0, 3, 1};
    seen.sum = 12'000'000'000'123'456;  // more than a double holds
    CHECK(render_metrics({{"w_seconds", "W", metric_kind::histogram, 0, {{"api", "a\"b"}}, seen},
                          {"w_seconds", "W", metric_kind::histogram, 0, {}, distribution(bounds)}}) ==
          "# HELP w_seconds W\n# TYPE w_seconds histogram\n"
          "w_seconds_bucket{api=\"a\\\"b\",le=\"0.005\"} 2\nw_seconds_bucket{api=\"a\\\"b\",le=\"1\"} 2\n"
          "w_seconds_bucket{api=\"a\\\"b\",le=\"300\"} 5\nw_seconds_bucket{api=\"a\\\"b\",le=\"+Inf\"} 6\n"
          "w_seconds_sum{api=\"a\\\"b\"} 12000000000.123456\nw_seconds_count{api=\"a\\\"b\"} 6\n"
          "w_seconds_bucket{le=\"0.005\"} 0\nw_seconds_bucket{le=\"1\"} 0\nw_seconds_bucket{le=\"300\"} 0\n"
          "w_seconds_bucket{le=\"+Inf\"} 0\nw_seconds_sum 0.000000\nw_seconds_count 0\n");
}

TEST_CASE("every listener gets every event, as a server-sent event") {
    event_hub hub;
    int woken = 0;
    auto const a = hub.subscribe([&] { ++woken; });
    auto const b = hub.subscribe([&] { ++woken; });
    hub.on_event({"session.opened", "ses_1", {{"name", "line\nbreak"}}});
    CHECK(woken == 2);
    auto const piece = a->next();
    CHECK(piece.starts_with("id: 1\nevent: session.opened\ndata: {"));
    CHECK(piece.ends_with("}\n\n"));
    CHECK(piece.find("\"session_id\":\"ses_1\"") != std::string::npos);
    CHECK(piece.find("line\\nbreak") != std::string::npos);
    CHECK(b->next() == piece);
    CHECK(a->next().empty());
    CHECK(hub.counts().at("session.opened") == 1);
}

TEST_CASE("a slow listener misses the oldest events, and is told how many") {
    event_hub hub;
    auto const slow = hub.subscribe({});
    for (std::size_t i = 0; i < event_hub::queue_limit + 5; ++i) hub.on_event({"t", "", {}});
    CHECK(slow->next() == "event: missed\ndata: {\"type\":\"missed\",\"count\":5}\n\n");
    CHECK(slow->next().starts_with("id: 6\n"));
    std::size_t rest = 0;
    while (!slow->next().empty()) ++rest;
    CHECK(rest == event_hub::queue_limit - 1);
}

TEST_CASE("a listener that is gone is forgotten; the end wakes those that are there") {
    event_hub hub;
    auto a = hub.subscribe({});
    CHECK(hub.listeners() == 1);
    a.reset();
    CHECK(hub.listeners() == 0);
    bool woken = false;
    auto const b = hub.subscribe([&] { woken = true; });
    hub.end();
    CHECK(woken);
    CHECK(b->ended());
}
