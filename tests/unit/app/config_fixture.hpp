// A configuration's text in, what is wrong with it out.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "jitproxy/app/config_load.hpp"

namespace jitproxy::app::testing {

using variables = std::map<std::string, std::string, std::less<>>;

inline variable_lookup lookup(variables v) {
    return [v = std::move(v)](std::string_view name) -> std::optional<std::string> {
        auto const found = v.find(name);
        if (found == v.end() || found->second.empty()) return std::nullopt;
        return found->second;
    };
}

inline variables credentials() {
    return {{"LUMOAUTH_TENANT", "acme-corp"},
            {"AGENT_CLIENT_ID", "agt_1"},
            {"AGENT_CLIENT_SECRET", "hush-hush"},
            {"HOME", "/nonexistent"}};
}

struct load_order {
    std::string text;
    variables vars = credentials();
    std::vector<config_flag> flags = {};
    std::vector<std::string> protect = {};
    bool need_credentials = true;
};

inline loaded_config load(load_order order) {
    config_sources sources;
    sources.file = "/etc/test.toml";
    sources.file_text = order.text.empty() ? "\n" : order.text;
    sources.flags = std::move(order.flags);
    sources.protect = std::move(order.protect);
    sources.variables = lookup(std::move(order.vars));
    sources.need_credentials = order.need_credentials;
    return load_config(sources);
}

inline std::vector<std::string> problems(load_order order) {
    std::vector<std::string> out;
    for (auto const& p : load(std::move(order)).problems) out.push_back(p.text());
    return out;
}

}  // namespace jitproxy::app::testing
