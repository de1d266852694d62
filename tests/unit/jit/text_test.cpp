#include "jitproxy/jit/text.hpp"

#include "catch.hpp"

using namespace jitproxy;
using namespace jitproxy::jit;

TEST_CASE("justification") {
    policy::api a;
    a.name = "acme";
    permission_need n;
    n.method = "GET";
    n.url = "https://api.example/{host}/doc";
    n.origin = "https://api.example:443";
    struct row {
        std::string own, pattern, said;
    };
    for (auto const& r : std::vector<row>{
             {"why not", "{method}", "why not"},
             {"  ", "{method}", "GET"},
             {"", "{method} {url}", "GET https://api.example/{host}/doc"},  // what is filled in is not looked into
             {"", "{api}/{host}", "acme/api.example:443"},
             {"", "{unknown} {method", "{unknown} {method"},
             {"", "{{method}}", "{GET}"},
             {"", "", ""},
             {"", "a\nb", "a b"},
         }) {
        a.justification = r.pattern;
        n.api = std::make_shared<policy::api const>(a);
        n.justification = r.own;
        CHECK(justification_of(n, "") == r.said);
    }
    n.justification.clear();
    CHECK(justification_of(n, "the session's: {method}") == "the session's: GET");
    n.justification = "the agent's";
    CHECK(justification_of(n, "the session's") == "the agent's");
    n.api = nullptr;
    n.justification.clear();
    CHECK(justification_of(n, "") == "GET https://api.example/{host}/doc");
    n.url = std::string(1000, 'u');
    CHECK(justification_of(n, "").size() == 500);
}

TEST_CASE("what a client is told of a failure") {
    CHECK(outcome_of({errc::as_unreachable, "no answer\nin 10s", 0}).reason == "no answer in 10s");
    CHECK(outcome_of({errc::as_unreachable, "", 0}).reason == "as_unreachable");
    CHECK(outcome_of({errc::as_unreachable, "", 0}).retry_after > 0);
    CHECK(outcome_of({errc::as_unreachable, "", 33}).retry_after == 33);
    CHECK(outcome_of({errc::as_rejected, "", 0}).retry_after == 0);
    CHECK(outcome_of({errc::as_rejected, "", 0}, "req-1").request_id == "req-1");
    CHECK(outcome_of({errc::as_rejected, "", 0}).status == permission_status::error);
    CHECK(outcome_of({errc::permission_not_asked, "", 0}).status == permission_status::refused);
    CHECK(outcome_of({errc::as_rejected, std::string(1000, 'x'), 0}).reason.size() == longest_reason);
}
