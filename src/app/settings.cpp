#include "jitproxy/app/settings.hpp"

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <cstdlib>
#include <random>
#include <thread>

#include "jitproxy/app/accounts.hpp"
#include "jitproxy/app/config_keys.hpp"
#include "jitproxy/app/endpoint.hpp"
#include "jitproxy/app/systemd_journal.hpp"
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

proxy::limits limit_settings(config const& c) {
    auto const& l = c.limits;
    proxy::limits out;
    out.head.start_line = l.request_line_bytes;
    out.head.bytes = l.head_bytes;
    out.head.fields = l.head_fields;
    out.connections = l.connections;
    out.session_connections = l.session_connections;
    out.replay_memory = l.replay_memory;
    out.replay_file = l.replay_file;
    out.held_body = l.held_body;
    out.pool_per_origin = l.pool_per_origin;
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
    out.limits = limit_settings(c);
    for (auto const& user : c.listen.allow_users)
        if (auto const uid = find_user(user)) out.allow_users.push_back(*uid);
    // Somebody is to be kept out: where no name is known any more, that is everybody.
    if (!c.listen.allow_users.empty() && out.allow_users.empty()) out.allow_users.push_back(static_cast<uid_t>(-1));
    out.logged = request_log_of(c);
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
    out.tell_after = milliseconds{2};
    // Up to a quarter longer.
    out.jitter = [random = std::minstd_rand{std::random_device{}()}](milliseconds pause) mutable {
        return pause + milliseconds{std::uniform_int_distribution<std::int64_t>{0, pause.count() / 4}(random)};
    };
    return out;
}

proxy::request_log request_log_of(config const& c) {
    return c.log.requests == "all"         ? proxy::request_log::all
           : c.log.requests == "escalated" ? proxy::request_log::escalated
                                           : proxy::request_log::none;
}

void configure_log(config const& c) {
    auto const level = c.log.level == "debug"     ? log::level::debug
                       : c.log.level == "warning" ? log::level::warning
                       : c.log.level == "error"   ? log::level::error
                       : c.log.level == "off"     ? log::level::off
                                                  : log::level::info;
    auto const form = log_format(c.log.format);
    if (form == log::format::journald) {
        auto const* elsewhere = std::getenv("JITPROXY_JOURNAL_SOCKET");
        open_systemd_journal(elsewhere != nullptr ? elsewhere : journal_socket_path);
    }
    log::configure(level, form);
}

bool changes_at_reload(config_key const& key) {
    static constexpr std::string_view tables[] = {"api", "egress", "limits", "ca", "log"};
    if (key.table == "egress" && key.name == "name_servers") return false;  // each worker's resolver has them
    bool const of_agent = key.table == "authorization_server" || key.table == "agent";
    if (of_agent && (key.name == "client_secret_file" || key.name == "scope")) return true;
    return std::find(std::begin(tables), std::end(tables), key.table) != std::end(tables);
}

std::vector<std::string> settings_that_need_a_restart(config const& now, config const& next) {
    config a = now;
    config b = next;
    std::vector<std::string> out;
    for (auto const& key : config_keys()) {
        if (changes_at_reload(key)) continue;
        auto const name = std::string(key.table) + "." + std::string(key.name);
        if (key.at != nullptr) {
            if (format_value(key, key.at(a)) != format_value(key, key.at(b))) out.push_back(name);
        } else if (key.at_agent != nullptr) {
            auto const same = [&](agent_config& x, agent_config& y) {
                return format_value(key, key.at_agent(x)) == format_value(key, key.at_agent(y));
            };
            if (!std::equal(a.agents.begin(), a.agents.end(), b.agents.begin(), b.agents.end(), same))
                out.push_back(name);
        }
    }
    return out;
}

}  // namespace jitproxy::app
