// Variants, faults, rate limits and the command line: what a test sets.
#include "catch.hpp"
#include "fixture.hpp"
#include "jitproxy/emulator/options.hpp"

using namespace jitproxy;
using namespace jitproxy::emulator;

TEST_CASE("variants are set all or none") {
    variants v;
    CHECK(v.is("status_url", "relative"));
    CHECK(v.set({{"status_url", "absent"}, {"complete", 204}, {"foreign_origin", "http://x"}}).empty());
    CHECK(v.is("status_url", "absent"));
    CHECK(v.is("complete", "204"));
    CHECK(v.is("foreign_origin", "http://x"));
    CHECK_FALSE(v.set({{"status_url", "absolute"}, {"no_such", "x"}}).empty());
    CHECK_FALSE(v.set({{"status_url", "sideways"}}).empty());
    CHECK_FALSE(v.set({{"status_url", true}}).empty());
    CHECK(v.is("status_url", "absent"));
    CHECK(v.to_json().at("complete") == "204");
    v.reset();
    CHECK(v.is("status_url", "relative"));
    CHECK(v.is("foreign_origin", ""));
}

TEST_CASE("faults hit their endpoint as often as asked for") {
    fault_list f;
    REQUIRE(f.add({{"endpoint", "request"}, {"kind", "status"}, {"status", 500}, {"times", 2}}).empty());
    REQUIRE(f.add({{"endpoint", "*"}, {"kind", "reset_before"}}).empty());
    CHECK(f.take("request")->status == 500);
    CHECK(f.take("task")->kind == fault_kind::reset_before);
    CHECK_FALSE(f.take("task").has_value());
    CHECK(f.take("request")->status == 500);
    CHECK_FALSE(f.take("request").has_value());
    REQUIRE(f.add({{"endpoint", "token"}, {"kind", "delay"}, {"delay_ms", 5}, {"times", -1}}).empty());
    for (int i = 0; i < 5; ++i) CHECK(f.take("token")->delay_ms == 5);
    f.clear();
    CHECK_FALSE(f.take("token").has_value());
}

TEST_CASE("faults that make no sense are refused") {
    fault_list f;
    json::object const bad[] = {{},
                                {{"endpoint", "request"}},
                                {{"endpoint", "nowhere"}, {"kind", "status"}},
                                {{"endpoint", "request"}, {"kind", "flood"}},
                                {{"endpoint", "request"}, {"kind", "status"}, {"status", 99}},
                                {{"endpoint", "request"}, {"kind", "delay"}, {"delay_ms", -1}},
                                {{"endpoint", "request"}, {"kind", "delay"}, {"times", 0}}};
    for (auto const& b : bad) {
        INFO(json::serialize(b));
        CHECK_FALSE(f.add(b).empty());
    }
    CHECK(f.to_json().empty());
}

TEST_CASE("what faults make of answers") {
    fault f;
    reply r = json_reply(200, json::object{{"access_token", "emu_jit_x"}});
    SECTION("instead") {
        f.status = 502;
        CHECK(answer_instead(f)->status == 502);
        f.kind = fault_kind::rate_limit;
        f.retry_after = 9;
        CHECK(answer_instead(f)->status == 429);
        CHECK(fixture::header(*answer_instead(f), "Retry-After") == "9");
        f.kind = fault_kind::reset_before;
        CHECK(answer_instead(f)->how == delivery::reset);
    }
    SECTION("none instead") {
        for (auto const kind :
             {fault_kind::delay, fault_kind::delay_after, fault_kind::reset_after, fault_kind::truncate,
              fault_kind::malformed, fault_kind::wrong_type, fault_kind::expired_token}) {
            f.kind = kind;
            CHECK_FALSE(answer_instead(f).has_value());
        }
    }
    SECTION("afterwards") {
        f.kind = fault_kind::reset_after;
        spoil(f, r);
        CHECK(r.how == delivery::reset);
        f.kind = fault_kind::truncate;
        spoil(f, r);
        CHECK(r.how == delivery::truncated);
        f.kind = fault_kind::malformed;
        spoil(f, r);
        CHECK_FALSE(parse_json(r.body, errc::internal).has_value());
        f.kind = fault_kind::wrong_type;
        spoil(f, r);
        CHECK(r.status == 200);
        CHECK(fixture::header(r, "Content-Type").starts_with("text/html"));
    }
}

