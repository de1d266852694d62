#include "jitproxy/policy/rules.hpp"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "one_spelling.hpp"

namespace jitproxy::policy {
namespace {

// For messages only.
std::string text_of(http::authority const& a) {
    return (a.host.find(':') == std::string::npos ? a.host : '[' + a.host + ']') + ':' + std::to_string(a.port);
}

std::string ports_of(api const& a) {
    std::string text;
    for (auto const port : a.ports) text += (text.empty() ? "" : ", ") + std::to_string(port);
    return text.empty() ? "none" : text;
}

// Calls `visit` with every name that a suffix pattern for `host` could have, the longest first, until it says true.
template <class Visit>
void for_each_parent(std::string_view host, Visit&& visit) {
    for (auto dot = host.find('.'); dot != std::string_view::npos; dot = host.find('.')) {
        host.remove_prefix(dot + 1);
        if (visit(host)) return;
    }
}

}  // namespace

rules::rules(std::vector<api> apis, egress e, address_guard guard) : egress_(std::move(e)), guard_(std::move(guard)) {
    apis_.reserve(apis.size());
    for (auto& a : apis) {
        auto const shared = apis_.emplace_back(std::make_shared<api const>(std::move(a)));
        for (auto const& pattern : shared->hosts) {
            auto& same_name = (pattern.is_suffix() ? suffix_ : exact_)[pattern.name()];
            if (same_name.empty() || same_name.back() != shared) same_name.push_back(shared);
        }
    }
}

rules::match rules::find_host(http::authority const& destination) const {
    match found;
    auto const look = [&](index const& in, std::string_view name) {
        auto const it = in.find(name);
        if (it == in.end()) return false;
        for (auto const& a : it->second) {
            if (std::find(a->ports.begin(), a->ports.end(), destination.port) != a->ports.end()) {
                found = {a, true};
                return true;
            }
            if (!found.api) found.api = a;
        }
        return false;
    };
    if (!look(exact_, one_spelling(destination.host)) && !destination.is_ip && !suffix_.empty())
        for_each_parent(destination.host, [&](std::string_view parent) { return look(suffix_, parent); });
    return found;
}

api_ptr rules::api_of_host(http::authority const& destination) const {
    return find_host(destination).api;
}

result<api_ptr> rules::find_api(http::authority const& destination) const {
    auto found = find_host(destination);
    if (found.api && !found.on_port)
        return make_error(errc::port_denied, text_of(destination) + " is a host of the protected API \"" +
                                                 found.api->name + "\", which is served on port " +
                                                 ports_of(*found.api) +
                                                 " only; where this port belongs to it too, add it to [[api]] ports");
    return std::move(found.api);
}

bool rules::egress_allows(std::string_view host) const noexcept {
    return !egress_.deny_by_default || std::any_of(egress_.allow.begin(), egress_.allow.end(),
                                                   [&](host_pattern const& pattern) { return pattern.matches(host); });
}

result<route> rules::route_request(http::authority const& destination) const {
    auto found = find_api(destination);
    if (!found) return found.error();
    if (*found) return route{route_kind::protected_api, std::move(*found)};
    if (!egress_allows(one_spelling(destination.host)))
        return make_error(errc::host_denied, text_of(destination) +
                                                 " is no protected API and [egress] default is \"deny\"; to let the "
                                                 "host through, add it to [egress] allow");
    return route{};
}

result<route> rules::route_connect(http::authority const& destination) const {
    auto decided = route_request(destination);
    if (!decided || decided->kind == route_kind::protected_api || egress_.any_connect_port) return decided;
    auto const& ports = egress_.connect_ports;
    if (std::find(ports.begin(), ports.end(), destination.port) == ports.end())
        return make_error(errc::port_denied, "a tunnel to " + text_of(destination) +
                                                 " is not allowed; to let this port through, add it to [egress] "
                                                 "connect_ports");
    return decided;
}

std::vector<std::string> rules::protected_names() const {
    std::vector<std::string> names;
    std::unordered_set<std::string> seen;
    for (auto const& a : apis_) {
        for (auto const& pattern : a->hosts) {
            auto name = pattern.is_suffix() ? '.' + pattern.name() : pattern.name();
            if (seen.insert(name).second) names.push_back(std::move(name));
        }
    }
    return names;
}

}  // namespace jitproxy::policy
