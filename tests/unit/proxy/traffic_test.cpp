#include "jitproxy/proxy/traffic.hpp"

#include <set>

#include "catch.hpp"

using namespace jitproxy;
using namespace jitproxy::proxy;
using namespace std::chrono_literals;

TEST_CASE("workers' counts add up, API by API") {
    traffic a;
    traffic b;
    add(a.tunnels);
    add(b.tunnels, 2);
    add(a.of("acme").requests[static_cast<std::size_t>(outcome::granted)]);
    add(b.of("acme").requests[static_cast<std::size_t>(outcome::granted)], 4);
    add(b.of("other").requests[static_cast<std::size_t>(outcome::failed)]);
    b.of_none().duration.observe(3ms);
    a.failed(errc::dns_error);
    b.failed(errc::dns_error);
    b.failed(errc::internal);
    a.upstream_open = 3;
    a.upstream_idle = 1;
    b.upstream_open = 1;
    b.upstream_idle = 2;  // two counters, two moments: never fewer than none
    counters sum;
    a.add_to(sum);
    b.add_to(sum);
    CHECK(sum.tunnels == 3);
    CHECK(sum.apis.size() == 3);
    CHECK(sum.apis.at("acme").requests[static_cast<std::size_t>(outcome::granted)] == 5);
    CHECK(sum.apis.at("other").requests[static_cast<std::size_t>(outcome::failed)] == 1);
    CHECK(sum.apis.find(no_api)->second.duration.total() == 1);
    CHECK(sum.error_codes == std::map<errc, std::uint64_t>{{errc::dns_error, 2}, {errc::internal, 1}});
    CHECK(sum.errors == 3);
    CHECK(sum.upstream_idle == 3);
    CHECK(sum.upstream_busy == 2);
}

TEST_CASE("a row stays where it is while others come") {
    traffic t;
    auto* const first = &t.of("first");
    for (int i = 0; i < 100; ++i) (void)t.of("api-" + std::to_string(i));
    CHECK(&t.of("first") == first);
    CHECK(first->name == "first");
    CHECK(&t.of(no_api) == &t.of_none());
}

TEST_CASE("every outcome and result has a name of its own") {
    std::set<std::string_view> names;
    for (std::size_t i = 0; i != outcome_count; ++i) names.insert(to_string(static_cast<outcome>(i)));
    CHECK(names.size() == outcome_count);
    CHECK(to_string(outcome::tunneled) == "tunneled");
    names.clear();
    for (std::size_t i = 0; i != escalation_count; ++i) names.insert(to_string(static_cast<escalation>(i)));
    CHECK(names.size() == escalation_count);
    CHECK(to_string(escalation::abandoned) == "abandoned");
    // Those of a permission have the names that the agent sees in JIT-Request-Status.
    using enum jit::permission_status;
    for (auto const status : {granted, denied, pending, expired, refused, error}) {
        CHECK(to_string(outcome_of(status)) == jit::to_string(status));
        jit::permission_outcome decided;
        decided.status = status;
        CHECK(to_string(result_of(decided)) == jit::to_string(status));
    }
}

TEST_CASE("a grant that was there already is no wait for a permission") {
    traffic t;
    jit::permission_outcome cached;
    cached.status = jit::permission_status::granted;
    cached.cached = true;
    t.escalated(result_of(cached), 0us);
    t.escalated(escalation::granted, 90s);
    counters sum;
    t.add_to(sum);
    CHECK(sum.escalation_results[static_cast<std::size_t>(escalation::reused)] == 1);
    CHECK(sum.escalation_results[static_cast<std::size_t>(escalation::granted)] == 1);
    CHECK(sum.approval_wait.total() == 1);
    CHECK(sum.approval_wait.sum == 90'000'000);
}
