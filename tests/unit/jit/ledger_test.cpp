#include "jitproxy/jit/ledger.hpp"

#include "fakes.hpp"

using namespace jitproxy;
using namespace jitproxy::jit;
using namespace jitproxy::jit::test;

namespace {

steady_time at(int s) {
    return steady_time{} + std::chrono::hours(1) + seconds(s);
}
std::string const api = "https://api.example:443";

std::string serves(ledger& l, std::string const& session, std::string const& resource, steady_time now) {
    auto const view = l.view(session);
    auto const* found = view.find(resource);
    return found == nullptr || found->usable_until <= now ? "nothing" : shown(found->token);
}

}  // namespace

TEST_CASE("ledger: a grant serves its session, origin and needs only") {
    ledger l{seconds(15)};
    auto const id = l.add("s1", api, "A", "req-1", token_of("scoped-1", seconds(300)), at(0)).id;
    struct row {
        std::string session, origin, needs;
        bool found;
    };
    for (auto const& r : std::vector<row>{{"s1", api, "A", true},
                                          {"s2", api, "A", false},
                                          {"s1", "https://api.example:8443", "A", false},
                                          {"s1", "http://api.example:443", "A", false},
                                          {"s1", api, "B", false},
                                          {"s1", api, "", false},
                                          {"", api, "A", false}})
        CHECK((l.find(r.session, r.origin, r.needs, at(1)) != nullptr) == r.found);
    CHECK(l.find(id)->request_id == "req-1");
    CHECK(l.find("grt_other") == nullptr);
}

TEST_CASE("ledger: resources lie on the grant's origin") {
    ledger l{seconds(15)};
    auto const id = l.add("s1", api, "A", "req-1", token_of("scoped-1"), at(0)).id;
    struct row {
        std::string resource;
        bool bound;
    };
    for (auto const& r : std::vector<row>{
             {"GET https://api.example:443/a", true},
             {"GET https://api.example:443", true},
             {"OPTIONS https://api.example:443*", true},
             {"GET https://api.example:443?q", true},
             {"GET https://api.example:4430/a", false},
             {"GET https://api.example:443.evil.example/a", false},
             {"GET https://evil.example:443/a", false},
             {"GET http://api.example:443/a", false},
             {"GEThttps://api.example:443/a", false},
             {"", false},
             {" ", false},
         }) {
        INFO(r.resource);
        CHECK(l.bind(id, r.resource) == r.bound);
        CHECK(serves(l, "s1", r.resource, at(1)) == (r.bound ? "scoped-1" : "nothing"));
        CHECK(serves(l, "s2", r.resource, at(1)) == "nothing");
    }
    CHECK_FALSE(l.bind("grt_other", "GET https://api.example:443/a"));
}

TEST_CASE("ledger: how long a token is used") {
    struct row {
        seconds life;
        seconds margin;
        int until;
    };
    for (auto const& r : std::vector<row>{{seconds(300), seconds(15), 285},
                                          {seconds(100), seconds(15), 90},
                                          {seconds(10), seconds(15), 9},
                                          {seconds(300), seconds(0), 300},
                                          {seconds(0), seconds(15), 285},
                                          {seconds(-1), seconds(15), 285}}) {
        ledger l{r.margin};
        auto const id = l.add("s1", api, "A", "req-1", token_of("scoped-1", r.life), at(0)).id;
        (void)l.bind(id, "GET " + api + "/a");
        CHECK(l.find("s1", api, "A", at(r.until - 1)) != nullptr);
        CHECK(l.live(at(r.until - 1)) == 1);
        CHECK(l.live("s1", at(r.until - 1)) == 1);
        CHECK(l.live("s2", at(r.until - 1)) == 0);
        CHECK(l.next_expiry() == at(r.until));
        CHECK(serves(l, "s1", "GET " + api + "/a", at(r.until - 1)) == "scoped-1");
        CHECK(l.find("s1", api, "A", at(r.until)) == nullptr);
        CHECK(serves(l, "s1", "GET " + api + "/a", at(r.until)) == "nothing");
        CHECK(l.live(at(r.until)) == 0);
        CHECK(l.prune(at(r.until - 1)).empty());
        CHECK(l.prune(at(r.until)) == std::vector<std::string>{"s1"});
        CHECK(l.find(id) == nullptr);
        CHECK_FALSE(l.next_expiry().has_value());
    }
}

TEST_CASE("ledger: a newer grant for the same needs takes over") {
    ledger l{seconds(15)};
    auto const first = l.add("s1", api, "A", "req-1", token_of("scoped-1"), at(0)).id;
    (void)l.bind(first, "GET " + api + "/a");
    auto const second = l.add("s1", api, "A", "req-2", token_of("scoped-2"), at(1)).id;
    CHECK(first != second);
    CHECK(l.find(first) == nullptr);
    CHECK(l.live(at(1)) == 1);
    CHECK(serves(l, "s1", "GET " + api + "/a", at(1)) == "scoped-2");
}

