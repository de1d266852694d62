#include "jitproxy/net/attempts.hpp"

#include <sstream>
#include <string>
#include <vector>

#include "catch.hpp"

namespace net = jitproxy::net;
using jitproxy::errc;
using jitproxy::make_error;
using jitproxy::milliseconds;
using action = net::attempt_schedule::action;

namespace {

net::addresses addresses_of(std::string const& text) {
    net::addresses all;
    std::istringstream words(text);
    for (std::string word; words >> word;) all.push_back(boost::asio::ip::make_address(word));
    return all;
}

std::string as_text(net::addresses const& all) {
    std::string text;
    for (auto const& one : all) text += (text.empty() ? "" : " ") + one.to_string();
    return text;
}

std::string drain(net::address_order& order) {
    net::addresses all;
    while (auto const one = order.next()) all.push_back(*one);
    return as_text(all);
}

struct timeline {
    net::attempt_schedule schedule;
    jitproxy::steady_time const began{};

    // What the schedule wants at that time: "begin ADDRESS", "wait", "wait 200" or "give up".
    std::string at(int ms) {
        auto const step = schedule.next(began + milliseconds{ms});
        if (step.what == action::begin) return "begin " + step.to.to_string();
        if (step.what == action::give_up) return "give up";
        return step.pause ? "wait " + std::to_string(step.pause->count()) : "wait";
    }
    void fails(std::size_t attempt, errc code = errc::connection_refused, std::string text = "why") {
        schedule.failed(attempt, make_error(code, std::move(text)));
    }
};

}  // namespace

TEST_CASE("families alternate, beginning with the first address's; within a family the order stays (RFC 8305 4)") {
    struct row {
        char const* given;
        char const* tried;
    };
    for (auto const& [given, tried] : {
             row{"", ""},
             row{"192.0.2.1", "192.0.2.1"},
             row{"192.0.2.2 192.0.2.1", "192.0.2.2 192.0.2.1"},
             row{"2001:db8::1 2001:db8::2 192.0.2.1 192.0.2.2", "2001:db8::1 192.0.2.1 2001:db8::2 192.0.2.2"},
             row{"192.0.2.1 192.0.2.2 2001:db8::1 2001:db8::2", "192.0.2.1 2001:db8::1 192.0.2.2 2001:db8::2"},
             row{"2001:db8::1 2001:db8::2 2001:db8::3 192.0.2.1", "2001:db8::1 192.0.2.1 2001:db8::2 2001:db8::3"},
             row{"192.0.2.1 2001:db8::1 2001:db8::2 2001:db8::3", "192.0.2.1 2001:db8::1 2001:db8::2 2001:db8::3"},
             row{"192.0.2.1 192.0.2.1 2001:db8::1 192.0.2.1", "192.0.2.1 2001:db8::1"},
         }) {
        INFO(given);
        net::address_order order;
        order.add(addresses_of(given));
        CHECK(order.empty() == (std::string(tried).empty()));
        CHECK(drain(order) == tried);
        CHECK(order.empty());
    }
}

TEST_CASE("addresses that come later take their turn, and known ones none") {
    net::address_order order;
    order.add(addresses_of("2001:db8::1 2001:db8::2"));
    CHECK(order.next()->to_string() == "2001:db8::1");
    order.add(addresses_of("192.0.2.1 192.0.2.2 2001:db8::1 2001:db8::2"));
    CHECK(drain(order) == "192.0.2.1 2001:db8::2 192.0.2.2");
    order.add(addresses_of("192.0.2.1 192.0.2.3"));
    CHECK(drain(order) == "192.0.2.3");
}

