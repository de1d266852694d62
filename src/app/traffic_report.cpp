#include "jitproxy/app/traffic_report.hpp"

namespace jitproxy::app {

std::vector<control::metric> traffic_metrics(proxy::counters const& n, as_meter::counts const& calls, bool as_down) {
    using enum control::metric_kind;
    std::vector<control::metric> out{
        {"jitproxy_connections_total", "Client connections accepted", counter, n.connections, {}},
        {"jitproxy_open_connections", "Client connections open now", gauge, n.open_connections, {}},
        {"jitproxy_requests_total", "Requests read", counter, n.requests, {}},
        {"jitproxy_tunnels_total", "Blind tunnels opened", counter, n.tunnels, {}},
        {"jitproxy_escalations_total", "Answers that named a missing permission", counter, n.escalations, {}},
        {"jitproxy_errors_total", "Answers that the proxy made itself", counter, n.errors, {}},
        {"jitproxy_upstream_connects_total", "Connections made to origins", counter, n.upstream_connects, {}},
        {"jitproxy_upstream_reuses_total", "Requests on kept connections to origins", counter, n.upstream_reuses, {}},
        {"jitproxy_bytes_total", "Body and tunnel bytes", counter, n.bytes_up, {{"direction", "up"}}},
        {"jitproxy_bytes_total", "Body and tunnel bytes", counter, n.bytes_down, {{"direction", "down"}}},
        {"jitproxy_as_circuit_open", "1 while the authorization server is left alone", gauge, as_down ? 1U : 0U, {}},
    };
    for (auto const& [key, count] : calls)
        out.push_back({"jitproxy_as_calls_total",
                       "Calls to the authorization server",
                       counter,
                       count,
                       {{"call", key.first}, {"outcome", key.second}}});
    return out;
}

json::object traffic_counters(proxy::counters const& n) {
    return {{"connections", n.connections},
            {"open_connections", n.open_connections},
            {"requests", n.requests},
            {"tunnels", n.tunnels},
            {"escalations", n.escalations},
            {"errors", n.errors},
            {"upstream_connects", n.upstream_connects},
            {"upstream_reuses", n.upstream_reuses},
            {"bytes_up", n.bytes_up},
            {"bytes_down", n.bytes_down}};
}

}  // namespace jitproxy::app
