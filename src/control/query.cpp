#include "jitproxy/control/query.hpp"

#include "jitproxy/base/encoding.hpp"

namespace jitproxy::control {
namespace {

std::string_view cut(std::string_view& rest, char separator) {
    auto const end = rest.find(separator);
    auto const out = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    return out;
}

}  // namespace

bool parsed_target::flag(std::string const& name) const {
    auto const found = query.find(name);
    if (found == query.end()) return false;
    return found->second.empty() || found->second == "1" || found->second == "true" || found->second == "yes";
}

std::optional<parsed_target> parse_target(std::string_view target) {
    if (!target.starts_with('/')) return std::nullopt;
    parsed_target out;
    auto query = target;
    auto path = cut(query, '?');
    path.remove_prefix(1);
    while (!path.empty()) {
        auto segment = percent_decode(cut(path, '/'));
        if (!segment || segment->empty()) return std::nullopt;
        out.segments.push_back(std::move(*segment));
    }
    while (!query.empty()) {
        auto value = cut(query, '&');
        auto const name = percent_decode(cut(value, '='));
        auto const decoded = percent_decode(value);
        if (!name || !decoded) return std::nullopt;
        out.query[*name] = *decoded;
    }
    return out;
}

}  // namespace jitproxy::control
