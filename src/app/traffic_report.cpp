#include "jitproxy/app/traffic_report.hpp"

namespace jitproxy::app {
namespace {

using enum control::metric_kind;
using list = std::vector<control::metric>;

void add_requests(list& out, proxy::counters const& n) {
    for (auto const& [api, of] : n.apis)
        for (std::size_t i = 0; i != of.requests.size(); ++i)
            out.push_back({"jitproxy_requests_total",
                           "Requests that are over, by API and how they ended",
                           counter,
                           of.requests[i],
                           {{"api", api}, {"outcome", std::string(to_string(static_cast<proxy::outcome>(i)))}}});
    for (auto const& [api, of] : n.apis)
        out.push_back({"jitproxy_request_seconds",
                       "Time from a request's complete head to the end of its answer",
                       histogram,
                       0,
                       {{"api", api}},
                       of.duration});
    for (auto const& [code, count] : n.error_codes)
        out.push_back({"jitproxy_errors_total",
                       "Requests that the proxy answered itself or that broke off, by error",
                       counter,
                       count,
                       {{"error", std::string(name_of(code))}}});
}

void add_escalations(list& out, proxy::counters const& n) {
    for (std::size_t i = 0; i != n.escalation_results.size(); ++i)
        out.push_back({"jitproxy_escalations_total",
                       "Answers that named a missing permission, by what came of asking for it",
                       counter,
                       n.escalation_results[i],
                       {{"result", std::string(to_string(static_cast<proxy::escalation>(i)))}}});
    out.push_back({"jitproxy_approval_wait_seconds",
                   "Time that requests waited for a permission, without those that had a grant already",
                   histogram,
                   0,
                   {},
                   n.approval_wait});
}

void add_upstream(list& out, proxy::counters const& n) {
    out.push_back({"jitproxy_upstream_connects_total",
                   "Connections to origins, TLS included where it was needed, by result",
                   counter,
                   n.upstream_connects,
                   {{"result", "ok"}}});
    out.push_back({"jitproxy_upstream_connects_total", "", counter, n.upstream_failures, {{"result", "failed"}}});
    out.push_back(
        {"jitproxy_upstream_reuses_total", "Requests on kept connections to origins", counter, n.upstream_reuses, {}});
    auto const* const now = "Connections to origins now, kept for later or in use";
    out.push_back({"jitproxy_upstream_connections", now, gauge, n.upstream_idle, {{"state", "idle"}}});
    out.push_back({"jitproxy_upstream_connections", now, gauge, n.upstream_busy, {{"state", "busy"}}});
    auto const* const cache = "Intercepted connections, by whether the certificate was at hand or had to be minted";
    out.push_back({"jitproxy_leaf_cache_requests_total", cache, counter, n.leaf_hits, {{"result", "hit"}}});
    out.push_back({"jitproxy_leaf_cache_requests_total", cache, counter, n.leaf_misses, {{"result", "miss"}}});
    out.push_back({"jitproxy_leaf_cache_size", "Minted certificates at hand", gauge, n.leaf_size, {}});
    auto const* const bytes = "Bytes sent to and received from origins by what is over, heads too";
    out.push_back({"jitproxy_bytes_total", bytes, counter, n.bytes_up, {{"direction", "up"}}});
    out.push_back({"jitproxy_bytes_total", bytes, counter, n.bytes_down, {{"direction", "down"}}});
}

void add_authorization_server(list& out, as_meter::counts const& calls, bool as_down) {
    out.push_back(
        {"jitproxy_as_circuit_open", "1 while the authorization server is left alone", gauge, as_down ? 1U : 0U, {}});
    std::map<std::pair<std::string, bool>, std::uint64_t> refreshes;  // by token and whether it came
    for (auto const* token : {"agent", "delegated"})
        for (bool const came : {true, false}) refreshes[{token, came}] = 0;
    for (auto const& [key, count] : calls) {
        auto const& [endpoint, result] = key;
        out.push_back({"jitproxy_as_calls_total",
                       "Calls to the authorization server, by endpoint and result",
                       counter,
                       count,
                       {{"endpoint", endpoint}, {"result", result}}});
        if (endpoint == "agent_token") refreshes[{"agent", result == "ok"}] += count;
        if (endpoint == "delegation") refreshes[{"delegated", result == "ok"}] += count;
    }
    for (auto const& [key, count] : refreshes)
        out.push_back({"jitproxy_token_refreshes_total",
                       "Tokens of sessions fetched, the agent's own and those that act for a user",
                       counter,
                       count,
                       {{"token", key.first}, {"result", key.second ? "ok" : "failed"}}});
}

}  // namespace

std::vector<control::metric> traffic_metrics(proxy::counters const& n, as_meter::counts const& calls, bool as_down) {
    list out{
        {"jitproxy_connections_total", "Client connections accepted", counter, n.connections, {}},
        {"jitproxy_open_connections", "Client connections open now", gauge, n.open_connections, {}},
        {"jitproxy_users_denied_total", "Client connections refused by allow_users", counter, n.users_denied, {}},
        {"jitproxy_tunnels_total", "Blind tunnels opened", counter, n.tunnels, {}},
    };
    add_requests(out, n);
    add_escalations(out, n);
    add_upstream(out, n);
    add_authorization_server(out, calls, as_down);
    return out;
}

json::object traffic_counters(proxy::counters const& n) {
    json::object escalations;
    for (std::size_t i = 0; i != n.escalation_results.size(); ++i)
        if (n.escalation_results[i] > 0)
            escalations[to_string(static_cast<proxy::escalation>(i))] = n.escalation_results[i];
    json::object outcomes;
    std::uint64_t requests = 0;
    for (std::size_t i = 0; i != proxy::outcome_count; ++i) {
        std::uint64_t sum = 0;
        for (auto const& [api, of] : n.apis) sum += of.requests[i];
        requests += sum;
        if (sum > 0) outcomes[to_string(static_cast<proxy::outcome>(i))] = sum;
    }
    return {{"connections", n.connections},
            {"open_connections", n.open_connections},
            {"requests", requests},
            {"tunnels", n.tunnels},
            {"escalations", n.escalations},
            {"errors", n.errors},
            {"users_denied", n.users_denied},
            {"upstream_connects", n.upstream_connects},
            {"upstream_failures", n.upstream_failures},
            {"upstream_reuses", n.upstream_reuses},
            {"upstream_idle", n.upstream_idle},
            {"upstream_busy", n.upstream_busy},
            {"bytes_up", n.bytes_up},
            {"bytes_down", n.bytes_down},
            {"outcomes", std::move(outcomes)},
            {"escalation_results", std::move(escalations)}};
}

}  // namespace jitproxy::app
