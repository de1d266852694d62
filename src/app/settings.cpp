#include "jitproxy/app/settings.hpp"

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <random>
#include <thread>

#include "jitproxy/app/config_keys.hpp"
#include "jitproxy/app/endpoint.hpp"
#include "jitproxy/base/log.hpp"

namespace jitproxy::app {
namespace asio = boost::asio;
namespace {

bool machine_has_ipv6_loopback() {
    asio::io_context io;
    asio::ip::tcp::socket probe(io);
    boost::system::error_code ec;
    asio::ip::tcp::endpoint const loopback(asio::ip::address_v6::loopback(), 0);
    probe.open(loopback.protocol(), ec);
    if (!ec) probe.bind(loopback, ec);
    return !ec;
}

}  // namespace

ca::authority_options authority_settings(config const& c, policy::rules const& rules,
                                         std::filesystem::path const& state) {
    ca::authority_options out;
    out.directory = state;
    out.permitted_names = rules.protected_names();
    out.name_constraints = c.ca.name_constraints;
    out.lifetime = std::chrono::duration_cast<seconds>(c.ca.lifetime);
    return out;
}

lumoauth::client_options as_settings(config const& c, std::vector<agent> const& agents) {
    auto const& as = c.authorization_server;
    lumoauth::client_options out;
    out.url = as.url;
    out.tenant = as.tenant;
    out.org_id = as.org_id;
    out.agents = std::make_shared<std::vector<lumoauth::credentials>>();
    for (auto const& a : agents) out.agents->push_back({a.client_id, a.client_secret, a.scope});
    out.ca_file = as.ca_file;
    out.timeout = as.timeout;
    out.circuit.failures = static_cast<unsigned>(as.circuit_failures);
    out.allow_plain_http = as.allow_plain_http;
    return out;
}

proxy::server_options server_settings(config const& c) {
    proxy::server_options out;
    for (auto const& text : c.listen.proxy) {
        auto const endpoint = parse_endpoint(text);
        if (!endpoint) continue;  // load_config has refused it
        if (c.listen_is_default && endpoint->v6 && !machine_has_ipv6_loopback()) continue;
        out.listen.emplace_back(asio::ip::make_address(endpoint->address), endpoint->port);
    }
    out.workers = c.listen.workers > 0 ? static_cast<unsigned>(c.listen.workers)
                                       : std::max(1U, std::thread::hardware_concurrency());
    auto const& t = c.timeouts;
    out.timeouts.client_head = t.client_head;
    out.timeouts.client_idle = t.client_idle;
    out.timeouts.body_idle = t.body_idle;
    out.timeouts.connect = t.connect;
    out.timeouts.tls_handshake = t.tls_handshake;
    out.timeouts.upstream_head = t.upstream_head;
    out.timeouts.continue_wait = t.continue_wait;
    out.timeouts.tunnel_idle = t.tunnel_idle;
    out.timeouts.pool_idle = t.pool_idle;
    out.timeouts.linger = t.linger;
    out.timeouts.drain = t.drain;
    auto const& l = c.limits;
    out.limits.head.start_line = l.request_line_bytes;
    out.limits.head.bytes = l.head_bytes;
    out.limits.head.fields = l.head_fields;
    out.limits.connections = l.connections;
    out.limits.session_connections = l.session_connections;
    out.limits.replay_memory = l.replay_memory;
    out.limits.replay_file = l.replay_file;
    out.limits.held_body = l.held_body;
    out.limits.pool_per_origin = l.pool_per_origin;
    out.session_required = c.session.default_mode == "required";
    out.resolver.timeout = t.dns;
    for (auto const& server : c.egress.name_servers)
        out.resolver.servers += (out.resolver.servers.empty() ? "" : ",") + server;
    return out;
}

jit::task_manager_options manager_settings(config const& c, std::vector<agent> const& agents) {
    jit::task_manager_options out;
    out.agents.clear();
    for (auto const& a : agents) out.agents.push_back({a.name, a.client_id});
    out.idle_timeout = c.session.idle_timeout;
    out.resume = c.session.on_restart == "resume";
    out.hold = c.approval.hold;
    out.poll_longest = c.approval.poll_interval;
    out.poll_first = std::min(out.poll_first, out.poll_longest);
    out.denial_memory = std::chrono::duration_cast<seconds>(c.approval.denial_memory);
    out.unclear_memory = c.approval.unclear_memory;
    out.requests_per_minute = c.approval.requests_per_minute;
    out.requests_open = c.approval.requests_open;
    out.evaluate_every = c.session.evaluate_every;
    out.revoke_tokens = c.session.revoke_tokens;
    // Up to a quarter longer.
    out.jitter = [random = std::minstd_rand{std::random_device{}()}](milliseconds pause) mutable {
        return pause + milliseconds{std::uniform_int_distribution<std::int64_t>{0, pause.count() / 4}(random)};
    };
    return out;
}

void configure_log(config const& c) {
    auto const level = c.log.level == "debug"     ? log::level::debug
                       : c.log.level == "warning" ? log::level::warning
                       : c.log.level == "error"   ? log::level::error
                       : c.log.level == "off"     ? log::level::off
                                                  : log::level::info;
    log::configure(level, c.log.format == "json" ? log::format::json : log::format::text);
}

std::vector<std::string> settings_that_need_a_restart(config const& now, config const& next) {
    static constexpr std::string_view changeable[] = {"egress", "log", "ca", "authorization_server.client_secret_file",
                                                      "authorization_server.scope"};  // and [[api]]
    auto const can_change = [](std::string_view name) {
        return std::find(std::begin(changeable), std::end(changeable), name) != std::end(changeable);
    };
    config a = now;
    config b = next;
    std::vector<std::string> out;
    for (auto const& key : config_keys()) {
        if (!key.at) continue;
        auto const name = std::string(key.table) + "." + std::string(key.name);
        bool const fixed = !can_change(key.table) && !can_change(name);
        if ((fixed || name == "egress.name_servers") && format_value(key, key.at(a)) != format_value(key, key.at(b)))
            out.push_back(name);
    }
    auto const who = [](agent_config const& x, agent_config const& y) {
        return x.name == y.name && x.client_id == y.client_id;
    };
    if (!std::equal(a.agents.begin(), a.agents.end(), b.agents.begin(), b.agents.end(), who)) out.emplace_back("agent");
    return out;
}

}  // namespace jitproxy::app