TEST_CASE("IPv6 comes first where it can be used and is not of a kind that comes after IPv4 (RFC 6724)") {
    struct row {
        char const* v6;
        char const* v4;
        bool usable;
        char const* joined;
    };
    for (auto const& [v6, v4, usable, joined] : {
             row{"2001:db8::1 2001:db8::2", "192.0.2.1", true, "2001:db8::1 2001:db8::2 192.0.2.1"},
             row{"2001:db8::1", "192.0.2.1 192.0.2.2", false, "192.0.2.1 192.0.2.2 2001:db8::1"},
             row{"::1", "127.0.0.1", true, "::1 127.0.0.1"},
             row{"fd00::1", "192.0.2.1", true, "192.0.2.1 fd00::1"},
             row{"fc00::1", "192.0.2.1", true, "192.0.2.1 fc00::1"},
             row{"fe00::1", "192.0.2.1", true, "fe00::1 192.0.2.1"},
             row{"2002:c000:201::1", "192.0.2.1", true, "192.0.2.1 2002:c000:201::1"},
             row{"2001::1", "192.0.2.1", true, "192.0.2.1 2001::1"},
             row{"2001:1::1", "192.0.2.1", true, "2001:1::1 192.0.2.1"},
             row{"3ffe::1", "192.0.2.1", true, "192.0.2.1 3ffe::1"},
             row{"::ffff:192.0.2.7", "192.0.2.1", true, "192.0.2.1 ::ffff:192.0.2.7"},
             row{"fec0::1", "192.0.2.1", true, "192.0.2.1 fec0::1"},
             row{"fd00::1", "", true, "fd00::1"},
             row{"", "192.0.2.1", true, "192.0.2.1"},
             row{"", "", true, ""},
         }) {
        INFO(v6 << " and " << v4);
        CHECK(as_text(net::join_families(addresses_of(v6), addresses_of(v4), usable)) == joined);
    }
}

