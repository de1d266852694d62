#include "jitproxy/app/config_keys.hpp"

#include <array>

namespace jitproxy::app {
namespace {

using enum value_kind;

constexpr std::uint64_t ms(seconds s) {
    return static_cast<std::uint64_t>(s.count()) * 1000;
}
constexpr std::uint64_t one_day = ms(seconds{86'400});
constexpr std::uint64_t mebi = 1ULL << 20;

#define AT(member) [](config& c) -> slot { return &c.member; }
#define API(member) [](api_config& a) -> slot { return &a.member; }
#define AGENT(member) [](agent_config& a) -> slot { return &a.member; }

constexpr config_key key(std::string_view table, std::string_view name, value_kind kind, slot (*at)(config&),
                         std::string_view doc) {
    return {table, name, kind, at, nullptr, nullptr, doc};
}
constexpr config_key key(std::string_view table, std::string_view name, value_kind kind, slot (*at_api)(api_config&),
                         std::string_view doc) {
    return {table, name, kind, nullptr, at_api, nullptr, doc};
}
constexpr config_key key(std::string_view table, std::string_view name, value_kind kind,
                         slot (*at_agent)(agent_config&), std::string_view doc) {
    return {table, name, kind, nullptr, nullptr, at_agent, doc};
}

constexpr std::array tables{
    config_table{"listen", "Where agents and commands connect."},
    config_table{"authorization_server", "LumoAuth, and who this agent is there."},
    config_table{
        "agent",
        "Further agents, each with credentials of its own; a session names the one that it acts as. "
        "[authorization_server] client_id is the agent \"default\", the first; without it the first [[agent]] is.",
        true},
    config_table{"api", "A protected API: TLS intercepted, bearer injected, 403s handled. One [[api]] table each.",
                 true},
    config_table{"egress", "Everything that is not a protected API."},
    config_table{"session", "Sessions: one task at the authorization server each."},
    config_table{"approval", "Permission requests that wait for a human."},
    config_table{"timeouts", "The longest that one step may take without progress."},
    config_table{"limits", "What one connection, one request and the whole process may use."},
    config_table{"ca", "The local certification authority that intercepted TLS is signed with."},
    config_table{"log", "Standard error, one line an event."},
    config_table{"state", "What must survive a restart."},
};

constexpr config_key keys[] = {
    key("listen", "proxy", endpoint, AT(listen.proxy),
        "Addresses of the forward proxy. [::1] is left out by itself where there is no IPv6."),
    key("listen", "control", value_kind::control, AT(listen.control),
        "\"unix\": a socket in the runtime directory; \"unix:/PATH\"; or a loopback ADDRESS:PORT with a control "
        "token, for containers."),
    key("listen", "control_token_file", directory, AT(listen.control_token_file),
        "The control token of a TCP control address; made there if it is missing. Default: control.token in the "
        "state directory."),
    key("listen", "workers", count, AT(listen.workers), "Threads that carry traffic; 0: one a CPU.").at_most(256),
    key("authorization_server", "url", url, AT(authorization_server.url),
        "Base URL (variable LUMOAUTH_URL). EU: https://eu.app.lumoauth.dev."),
    key("authorization_server", "tenant", text, AT(authorization_server.tenant),
        "Tenant (LUMOAUTH_TENANT): paths below /t/TENANT. Set this or org_id.")
        .shown_as("acme-corp"),
    key("authorization_server", "org_id", text, AT(authorization_server.org_id),
        "Organisation (LUMOAUTH_ORG_ID): paths below /orgs/ORG_ID. Set this or tenant.")
        .shown_as("org_123"),
    key("authorization_server", "client_id", text, AT(authorization_server.client_id),
        "The agent's client id (AGENT_CLIENT_ID).")
        .shown_as("agt_123"),
    key("authorization_server", "client_secret_file", file, AT(authorization_server.client_secret_file),
        "File with the agent's client secret. Beside it: the variable AGENT_CLIENT_SECRET, or client_secret in "
        "systemd's credentials directory.")
        .shown_as("/etc/jitproxy/client_secret"),
    key("authorization_server", "scope", text, AT(authorization_server.scope),
        "Scopes asked for with the agent token, separated by spaces; empty: what the agent has."),
    key("authorization_server", "ca_file", file, AT(authorization_server.ca_file),
        "Extra roots (PEM) for the authorization server's own certificate."),
    key("authorization_server", "allow_plain_http", flag, AT(authorization_server.allow_plain_http),
        "Speak plain HTTP to an authorization server that is not on this machine."),
    key("authorization_server", "timeout", duration, AT(authorization_server.timeout),
        "The longest that one call may take.")
        .at_least(100)
        .at_most(ms(seconds{300})),
    key("authorization_server", "circuit_failures", count, AT(authorization_server.circuit_failures),
        "After so many failures within a minute, with no success between them, it is left alone for 2 to 30 seconds: "
        "agents get 503 at once. 0: never.")
        .at_most(1000),
    key("agent", "name", text, AGENT(name), "What sessions call it. Default: its client id.").shown_as("researcher"),
    key("agent", "client_id", text, AGENT(client_id), "Its client id.").shown_as("agt_456"),
    key("agent", "client_secret_file", file, AGENT(client_secret_file),
        "File with its client secret; or client_secret.NAME in systemd's credentials directory.")
        .shown_as("/etc/jitproxy/researcher_secret"),
    key("agent", "scope", text, AGENT(scope), "As in [authorization_server], of this agent's token."),
    key("api", "name", text, API(name), "Name in logs, requests and metrics. Default: the first host."),
    key("api", "hosts", host, API(hosts),
        "Exact names, or \"*.example.com\" for every name below it (one label or more). At least one."),
    key("api", "ports", port, API(ports), "Ports that are protected; 80 too where plain HTTP is meant."),
    key("api", "ca_file", file, API(ca_file), "Extra roots (PEM) for this API's own certificate."),
    key("api", "upstream_tls", choice, API(upstream_tls),
        "\"always\": TLS to the API also where the agent spoke plain HTTP to the proxy.")
        .one_of("as-requested|always"),
    key("api", "authorization", choice, API(authorization),
        "\"keep\": the agent's own Authorization wins where it sends one.")
        .one_of("replace|keep"),
    key("api", "types", text, API(types),
        "authorization_details types that may be asked for on behalf of this API; empty: any."),
    key("api", "requested_ttl", duration, API(requested_ttl),
        "Lifetime asked for with each permission; the authorization server allows 15 minutes at most.")
        .at_least(1000)
        .at_most(ms(seconds{900})),
    key("api", "justification", text, API(justification),
        "Why, where the agent sends no JIT-Justification. Knows {method}, {url} (without query), {host}, {api}."),
    key("api", "allow_plain_http", flag, API(allow_plain_http),
        "Send the bearer over plain HTTP too. Only for a network that nobody else can read."),
    key("api", "client_certificate_file", file, API(client_certificate_file),
        "Client certificate (PEM, with its chain) for this API."),
    key("api", "client_key_file", file, API(client_key_file), "Its key (PEM)."),
    key("api", "hold", duration, API(hold), "As in [approval], for this API alone; \"0s\": as there.").at_most(one_day),
    key("egress", "default", choice, AT(egress.default_action),
        "Hosts that no [[api]] names: \"tunnel\" lets them through, \"deny\" only those of allow.")
        .one_of("tunnel|deny"),
    key("egress", "allow", host, AT(egress.allow), "Host patterns let through when default is \"deny\"."),
    key("egress", "connect_ports", port, AT(egress.connect_ports),
        "Ports that a blind tunnel may reach; [\"any\"] for all.")
        .one_of("any"),
    key("egress", "allow_addresses", block, AT(egress.allow_addresses),
        "CIDR blocks among the private, loopback, link-local and other special addresses that may be dialled; they "
        "are refused otherwise."),
    key("egress", "name_servers", name_server, AT(egress.name_servers),
        "Name servers, ADDRESS or ADDRESS:PORT; empty: the system's."),
    key("session", "default", choice, AT(session.default_mode),
        "Clients without session credentials: \"auto\" lets them share one session, opened at first use; "
        "\"required\" refuses them.")
        .one_of("auto|required"),
    key("session", "idle_timeout", duration, AT(session.idle_timeout),
        "The shared session is closed when no request came for so long.")
        .at_least(1000)
        .at_most(30 * one_day),
    key("session", "evaluate_every", duration, AT(session.evaluate_every),
        "How often the authorization server is asked whether a session's task is still fine (CAEP); \"0s\": never. A "
        "session that it suspends gets 403 from then on.")
        .at_most(one_day),
    key("session", "revoke_tokens", flag, AT(session.revoke_tokens),
        "Revoke each scoped token (RFC 7009) when its session closes, besides completing the task, which ends them "
        "too."),
    key("session", "on_restart", choice, AT(session.on_restart),
        "What becomes of sessions that were opened by hand and are still open when the daemon starts again after a "
        "crash: \"close\" completes their tasks; \"resume\" goes on with them, under the same credentials and with "
        "what waits for a human. All others are closed, and an orderly stop closes every session.")
        .one_of("close|resume"),
    key("approval", "hold", duration, AT(approval.hold), "How long a request may wait for a human.").at_most(one_day),
    key("approval", "poll_interval", duration, AT(approval.poll_interval),
        "The longest pause between polls; the first ones are shorter.")
        .at_least(100)
        .at_most(ms(seconds{300})),
    key("approval", "denial_memory", duration, AT(approval.denial_memory),
        "How long a denial answers the same need again, without asking anew.")
        .at_most(ms(seconds{3600})),
    key("approval", "unclear_memory", duration, AT(approval.unclear_memory),
        "After a request for permission that had no clear answer, where the list of pending ones may not be read: how "
        "long the same is not asked for again.")
        .at_most(ms(seconds{3600})),
    key("approval", "requests_per_minute", count, AT(approval.requests_per_minute),
        "New permission requests of one session; more are refused.")
        .at_least(1)
        .at_most(100'000),
    key("approval", "requests_open", count, AT(approval.requests_open),
        "Undecided permission requests of one session; more are refused.")
        .at_least(1)
        .at_most(100'000),
    key("approval", "callback_listen", endpoint, AT(approval.callback_listen),
        "ADDRESS:PORT where the authorization server may say that a request is decided, so that it is polled at once; "
        "empty: nowhere.")
        .shown_as("127.0.0.1:8082"),
    key("approval", "callback_url", url, AT(approval.callback_url),
        "How the authorization server reaches callback_listen. Default: http:// and that address.")
        .shown_as("https://agents.example.com/jitproxy"),
    key("timeouts", "client_head", duration, AT(timeouts.client_head), "A request head, from its first byte.")
        .at_least(100)
        .at_most(one_day),
    key("timeouts", "client_idle", duration, AT(timeouts.client_idle), "Between requests on a kept connection.")
        .at_least(100)
        .at_most(one_day),
    key("timeouts", "body_idle", duration, AT(timeouts.body_idle), "A body in either direction, no byte moved.")
        .at_least(100)
        .at_most(one_day),
    key("timeouts", "dns", duration, AT(timeouts.dns), "A name look-up, all tries.")
        .at_least(100)
        .at_most(ms(seconds{300})),
    key("timeouts", "connect", duration, AT(timeouts.connect),
        "A connection to one of an origin's addresses, the look-up of its name included.")
        .at_least(100)
        .at_most(ms(seconds{300})),
    key("timeouts", "tls_handshake", duration, AT(timeouts.tls_handshake), "A TLS handshake, on either side.")
        .at_least(100)
        .at_most(ms(seconds{300})),
    key("timeouts", "upstream_head", duration, AT(timeouts.upstream_head), "The head of an upstream's answer.")
        .at_least(100)
        .at_most(one_day),
    key("timeouts", "continue_wait", duration, AT(timeouts.continue_wait),
        "An upstream's 100 (Continue), before a client that waits for it is told to send its body.")
        .at_most(ms(seconds{300})),
    key("timeouts", "tunnel_idle", duration, AT(timeouts.tunnel_idle), "A tunnel without a byte either way.")
        .at_least(100)
        .at_most(one_day),
    key("timeouts", "pool_idle", duration, AT(timeouts.pool_idle), "A kept upstream connection that nobody uses.")
        .at_least(100)
        .at_most(one_day),
    key("timeouts", "linger", duration, AT(timeouts.linger),
        "The end of a client's connection, after ours (with TLS: its close_notify).")
        .at_most(ms(seconds{300})),
    key("timeouts", "drain", duration, AT(timeouts.drain),
        "Requests in flight at shutdown, or when their session is closed.")
        .at_most(ms(seconds{3600})),
    key("limits", "connections", count, AT(limits.connections), "Client connections at the same time; more: 503.")
        .at_least(1)
        .at_most(1'000'000),
    key("limits", "session_connections", count, AT(limits.session_connections),
        "And in one session; clients without session credentials count as one session.")
        .at_least(1)
        .at_most(1'000'000),
    key("limits", "request_line_bytes", size, AT(limits.request_line_bytes), "A request line; longer: 414.")
        .at_least(512)
        .at_most(mebi),
    key("limits", "head_bytes", size, AT(limits.head_bytes), "A head, either side; longer: 431 or 502.")
        .at_least(1024)
        .at_most(mebi),
    key("limits", "head_fields", count, AT(limits.head_fields), "Fields in a head.").at_least(8).at_most(10'000),
    key("limits", "replay_memory", size, AT(limits.replay_memory),
        "Of a request body, kept in memory until its answer begins, so that it can be sent again.")
        .at_most(1024 * mebi),
    key("limits", "replay_file", size, AT(limits.replay_file),
        "And in an unlinked temporary file beyond that; a longer body cannot be sent again.")
        .at_most(1024 * 1024 * mebi),
    key("limits", "held_body", size, AT(limits.held_body), "Of an API's 403, kept while permission is sought.")
        .at_least(1024)
        .at_most(64 * mebi),
    key("limits", "pool_per_origin", count, AT(limits.pool_per_origin),
        "Idle upstream connections that a worker keeps for one origin.")
        .at_most(10'000),
    key("ca", "name_constraints", flag, AT(ca.name_constraints),
        "Bind root and issuing CA to the protected hosts (RFC 5280 4.2.1.10), so that its key is of no use elsewhere."),
    key("ca", "lifetime", duration, AT(ca.lifetime),
        "How long the CA is good. It is made anew when a fifth of that is left, at a start or reload.")
        .at_least(one_day)
        .at_most(3650 * one_day),
    key("ca", "public_directory", directory, AT(ca.public_directory),
        "A directory, there already, for copies of what agents of other users or containers trust: ca.pem, "
        "ca-bundle.pem and truststore.p12; never the key. The variables for clients name these then. Empty: none."),
    key("log", "level", choice, AT(log.level), "What is worth a line.").one_of("debug|info|warning|error|off"),
    key("log", "format", choice, AT(log.format), "For people or for programs.").one_of("text|json"),
    key("state", "directory", directory, AT(state.directory),
        "CA key and journal. Default: $STATE_DIRECTORY, else $XDG_STATE_HOME/jitproxy."),
};

#undef AT
#undef API
#undef AGENT

}  // namespace

std::span<config_table const> config_tables() {
    return tables;
}

std::span<config_key const> config_keys() {
    return keys;
}

}  // namespace jitproxy::app
