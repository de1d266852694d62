#include "jitproxy/control/metrics.hpp"

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

}  // namespace

std::string render_metrics(std::vector<metric> const& metrics) {
    std::string out;
    std::string_view last;
    for (auto const& m : metrics) {
        if (m.name != last) {
            out += "# HELP " + m.name + " " + escape(m.help, false) + "\n# TYPE " + m.name +
                   (m.kind == metric_kind::counter ? " counter\n" : " gauge\n");
            last = m.name;
        }
        out += m.name;
        for (std::size_t i = 0; i < m.labels.size(); ++i)
            out += (i == 0 ? "{" : ",") + m.labels[i].first + "=\"" + escape(m.labels[i].second, true) + "\"";
        if (!m.labels.empty()) out += "}";
        out += " " + std::to_string(m.value) + "\n";
    }
    return out;
}

}  // namespace jitproxy::control
