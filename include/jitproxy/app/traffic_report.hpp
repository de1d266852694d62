// What the proxy and the calls to the authorization server count, as /metrics and status tell it.
#pragma once
#include <vector>

#include "jitproxy/app/as_meter.hpp"
#include "jitproxy/base/json.hpp"
#include "jitproxy/control/metrics.hpp"
#include "jitproxy/proxy/server.hpp"

namespace jitproxy::app {

[[nodiscard]] std::vector<control::metric> traffic_metrics(proxy::counters const& n, as_meter::counts const& calls,
                                                           bool as_down);
[[nodiscard]] json::object traffic_counters(proxy::counters const& n);

}  // namespace jitproxy::app
