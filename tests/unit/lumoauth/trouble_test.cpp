#include "jitproxy/lumoauth/trouble.hpp"

#include "catch.hpp"
#include "jitproxy/lumoauth/rate_memory.hpp"

using namespace jitproxy;
using namespace jitproxy::lumoauth;

namespace {

wall_time const now{seconds{1'750'000'000}};  // Sun, 15 Jun 2025 15:06:40 GMT

answer_context asked(endpoint e, std::vector<secret_ptr> sent = {}) {
    return {e, now, std::move(sent)};
}
wire_answer answer(unsigned status, std::string body = {}, std::string retry_after = {}, std::string reset = {}) {
    return {status, std::move(retry_after), std::move(reset), std::move(body)};
}
errc code(unsigned status, endpoint e, std::string body = {}) {
    return trouble_of(answer(status, std::move(body)), asked(e)).code;
}

}  // namespace

TEST_CASE("status codes") {
    CHECK(code(400, endpoint::request) == errc::as_rejected);
    CHECK(code(401, endpoint::token) == errc::as_rejected);
    CHECK(code(401, endpoint::revoke) == errc::as_rejected);
    for (auto const e : {endpoint::create_task, endpoint::request, endpoint::status, endpoint::exchange,
                         endpoint::complete, endpoint::approve, endpoint::deny})
        CHECK(code(401, e) == errc::as_unauthorized);
    CHECK(code(403, endpoint::exchange) == errc::as_rejected);
    CHECK(code(404, endpoint::status) == errc::as_rejected);
    CHECK(code(405, endpoint::request) == errc::as_rejected);
    CHECK(code(408, endpoint::request) == errc::as_unclear);
    CHECK(code(425, endpoint::request) == errc::as_unclear);
    CHECK(code(429, endpoint::request) == errc::as_rate_limited);
    for (unsigned const s : {500U, 502U, 503U, 504U, 520U, 599U}) CHECK(code(s, endpoint::token) == errc::as_unclear);
    for (unsigned const s : {301U, 302U, 303U, 307U, 308U, 304U}) CHECK(code(s, endpoint::token) == errc::as_malformed);
}

TEST_CASE("a task that is closed, expired or suspended") {
    struct row {
        unsigned status;
        endpoint e;
        char const* body;
        bool inactive;
    };
    row const rows[] = {
        {400, endpoint::request, R"({"error": true, "message": "Task is not active", "status": 400})", true},
        {400, endpoint::request, R"({"error": "task_inactive"})", true},
        {400, endpoint::request, R"({"error": "invalid_request", "error_description": "inactive task"})", true},
        {400, endpoint::request, R"({"error": true, "message": "nope", "code": "TASK_SUSPENDED"})", true},
        {400, endpoint::request, R"({"error": true, "message": "suspended"})", true},
        {400, endpoint::request, R"({"error": true, "message": "Task has expired"})", true},
        {400, endpoint::request, R"({"error": true, "message": "Task is already completed"})", true},
        {403, endpoint::request, R"({"error": true, "message": "Task suspended"})", true},
        {404, endpoint::request, R"({"error": true, "message": "Task not found"})", true},
        {409, endpoint::exchange, R"({"error": true, "message": "task closed"})", true},
        {400, endpoint::create_task, R"({"error": true, "message": "Parent task is not active"})", true},
        {400, endpoint::request, R"({"error": true, "message": "authorization_details missing"})", false},
        {400, endpoint::exchange, R"({"error": true, "message": "approval expired"})", false},
        {400, endpoint::request, "", false},
        {400, endpoint::create_task, R"({"error": true, "message": "agent is inactive"})", false},
        {403, endpoint::request, R"({"error": true, "message": "agent suspended"})", false},
        {403, endpoint::request, R"({"error": true, "message": "not the owner of this task"})", false},
        {400, endpoint::token, R"({"error": "invalid_client", "error_description": "client inactive"})", false},
        {404, endpoint::status, R"({"error": true, "message": "request not found"})", false},
    };
    for (auto const& r : rows) {
        INFO(r.status << " " << name_of(r.e) << " " << r.body);
        CHECK((code(r.status, r.e, r.body) == errc::as_inactive) == r.inactive);
    }
}

TEST_CASE("how long to wait") {
    struct row {
        unsigned status;
        char const* retry_after;
        char const* reset;
        int wait;  // -1: not said
    };
    row const rows[] = {
        {429, "7", "", 7},
        {429, "0", "", 0},
        {429, "7", "1750000099", 7},
        {429, "Sun, 15 Jun 2025 15:06:52 GMT", "", 12},
        {429, "Sunday, 15-Jun-25 15:06:52 GMT", "", 12},
        {429, "Sun Jun 15 15:06:52 2025", "", 12},
        {429, "Sun, 15 Jun 2025 15:00:00 GMT", "", 0},
        {429, "", "1750000030", 30},
        {429, "", "1749999999", 0},
        {429, "", "45", 45},  // seconds in place of an epoch
        {429, "soon", "1750000030", 30},
        {429, "-5", "", -1},
        {429, "7.5", "", -1},
        {429, "", "", -1},
        {429, "999999999999", "", 86400},
        {429, "99999999999999999999999999", "", -1},
        {429, "", "1750000000000", 86400},  // milliseconds: a mistake, bounded
        {503, "20", "", 20},
        {503, "", "1750000030", -1},
        {202, "2", "1750000030", 2},
    };
    for (auto const& r : rows) {
        INFO(r.status << " '" << r.retry_after << "' '" << r.reset << "'");
        auto const wait = wait_wanted(answer(r.status, "", r.retry_after, r.reset), now);
        CHECK((wait ? static_cast<int>(wait->count()) : -1) == r.wait);
    }
    CHECK(trouble_of(answer(429, "", "7"), asked(endpoint::token)).retry_after == 7);
    CHECK(trouble_of(answer(503, "", "9"), asked(endpoint::token)).retry_after == 9);
    CHECK(trouble_of(answer(400, "", "9"), asked(endpoint::token)).retry_after == 0);
}

TEST_CASE("HTTP dates that are none") {
    for (auto const* text :
         {"", "Sun", "Sun, 15 Jun 2025 15:06:52", "Sun, 15 Jun 2025 15:06:52 GMT+1", "Sun, 31 Feb 2025 15:06:52 GMT",
          "Sun, 15 Foo 2025 15:06:52 GMT", "Sun, 15 Jun 2025 25:06:52 GMT", "2025-06-15T15:06:52Z",
          "Sun, -5 Jun 2025 15:06:52 GMT"}) {
        INFO(text);
        CHECK_FALSE(parse_http_date(text).has_value());
    }
    CHECK(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT") == std::optional{wall_time{seconds{784111777}}});
    CHECK(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT") == std::optional{wall_time{seconds{784111777}}});
    CHECK(parse_http_date("Sun Nov  6 08:49:37 1994") == std::optional{wall_time{seconds{784111777}}});
}

TEST_CASE("both error shapes become one line") {
    auto const text = [](std::string body) {
        return message_of(answer(400, std::move(body)), asked(endpoint::request));
    };
    CHECK(text(R"({"error": "invalid_client", "error_description": "no such client"})") ==
          "invalid_client: no such client");
    CHECK(text(R"({"error": true, "message": "Bad thing", "status": 400, "code": "E_BAD", "details": "more"})") ==
          "Bad thing (E_BAD); more");
    CHECK(text(R"({"error": true, "code": "E_BAD"})") == "E_BAD");
    CHECK(text(R"({"error": "x", "message": "x"})") == "x");
    CHECK(text(R"({"title": "An error occurred", "detail": "Invalid JSON", "status": 400})") == "Invalid JSON");
    CHECK(text(R"({"error": true, "message": "two\r\nlines", "details": ["a", {"b": 1}]})") == "two  lines");
    for (auto const* body : {"", "{}", "[]", "null", "<html>", "{\"error\": ", R"({"error": 7, "message": {}})"}) {
        INFO(body);
        CHECK(text(body).empty());
    }
    CHECK(text(R"({"message": ")" + std::string(5000, 'x') + "\"}").size() < 400);
}

TEST_CASE("a secret that the server echoes is not passed on") {
    auto const context = asked(endpoint::token, {make_secret("hunter2-hunter2"), nullptr, make_secret("abc")});
    std::string const body = R"_({"error": "invalid_client",
        "error_description": "secret hunter2-hunter2 is wrong (hunter2-hunter2)"})_";
    auto const e = trouble_of(answer(401, body), context);
    CHECK(e.detail.find("hunter2") == std::string::npos);
    CHECK(e.detail.find("secret [hidden] is wrong ([hidden])") != std::string::npos);
    CHECK(e.detail.find("401 (unauthorized) to oauth/token: invalid_client") != std::string::npos);
}

TEST_CASE("a body that is no error shape is not repeated") {
    auto const e = trouble_of(answer(502, "<html>token=zzz</html>"), asked(endpoint::request));
    CHECK(e.detail == "the authorization server answered 502 to jit/request");
}

TEST_CASE("the memory of rate limits") {
    steady_time const t0{seconds{1000}};
    rate_memory m;
    CHECK_FALSE(m.left(endpoint::token, t0).has_value());
    m.refused(endpoint::token, seconds{10}, t0);
    CHECK(m.left(endpoint::token, t0) == std::optional{seconds{10}});
    CHECK(m.left(endpoint::token, t0 + milliseconds{500}) == std::optional{seconds{10}});
    CHECK(m.left(endpoint::token, t0 + milliseconds{9999}) == std::optional{seconds{1}});
    CHECK_FALSE(m.left(endpoint::token, t0 + seconds{10}).has_value());
    CHECK_FALSE(m.left(endpoint::request, t0).has_value());

    m.refused(endpoint::token, seconds{2}, t0);  // a shorter one does not take back the longer one
    CHECK(m.left(endpoint::token, t0) == std::optional{seconds{10}});
    m.refused(endpoint::deny, seconds{86400}, t0);
    CHECK(m.left(endpoint::deny, t0) == std::optional{rate_memory::longest});
    m.refused(endpoint::status, seconds{0}, t0);
    CHECK_FALSE(m.left(endpoint::status, t0).has_value());
}
