// Prometheus' text format, version 0.0.4.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "jitproxy/base/histogram.hpp"

namespace jitproxy::control {

enum class metric_kind : std::uint8_t { counter, gauge, histogram };

struct metric {
    std::string name;  // "jitproxy_requests_total"
    std::string help;
    metric_kind kind = metric_kind::gauge;
    std::uint64_t value = 0;
    std::vector<std::pair<std::string, std::string>> labels;  // not "le"
    std::optional<distribution> spread = {};                  // of a histogram, in place of `value`
};
// Metrics of one name must stand together; HELP and TYPE are written once a name.
[[nodiscard]] std::string render_metrics(std::vector<metric> const& metrics);

}  // namespace jitproxy::control
