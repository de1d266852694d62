#include "jitproxy/emulator/options.hpp"

#include <CLI/CLI.hpp>
#include <charconv>

namespace jitproxy::emulator {

namespace {

// Throws CLI::ValidationError, which CLI11 turns into a message and a code.
std::optional<endpoint_address> address_or_none(std::string const& flag, std::string const& text) {
    if (text.empty() || text == "none") return std::nullopt;
    auto at = parse_address(text);
    if (!at) throw CLI::ValidationError(flag, "must be HOST:PORT or none");
    return at;
}

std::optional<agent_credentials> parse_agent(std::string const& text) {
    auto const colon = text.find(':');
    if (colon == std::string::npos || colon == 0) return std::nullopt;
    return agent_credentials{text.substr(0, colon), text.substr(colon + 1)};
}

void parse_auto_decide(std::string const& text, task_settings& into) {
    auto const equals = text.find('=');
    auto const how = equals == std::string::npos ? std::string{} : text.substr(equals + 1);
    long after = -1;
    auto const* const end = text.data() + std::min(equals, text.size());
    auto const [at, ec] = std::from_chars(text.data(), end, after);
    if (ec != std::errc{} || at != end || after < 0 || (how != "approve" && how != "deny"))
        throw CLI::ValidationError("--auto-decide", "must be SECONDS=approve or SECONDS=deny");
    into.auto_after = seconds{after};
    into.auto_approves = how == "approve";
}

demo_user parse_user(std::string const& text) {
    constexpr std::string_view plain = ":plain";
    if (text.ends_with(plain)) return {text.substr(0, text.size() - plain.size()), false};
    return {text, true};
}

}  // namespace

std::optional<endpoint_address> parse_address(std::string_view text) {
    auto const colon = text.rfind(':');
    if (colon == std::string_view::npos || colon == 0) return std::nullopt;
    auto host = text.substr(0, colon);
    auto const digits = text.substr(colon + 1);
    bool const bracketed = host.starts_with('[') && host.ends_with(']');
    if (bracketed) host = host.substr(1, host.size() - 2);
    if (host.empty() || (!bracketed && host.find(':') != std::string_view::npos)) return std::nullopt;
    std::uint16_t port = 0;
    auto const [at, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (digits.empty() || ec != std::errc{} || at != digits.data() + digits.size()) return std::nullopt;
    return endpoint_address{std::string{host}, port};
}

std::optional<options> parse_options(int argc, char const* const* argv, int& exit_code) {
    options o;
    CLI::App app{
        "A LumoAuth emulator and a small protected API, to try and to test jitproxy against.\n"
        "Never for production: its admin API below /emulator/ asks for no credentials.",
        "jitproxy-emulator"};
    std::string as = "127.0.0.1:0";
    std::string as_tls = "none";
    std::string api = "127.0.0.1:0";
    std::string api_tls = "127.0.0.1:0";
    std::string client_id = o.agents[0].id;
    std::string client_secret = o.agents[0].client_secret;
    std::vector<std::string> agents;
    std::vector<std::string> users;
    std::string auto_decide;
    long token_ttl = o.token_ttl.count();
    long task_ttl = o.tasks.task_ttl.count();
    long expiry = o.tasks.request_expiry.count();
    long grant_ttl = 0;
    app.set_version_flag("--version", std::string{"jitproxy-emulator "} + JITPROXY_VERSION);
    app.add_option("--listen", as, "HOST:PORT of the authorization server; port 0: any")->capture_default_str();
    app.add_option("--as-tls", as_tls, "HOST:PORT of the same over TLS, or none")->capture_default_str();
    app.add_option("--api", api, "HOST:PORT of the protected API, or none")->capture_default_str();
    app.add_option("--api-tls", api_tls, "HOST:PORT of the same over TLS, or none")->capture_default_str();
    app.add_option("--api-name", o.api_names, "one more name for the certificate; repeatable")->allow_extra_args(false);
    app.add_option("--tenant", o.tenant, "tenant of the path style /t/{tenant}")->capture_default_str();
    app.add_option("--org-id", o.org_id, "organisation of the path style /orgs/{org_id}")->capture_default_str();
    app.add_option("--client-id", client_id, "the agent's client id")->capture_default_str();
    app.add_option("--client-secret", client_secret, "the agent's client secret")->capture_default_str();
    app.add_option("--agent", agents, "one more agent, ID:SECRET; repeatable")->allow_extra_args(false);
    app.add_option("--user-token", users,
                   "a human's token, which may approve and deny; TOKEN:plain may not; repeatable "
                   "(default: user_approver and user_plain:plain)")
        ->allow_extra_args(false);
    app.add_option("--state-dir", o.state_dir, "where emulator-ca.pem is written");
    app.add_option("--ready-file", o.ready_file, "JSON with the URLs, written once everything listens");
    auto const ttl = CLI::Range(1L, 10L * 365 * 24 * 3600);
    app.add_option("--token-ttl", token_ttl, "seconds an agent's token lives")->check(ttl)->capture_default_str();
    app.add_option("--grant-ttl", grant_ttl, "the most seconds that are granted")->check(ttl);
    app.add_option("--task-ttl", task_ttl, "seconds a task lives")->check(ttl)->capture_default_str();
    app.add_option("--request-expiry", expiry, "seconds for a decision, and for its exchange")
        ->check(ttl)
        ->capture_default_str();
    app.add_option("--auto-decide", auto_decide, "SECONDS=approve|deny: a stand-in human");
    app.add_option("--rate-limit", o.token_rate, "calls a minute to the token endpoint; 0: no limit")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    app.add_option("--jit-rate-limit", o.jit_rate, "calls a minute to all JIT endpoints; 0: no limit")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    app.add_flag("--quiet", o.quiet, "no line for each request");
    try {
        app.parse(argc, argv);
        o.as = address_or_none("--listen", as);
        if (!o.as) throw CLI::ValidationError("--listen", "the authorization server cannot be left out");
        o.as_tls = address_or_none("--as-tls", as_tls);
        o.api = address_or_none("--api", api);
        o.api_tls = address_or_none("--api-tls", api_tls);
        if (!auto_decide.empty()) parse_auto_decide(auto_decide, o.tasks);
        o.agents = {{client_id, client_secret}};
        for (auto const& text : agents) {
            auto a = parse_agent(text);
            if (!a) throw CLI::ValidationError("--agent", "must be ID:SECRET");
            o.agents.push_back(std::move(*a));
        }
    } catch (CLI::ParseError const& e) {
        exit_code = app.exit(e) == 0 ? 0 : 2;
        return std::nullopt;
    }
    if (!users.empty()) o.users.clear();
    for (auto const& text : users) o.users.push_back(parse_user(text));
    o.token_ttl = seconds{token_ttl};
    o.tasks.task_ttl = seconds{task_ttl};
    o.tasks.request_expiry = seconds{expiry};
    if (grant_ttl > 0) o.tasks.grant_ttl = seconds{grant_ttl};
    return o;
}

}  // namespace jitproxy::emulator