TEST_CASE("ledger: the latest need of a resource counts") {
    ledger l{seconds(15)};
    auto const a = l.add("s1", api, "A", "req-1", token_of("scoped-A"), at(0)).id;
    auto const b = l.add("s1", api, "B", "req-2", token_of("scoped-B"), at(0)).id;
    auto const other = l.add("s2", api, "A", "req-3", token_of("scoped-other"), at(0)).id;
    auto const resource = "GET " + api + "/a";
    (void)l.bind(a, resource);
    (void)l.bind(other, resource);
    (void)l.bind(b, resource);
    CHECK(serves(l, "s1", resource, at(1)) == "scoped-B");
    CHECK(serves(l, "s2", resource, at(1)) == "scoped-other");
    (void)l.bind(a, resource);
    CHECK(serves(l, "s1", resource, at(1)) == "scoped-A");
    CHECK(l.find(b)->resources.empty());
}

TEST_CASE("ledger: dropping") {
    ledger l{seconds(15)};
    auto const a = l.add("s1", api, "A", "req-1", token_of("scoped-A"), at(0)).id;
    (void)l.add("s1", api, "B", "req-2", token_of("scoped-B"), at(0));
    (void)l.add("s2", api, "A", "req-3", token_of("scoped-C"), at(0));
    CHECK(l.drop(a));
    CHECK_FALSE(l.drop(a));
    CHECK(l.live("s1", at(1)) == 1);
    l.drop_session("s1");
    CHECK(l.live("s1", at(1)) == 0);
    CHECK(l.live(at(1)) == 1);
    l.drop_session("s3");
    CHECK(l.live(at(1)) == 1);
}

TEST_CASE("ledger: resources of a grant are bounded, the oldest are forgotten") {
    ledger l{seconds(15)};
    auto const id = l.add("s1", api, "A", "req-1", token_of("scoped-A"), at(0)).id;
    auto const count = static_cast<int>(ledger::max_resources);
    for (int i = 0; i != count + 10; ++i) CHECK(l.bind(id, "GET " + api + "/" + std::to_string(i)));
    for (int i = 0; i != 3; ++i) CHECK(l.bind(id, "GET " + api + "/300"));
    CHECK(l.find(id)->resources.size() <= ledger::max_resources);
    CHECK(serves(l, "s1", "GET " + api + "/9", at(1)) == "nothing");
    CHECK(serves(l, "s1", "GET " + api + "/" + std::to_string(count + 9), at(1)) == "scoped-A");
}

TEST_CASE("ledger: pruning names each session once") {
    ledger l{seconds(0)};
    (void)l.add("s1", api, "A", "r", token_of("scoped-A", seconds(10)), at(0));
    (void)l.add("s1", api, "B", "r", token_of("scoped-B", seconds(10)), at(0));
    (void)l.add("s2", api, "A", "r", token_of("scoped-C", seconds(10)), at(0));
    (void)l.add("s3", api, "A", "r", token_of("scoped-D", seconds(20)), at(0));
    auto lost = l.prune(at(10));
    std::sort(lost.begin(), lost.end());
    CHECK(lost == std::vector<std::string>{"s1", "s2"});
    CHECK(l.next_expiry() == at(20));
}

TEST_CASE("grant table: what a reader has stays as it is, whatever is changed afterwards") {
    grant_table table;
    auto const bearer = [](std::string const& id) { return scoped_bearer{id, make_secret("scoped-" + id), at(1), {}}; };
    std::map<std::string, std::string> expected;
    std::vector<std::pair<grant_view, std::map<std::string, std::string>>> taken;
    std::uint32_t random = 7;
    auto const below = [&](std::uint32_t n) {
        random = random * 1664525U + 1013904223U;
        return (random >> 16U) % n;
    };
    for (int i = 0; i != 4000; ++i) {
        auto const key = "GET https://api.example:443/" + std::to_string(below(i < 2000 ? 400 : 20));
        if (below(4) == 0) {
            table.erase(key);
            expected.erase(key);
        } else {
            auto const id = std::to_string(i);
            table.put(key, bearer(id));
            expected[key] = id;
        }
        if (i % 97 == 0) taken.emplace_back(table.view(), expected);
    }
    taken.emplace_back(table.view(), expected);
    for (auto const& [view, was] : taken) {
        CHECK(view.size() == was.size());
        CHECK(view.empty() == was.empty());
        std::map<std::string, std::string> all;
        for (auto const& [key, b] : view.all()) all[key] = b.grant_id;
        CHECK(all == was);
        for (auto const& [key, id] : was) {
            auto const* found = view.find(key);
            REQUIRE(found != nullptr);
            CHECK(found->grant_id == id);
        }
        CHECK(view.find("GET https://api.example:443/none") == nullptr);
    }
}

TEST_CASE("grant table: a token that was dropped or replaced ends with the copies that were taken before") {
    grant_table table;
    std::map<std::string, std::weak_ptr<secret const>> tokens;
    auto const put = [&](std::string const& resource, std::string const& id) {
        auto const token = make_secret("scoped-" + id);
        tokens[id] = token;
        table.put(resource, {id, token, at(1), {}});
    };
    for (int i = 0; i != 100; ++i) put("GET /" + std::to_string(i), std::to_string(i));
    auto before = table.view();
    table.erase("GET /7");
    put("GET /8", "new");
    auto now = table.view();
    CHECK_FALSE(tokens["7"].expired());  // a reader has it
    before = {};
    CHECK(tokens["7"].expired());
    CHECK(tokens["8"].expired());
    CHECK(now.find("GET /7") == nullptr);
    CHECK(now.find("GET /8")->grant_id == "new");
    for (int i = 0; i != 100; ++i) table.erase("GET /" + std::to_string(i));
    now = table.view();
    CHECK(now.empty());
    for (auto const& [id, token] : tokens) CHECK(token.expired());
}