TEST_CASE("rate limits count in windows of a minute") {
    rate_limit limit{2};
    auto now = test_start();
    CHECK(limit.admit(now));
    CHECK(limit.admit(now + seconds{10}));
    CHECK_FALSE(limit.admit(now + seconds{20}));
    CHECK(limit.retry_after(now + seconds{20}) == 40);
    reply r;
    limit.announce(r, now + seconds{20});
    CHECK(fixture::header(r, "X-RateLimit-Limit") == "2");
    CHECK(fixture::header(r, "X-RateLimit-Remaining") == "0");
    CHECK(fixture::header(r, "X-RateLimit-Reset") == "1700000060");
    CHECK(limit.admit(now + seconds{60}));
    rate_limit none{0};
    for (int i = 0; i < 1000; ++i) CHECK(none.admit(now));
    reply bare;
    none.announce(bare, now);
    CHECK(bare.fields.empty());
}

TEST_CASE("addresses") {
    struct row {
        char const* text;
        char const* host;  // nullptr: refused
        int port;
    };
    row const rows[] = {{"127.0.0.1:0", "127.0.0.1", 0},
                        {"[::1]:8443", "::1", 8443},
                        {"localhost:80", "localhost", 80},
                        {"127.0.0.1", nullptr, 0},
                        {":80", nullptr, 0},
                        {"::1:80", nullptr, 0},
                        {"127.0.0.1:65536", nullptr, 0},
                        {"127.0.0.1:", nullptr, 0},
                        {"127.0.0.1:8x", nullptr, 0},
                        {"[]:1", nullptr, 0}};
    for (auto const& r : rows) {
        INFO(r.text);
        auto const at = parse_address(r.text);
        REQUIRE(at.has_value() == (r.host != nullptr));
        if (!at) continue;
        CHECK(at->host == r.host);
        CHECK(at->port == r.port);
    }
}

TEST_CASE("the command line") {
    int code = -1;
    SECTION("defaults") {
        char const* const argv[] = {"jitproxy-emulator"};
        auto const o = parse_options(1, argv, code);
        REQUIRE(o.has_value());
        CHECK(o->as.has_value());
        CHECK(o->api.has_value());
        CHECK(o->api_tls.has_value());
        CHECK_FALSE(o->as_tls.has_value());
        CHECK(o->users.size() == 2);
    }
    SECTION("everything") {
        char const* const argv[] = {"jitproxy-emulator",
                                    "--listen",
                                    "[::1]:9000",
                                    "--api",
                                    "none",
                                    "--token-ttl",
                                    "60",
                                    "--grant-ttl",
                                    "30",
                                    "--auto-decide",
                                    "4=deny",
                                    "--agent",
                                    "agt_two:s:t",
                                    "--user-token",
                                    "user_x:plain",
                                    "--api-name",
                                    "one.test",
                                    "--api-name",
                                    "two.test",
                                    "--rate-limit",
                                    "0",
                                    "--client-secret",
                                    "s"};
        auto const o = parse_options(static_cast<int>(std::size(argv)), argv, code);
        REQUIRE(o.has_value());
        CHECK(o->as->host == "::1");
        CHECK_FALSE(o->api.has_value());
        CHECK(o->token_ttl == seconds{60});
        CHECK(o->tasks.grant_ttl == seconds{30});
        CHECK(o->tasks.auto_after == seconds{4});
        CHECK_FALSE(o->tasks.auto_approves);
        REQUIRE(o->agents.size() == 2);
        CHECK(o->agents[0].client_secret == "s");
        CHECK(o->agents[1].client_secret == "s:t");
        REQUIRE(o->users.size() == 1);
        CHECK(o->users[0].token == "user_x");
        CHECK_FALSE(o->users[0].approver);
        CHECK(o->api_names.size() == 2);
        CHECK(o->token_rate == 0);
    }
    SECTION("mistakes end with 2") {
        char const* const bad[][3] = {
            {"jitproxy-emulator", "--listen", "nowhere"},   {"jitproxy-emulator", "--listen", "none"},
            {"jitproxy-emulator", "--auto-decide", "soon"}, {"jitproxy-emulator", "--auto-decide", "5=maybe"},
            {"jitproxy-emulator", "--agent", "nosecret"},   {"jitproxy-emulator", "--token-ttl", "0"},
            {"jitproxy-emulator", "--no-such", "x"}};
        for (auto const& argv : bad) {
            INFO(argv[1] << ' ' << argv[2]);
            code = -1;
            CHECK_FALSE(parse_options(3, argv, code).has_value());
            CHECK(code == 2);
        }
    }
    SECTION("help ends with 0") {
        char const* const argv[] = {"jitproxy-emulator", "--help"};
        CHECK_FALSE(parse_options(2, argv, code).has_value());
        CHECK(code == 0);
    }
}
