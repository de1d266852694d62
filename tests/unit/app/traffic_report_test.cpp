#include "jitproxy/app/traffic_report.hpp"

#include <algorithm>

#include "catch.hpp"

using namespace jitproxy;
using namespace jitproxy::app;

namespace {

proxy::counters busy() {
    proxy::counters n;
    n.apis["acme"].requests[static_cast<std::size_t>(proxy::outcome::granted)] = 3;
    n.apis["acme"].duration.counts[0] = 3;
    n.apis["-"].requests[static_cast<std::size_t>(proxy::outcome::tunneled)] = 2;
    n.escalation_results[static_cast<std::size_t>(proxy::escalation::denied)] = 4;
    n.error_codes[errc::dns_error] = 5;
    n.upstream_connects = 6;
    n.upstream_failures = 7;
    n.upstream_idle = 8;
    n.upstream_busy = 9;
    n.leaf_hits = 10;
    n.leaf_misses = 11;
    n.leaf_size = 12;
    return n;
}

}  // namespace

TEST_CASE("what was counted is told under its name and labels") {
    as_meter::counts const calls{
        {{"agent_token", "ok"}, 1}, {{"agent_token", "as_unclear"}, 2}, {{"delegation", "ok"}, 3}, {{"poll", "ok"}, 4}};
    auto const text = control::render_metrics(traffic_metrics(busy(), calls, true));
    for (auto const* line : {
             "jitproxy_requests_total{api=\"acme\",outcome=\"granted\"} 3\n",
             "jitproxy_requests_total{api=\"acme\",outcome=\"served\"} 0\n",
             "jitproxy_requests_total{api=\"-\",outcome=\"tunneled\"} 2\n",
             "jitproxy_request_seconds_bucket{api=\"acme\",le=\"0.001\"} 3\n",
             "jitproxy_escalations_total{result=\"denied\"} 4\n",
             "jitproxy_approval_wait_seconds_bucket{le=\"+Inf\"} 0\n",
             "jitproxy_errors_total{error=\"dns_error\"} 5\n",
             "jitproxy_upstream_connects_total{result=\"ok\"} 6\n",
             "jitproxy_upstream_connects_total{result=\"failed\"} 7\n",
             "jitproxy_upstream_connections{state=\"idle\"} 8\n",
             "jitproxy_upstream_connections{state=\"busy\"} 9\n",
             "jitproxy_leaf_cache_requests_total{result=\"hit\"} 10\n",
             "jitproxy_leaf_cache_requests_total{result=\"miss\"} 11\n",
             "jitproxy_leaf_cache_size 12\n",
             "jitproxy_as_circuit_open 1\n",
             "jitproxy_as_calls_total{endpoint=\"poll\",result=\"ok\"} 4\n",
             "jitproxy_token_refreshes_total{token=\"agent\",result=\"ok\"} 1\n",
             "jitproxy_token_refreshes_total{token=\"agent\",result=\"failed\"} 2\n",
             "jitproxy_token_refreshes_total{token=\"delegated\",result=\"ok\"} 3\n",
             "jitproxy_token_refreshes_total{token=\"delegated\",result=\"failed\"} 0\n",
         }) {
        INFO(line << text);
        CHECK(text.find(line) != std::string::npos);
    }
}

TEST_CASE("each metric stands together, with one type and one help") {
    auto const all = traffic_metrics(busy(), {{{"poll", "ok"}, 1}}, false);
    std::vector<std::string> seen;
    for (auto const& m : all) {
        if (!seen.empty() && seen.back() == m.name) continue;
        INFO(m.name);
        CHECK(std::find(seen.begin(), seen.end(), m.name) == seen.end());
        CHECK_FALSE(m.help.empty());
        CHECK(m.spread.has_value() == (m.kind == control::metric_kind::histogram));
        seen.push_back(m.name);
    }
}

TEST_CASE("status counts outcomes over all APIs, and leaves out what never happened") {
    auto n = busy();
    n.apis["other"].requests[static_cast<std::size_t>(proxy::outcome::granted)] = 1;
    auto const told = traffic_counters(n);
    CHECK(told.at("requests") == 6);  // what is over, as the metrics have it
    CHECK(told.at("outcomes") == json::value{{"granted", 4}, {"tunneled", 2}});
    CHECK(told.at("escalation_results") == json::value{{"denied", 4}});
    CHECK(told.at("upstream_busy") == 9);
}
