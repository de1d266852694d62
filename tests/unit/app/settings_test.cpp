#include "jitproxy/app/settings.hpp"

#include <algorithm>

#include "catch.hpp"

using namespace jitproxy;
using namespace jitproxy::app;

namespace {

std::string path_of(config_key const& key) {
    return std::string(key.table) + "." + std::string(key.name);
}

// Some other value; whether it makes sense does not matter here.
void change(slot const& where) {
    if (auto* const* text = std::get_if<std::string*>(&where)) **text += "x";
    if (auto* const* truth = std::get_if<bool*>(&where)) **truth = !**truth;
    if (auto* const* number = std::get_if<std::uint64_t*>(&where)) **number += 1;
    if (auto* const* time = std::get_if<milliseconds*>(&where)) **time += seconds{1};
    if (auto* const* list = std::get_if<std::vector<std::string>*>(&where)) (*list)->emplace_back("x");
    if (auto* const* ports = std::get_if<port_set*>(&where)) (*ports)->ports.push_back(7);
}

config two_tables() {
    config c;
    c.apis.resize(1);
    c.agents.resize(1);
    return c;
}

// What composition::replace hands on. The rest of the keys must be reported.
constexpr std::string_view taken_up[] = {
    "authorization_server.client_secret_file",
    "authorization_server.scope",
    "agent.client_secret_file",
    "agent.scope",
    "api.name",
    "api.hosts",
    "api.ports",
    "api.ca_file",
    "api.upstream_tls",
    "api.authorization",
    "api.types",
    "api.requested_ttl",
    "api.justification",
    "api.allow_plain_http",
    "api.client_certificate_file",
    "api.client_key_file",
    "api.hold",
    "egress.default",
    "egress.allow",
    "egress.connect_ports",
    "egress.allow_addresses",
    "limits.connections",
    "limits.session_connections",
    "limits.request_line_bytes",
    "limits.head_bytes",
    "limits.head_fields",
    "limits.replay_memory",
    "limits.replay_file",
    "limits.held_body",
    "limits.pool_per_origin",
    "ca.name_constraints",
    "ca.lifetime",
    "ca.public_directory",
    "log.level",
    "log.format",
    "log.requests",
};

}  // namespace

TEST_CASE("every key is taken up by a reload, or is named as one that waits for a restart") {
    for (auto const& key : config_keys()) {
        INFO(path_of(key));
        auto const now = two_tables();
        auto next = two_tables();
        change(key.at ? key.at(next) : key.at_api ? key.at_api(next.apis[0]) : key.at_agent(next.agents[0]));
        auto const listed = std::find(std::begin(taken_up), std::end(taken_up), path_of(key)) != std::end(taken_up);
        CHECK(changes_at_reload(key) == listed);
        auto const reported = settings_that_need_a_restart(now, next);
        if (listed)
            CHECK(reported.empty());
        else
            CHECK(reported == std::vector<std::string>{path_of(key)});
    }
    for (auto const name : taken_up) {
        INFO(name);
        auto const dot = name.find('.');
        CHECK(find_key(name.substr(0, dot), name.substr(dot + 1)) != nullptr);
    }
}

TEST_CASE("one agent more or less is named") {
    auto const now = two_tables();
    auto next = two_tables();
    next.agents.resize(2);
    auto const reported = settings_that_need_a_restart(now, next);
    CHECK(std::find(reported.begin(), reported.end(), "agent.client_id") != reported.end());
    CHECK(settings_that_need_a_restart(now, now).empty());
}

TEST_CASE("each limit reaches the proxy") {
    config const usual;
    auto const before = limit_settings(usual);
    auto const differs = [&](proxy::limits const& l) {
        return l.head.start_line != before.head.start_line || l.head.bytes != before.head.bytes ||
               l.head.fields != before.head.fields || l.connections != before.connections ||
               l.session_connections != before.session_connections || l.replay_memory != before.replay_memory ||
               l.replay_file != before.replay_file || l.held_body != before.held_body ||
               l.pool_per_origin != before.pool_per_origin;
    };
    CHECK_FALSE(differs(before));
    for (auto const& key : config_keys()) {
        if (key.table != "limits") continue;
        INFO(key.name);
        config c;
        change(key.at(c));
        CHECK(differs(limit_settings(c)));
    }
}