TEST_CASE("attempts begin 250 ms apart, and go on beside each other (RFC 8305 5)") {
    timeline t;
    t.schedule.found(addresses_of("2001:db8::1 192.0.2.1 2001:db8::2"), true);
    CHECK(t.at(0) == "begin 2001:db8::1");
    CHECK(t.at(0) == "wait 250");
    CHECK(t.at(100) == "wait 150");
    CHECK(t.at(249) == "wait 1");
    CHECK(t.at(260) == "begin 192.0.2.1");
    CHECK(t.at(260) == "wait 250");
    CHECK(t.at(509) == "wait 1");
    CHECK(t.at(510) == "begin 2001:db8::2");
    CHECK(t.at(510) == "wait");  // there is nothing to begin any more
    CHECK(t.at(60'000) == "wait");
    t.fails(1);
    t.fails(0);
    CHECK(t.at(60'000) == "wait");
    t.fails(2);
    CHECK(t.at(60'000) == "give up");
}

TEST_CASE("where the newest attempt fails the next begins at once; where an older one does, in its time") {
    timeline t;
    t.schedule.found(addresses_of("192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4"), true);
    CHECK(t.at(0) == "begin 192.0.2.1");
    t.fails(0);
    CHECK(t.at(1) == "begin 192.0.2.2");
    CHECK(t.at(1) == "wait 250");
    CHECK(t.at(251) == "begin 192.0.2.3");
    t.fails(1);
    CHECK(t.at(300) == "wait 201");
    t.fails(2);
    CHECK(t.at(301) == "begin 192.0.2.4");
    CHECK(t.at(301) == "wait");
    t.fails(3);
    CHECK(t.at(302) == "give up");
}

TEST_CASE("addresses that are not known yet are waited for, and tried as soon as they come") {
    timeline t;
    CHECK(t.at(0) == "wait");
    t.schedule.found(addresses_of("2001:db8::1"), false);
    CHECK(t.at(10) == "begin 2001:db8::1");
    SECTION("while the first is under way, in their time") {
        CHECK(t.at(10) == "wait");
        t.schedule.found(addresses_of("2001:db8::1 192.0.2.1"), true);
        CHECK(t.at(20) == "wait 240");
        CHECK(t.at(260) == "begin 192.0.2.1");
    }
    SECTION("after the first has failed, at once") {
        t.fails(0);
        CHECK(t.at(20) == "wait");
        t.schedule.found(addresses_of("2001:db8::1 192.0.2.1"), true);
        CHECK(t.at(30) == "begin 192.0.2.1");
    }
    SECTION("later than the delay, at once") {
        t.schedule.found(addresses_of("2001:db8::1 192.0.2.1"), true);
        CHECK(t.at(400) == "begin 192.0.2.1");
    }
    SECTION("and where there are no others, that is the end") {
        t.fails(0);
        CHECK(t.at(20) == "wait");
        t.schedule.found(addresses_of("2001:db8::1"), true);
        CHECK(t.at(20) == "give up");
    }
}

TEST_CASE("a name without any address") {
    timeline t;
    t.schedule.found({}, true);
    CHECK(t.at(0) == "give up");
    CHECK(t.schedule.failure().code == errc::dns_error);
}

TEST_CASE("the failure that tells most is reported, the first of its kind, with its address") {
    struct row {
        std::vector<errc> failures;
        errc told;
        char const* detail;
    };
    auto const denied = errc::address_denied;
    auto const refused = errc::connection_refused;
    auto const silent = errc::connection_timeout;
    auto const nowhere = errc::unreachable;
    for (auto const& [failures, told, detail] : {
             row{{refused}, refused, "192.0.2.1: text 0"},
             row{{refused, refused}, refused, "192.0.2.1: text 0 (2 addresses tried)"},
             row{{denied}, denied, "text 0"},
             row{{denied, denied}, denied, "text 0"},
             row{{denied, refused}, refused, "192.0.2.2: text 1 (2 addresses tried)"},
             row{{refused, denied}, refused, "192.0.2.1: text 0 (2 addresses tried)"},
             row{{denied, nowhere}, nowhere, "192.0.2.2: text 1 (2 addresses tried)"},
             row{{nowhere, silent, nowhere}, silent, "192.0.2.2: text 1 (3 addresses tried)"},
             row{{nowhere, silent, refused}, refused, "192.0.2.3: text 2 (3 addresses tried)"},
             row{{refused, silent, nowhere}, refused, "192.0.2.1: text 0 (3 addresses tried)"},
             row{{refused, errc::limit_reached}, errc::limit_reached, "192.0.2.2: text 1 (2 addresses tried)"},
         }) {
        timeline t;
        t.schedule.found(addresses_of("192.0.2.1 192.0.2.2 192.0.2.3"), true);
        for (std::size_t i = 0; i < failures.size(); ++i) {
            REQUIRE(t.at(0).starts_with("begin "));
            t.fails(i, failures[i], "text " + std::to_string(i));
        }
        CHECK(t.schedule.failure().code == told);
        CHECK(t.schedule.failure().detail == detail);
    }
}

TEST_CASE("when the time is over, attempts under way got no answer; what was refused before still tells more") {
    timeline t;
    CHECK(t.schedule.out_of_time().code == errc::dns_timeout);
    t.schedule.found(addresses_of("192.0.2.1 192.0.2.2 192.0.2.3"), false);
    REQUIRE(t.at(0) == "begin 192.0.2.1");
    CHECK(t.schedule.out_of_time().code == errc::connection_timeout);
    CHECK(t.schedule.out_of_time().detail.starts_with("192.0.2.1: no answer in time"));
    t.fails(0, errc::unreachable);
    CHECK(t.schedule.out_of_time().code == errc::unreachable);
    REQUIRE(t.at(0) == "begin 192.0.2.2");
    CHECK(t.schedule.out_of_time().detail == "192.0.2.2: no answer in time ([timeouts] connect) (2 addresses tried)");
    t.fails(1, errc::connection_refused, "no");
    REQUIRE(t.at(0) == "begin 192.0.2.3");
    CHECK(t.schedule.out_of_time().detail == "192.0.2.2: no (3 addresses tried)");
}
