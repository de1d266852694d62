#include "jitproxy/control/metrics.hpp"

#include <cstdio>

namespace jitproxy::control {
namespace {

std::string escape(std::string_view text, bool quotes) {
    std::string out;
    for (char const ch : text) {
        if (ch == '\n') {
            out += "\\n";
        } else {
            if (ch == '\\' || (quotes && ch == '"')) out += '\\';
            out += ch;
        }
    }
    return out;
}

std::string number(double d) {
    char text[32];
    std::snprintf(text, sizeof text, "%g", d);
    return text;
}

std::string microseconds_as_seconds(std::uint64_t us) {  // exactly: a sum that a double has rounded may fall
    char text[40];
    std::snprintf(text, sizeof text, "%llu.%06llu", static_cast<unsigned long long>(us / 1'000'000),
                  static_cast<unsigned long long>(us % 1'000'000));
    return text;
}

char const* type_of(metric_kind kind) noexcept {
    switch (kind) {
        case metric_kind::counter:
            return " counter\n";
        case metric_kind::gauge:
            return " gauge\n";
        case metric_kind::histogram:
            break;
    }
    return " histogram\n";
}

// `le` is the last label; empty: there is none.
void append_sample(std::string& out, metric const& m, char const* suffix, std::string const& value,
                   std::string_view le = {}) {
    out.append(m.name).append(suffix);
    char separator = '{';
    auto const label = [&](std::string_view name, std::string_view text) {
        out.append(1, separator).append(name).append("=\"").append(escape(text, true)).append(1, '"');
        separator = ',';
    };
    for (auto const& [name, text] : m.labels) label(name, text);
    if (!le.empty()) label("le", le);
    if (separator == ',') out += '}';
    out.append(1, ' ').append(value).append(1, '\n');
}

void append_histogram(std::string& out, metric const& m) {
    std::uint64_t below = 0;  // buckets are cumulative
    for (std::size_t i = 0; i != m.spread->counts.size(); ++i) {
        below += m.spread->counts[i];
        std::string bound = "+Inf";
        if (i != m.spread->bounds.size()) bound = number(m.spread->bounds[i]);
        append_sample(out, m, "_bucket", std::to_string(below), bound);
    }
    append_sample(out, m, "_sum", microseconds_as_seconds(m.spread->sum));
    append_sample(out, m, "_count", std::to_string(below));
}

}  // namespace

std::string render_metrics(std::vector<metric> const& metrics) {
    std::string out;
    std::string_view last;
    for (auto const& m : metrics) {
        if (m.name != last) {
            out += "# HELP " + m.name + " " + escape(m.help, false) + "\n# TYPE " + m.name + type_of(m.kind);
            last = m.name;
        }
        if (m.spread)
            append_histogram(out, m);
        else
            append_sample(out, m, "", std::to_string(m.value));
    }
    return out;
}

}  // namespace jitproxy::control
