#include "jitproxy/control/query.hpp"

#include <algorithm>
#include <array>

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

std::optional<error> wrong_member(json::object const& o, std::initializer_list<std::string_view> strings,
                                  std::string_view number) {
    for (auto const& [key, value] : o) {
        std::string_view const name = key;
        bool const is_string = std::find(strings.begin(), strings.end(), name) != strings.end();
        if (!is_string && name != number)
            return make_error(errc::bad_argument, "unknown member \"" + std::string(name) + "\"");
        if (value.is_null() || (is_string ? value.is_string() : value.is_int64())) continue;
        return make_error(errc::bad_argument,
                          "\"" + std::string(name) + "\" must be a " + (is_string ? "string" : "whole number"));
    }
    return std::nullopt;
}

std::optional<error> wrong_query(parsed_target const& target, std::string_view known) {
    for (auto const& [name, value] : target.query) {
        if (name != known) return make_error(errc::bad_argument, "unknown query parameter \"" + name + "\"");
        if (name == "attached" && !value.empty() && value != "0" && value != "false" && !target.flag(name))
            return make_error(errc::bad_argument, "attached must be true or false");
        static constexpr std::array<std::string_view, 7> statuses{"pending", "approved", "granted", "denied",
                                                                  "expired", "refused",  "error"};
        if (name == "status" && std::find(statuses.begin(), statuses.end(), value) == statuses.end())
            return make_error(errc::bad_argument,
                              "status must be pending, approved, granted, denied, expired, refused or error");
    }
    return std::nullopt;
}

}  // namespace jitproxy::control
