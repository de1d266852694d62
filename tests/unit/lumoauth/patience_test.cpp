#include "jitproxy/lumoauth/patience.hpp"

#include <utility>
#include <vector>

#include "catch.hpp"
#include "jitproxy/base/log.hpp"

using namespace jitproxy;
using namespace jitproxy::lumoauth;

namespace {

wall_time const noon{seconds{1'750'000'000}};
steady_time moment(int s) {
    return steady_time{} + seconds{100'000 + s};
}

struct watched {
    std::vector<std::pair<bool, std::string>> changes;
    patience p{{}, [this](bool down, std::string const& why) { changes.emplace_back(down, why); }};

    void fail(errc code, int times, int when = 0, int retry_after = 0) {
        for (int i = 0; i != times; ++i) p.ended(error{code, "trouble", retry_after}, moment(when));
    }
    [[nodiscard]] std::string refusal(endpoint e, int when) {
        auto const r = p.refuses(e, moment(when));
        return r ? std::string(name_of(r->code)) + " " + std::to_string(r->retry_after) : "";
    }
};

std::vector<std::string>& told_lines() {
    static std::vector<std::string> all;
    return all;
}

}  // namespace

TEST_CASE("what one caller was told counts for all who call the same endpoint") {
    struct row {
        unsigned status;
        char const* retry_after;
        char const* refused;  // afterwards
    };
    for (auto const& r : std::vector<row>{{429, "7", "as_rate_limited 7"},
                                          {429, "", "as_rate_limited 2"},
                                          {503, "9", "as_rate_limited 9"},
                                          {503, "", ""},
                                          {500, "9", ""},
                                          {202, "9", ""}}) {
        INFO(r.status << " " << r.retry_after);
        watched w;
        w.p.heard(endpoint::request, {r.status, r.retry_after, "", ""}, noon, moment(0));
        CHECK(w.refusal(endpoint::request, 0) == r.refused);
        CHECK(w.refusal(endpoint::request, 9).empty());
        for (auto const e : {endpoint::token, endpoint::status, endpoint::exchange, endpoint::complete})
            CHECK(w.refusal(e, 0).empty());
    }
}

TEST_CASE("what counts as failure of the server, and what does not") {
    for (auto const code : {errc::as_unreachable, errc::as_unclear, errc::as_malformed}) {
        watched w;
        w.fail(code, 5);
        CHECK(w.refusal(endpoint::request, 0) == "as_down 2");
    }
    for (auto const code :
         {errc::as_rejected, errc::as_unauthorized, errc::as_inactive, errc::as_rate_limited, errc::bad_argument}) {
        watched w;
        w.fail(code, 20);
        CHECK(w.refusal(endpoint::request, 0).empty());
    }
    watched w;  // a server that refuses answers: it is up
    w.fail(errc::as_unclear, 4);
    w.fail(errc::as_rejected, 1);
    w.fail(errc::as_unclear, 4);
    CHECK(w.refusal(endpoint::request, 0).empty());
}

TEST_CASE("down: everything but closing is answered at once, with the reason; told once") {
    log::configure(log::level::info, log::format::text);
    told_lines().clear();
    log::capture([](std::string_view line) { told_lines().emplace_back(line); });
    watched w;
    w.fail(errc::as_unclear, 5);
    for (auto const e : {endpoint::token, endpoint::create_task, endpoint::request, endpoint::status,
                         endpoint::exchange, endpoint::pending, endpoint::evaluate, endpoint::approve})
        CHECK(w.refusal(e, 0) == "as_down 2");
    CHECK(w.refusal(endpoint::complete, 0).empty());
    CHECK(w.refusal(endpoint::revoke, 0).empty());
    CHECK(w.p.refuses(endpoint::token, moment(0))->detail ==
          "the authorization server is down (trouble) and is left alone for 2 s");
    int now = 2;
    for (int const pause : {4, 8, 16}) {  // one call tries, and fails
        CHECK(w.refusal(endpoint::status, now).empty());
        w.fail(errc::as_unreachable, 1, now);
        CHECK(w.refusal(endpoint::status, now) == "as_down " + std::to_string(pause));
        now += pause;
    }
    CHECK(w.changes.size() == 1);
    CHECK(told_lines().size() == 1);
    w.p.ended(std::nullopt, moment(now));  // a completion, which was let through
    CHECK(w.refusal(endpoint::request, now).empty());
    CHECK(w.changes == std::vector<std::pair<bool, std::string>>{{true, "trouble"}, {false, ""}});
    CHECK(told_lines().size() == 2);
    log::capture(nullptr);
}

TEST_CASE("the call that tries was ours to blame: another one tries") {
    watched w;
    w.fail(errc::as_unclear, 5);
    CHECK(w.refusal(endpoint::status, 2).empty());
    CHECK(w.refusal(endpoint::status, 2) == "as_down 1");
    w.fail(errc::bad_argument, 1, 2);
    CHECK(w.refusal(endpoint::status, 2).empty());
    CHECK(w.changes.size() == 1);
}
