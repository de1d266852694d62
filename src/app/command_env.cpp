#include <iostream>

#include "jitproxy/app/client_environment.hpp"
#include "jitproxy/app/daemon_client.hpp"
#include "jitproxy/app/endpoint.hpp"
#include "jitproxy/app/paths.hpp"
#include "jitproxy/base/encoding.hpp"

namespace jitproxy::app {
namespace {

// Without a daemon: what it will be, going by the configuration. A port that is chosen at start cannot be told.
std::optional<environment> planned_environment(common_options const& o) {
    auto const loaded = load_with(o, false);
    auto const state = state_directory(loaded.value, o.variables);
    if (!loaded.ok() || !state || loaded.value.listen.proxy.empty()) return std::nullopt;
    auto const where = parse_endpoint(loaded.value.listen.proxy.front());
    if (!where || where->port == 0) return std::nullopt;
    client_access a;
    a.proxy_host = where->address;
    a.proxy_port = where->port;
    a.proxy_url = "http://" + where->text();
    auto const& shown = loaded.value.ca.public_directory;
    std::filesystem::path const trusted = shown.empty() ? *state : std::filesystem::path(shown);
    a.ca_file = (trusted / "ca.pem").string();
    a.ca_bundle = (trusted / "ca-bundle.pem").string();
    a.truststore = (trusted / "truststore.p12").string();
    a.direct = names_reached_directly(loaded.value.apis);
    return client_environment(a);
}

}  // namespace

int print_environment(common_options const& o, std::string const& session, std::string const& format_name) {
    auto const format = parse_shell_format(format_name);
    if (!format) return fail("--format must be sh, fish, dotenv or json", exit_usage);
    environment variables;
    if (session.empty()) {
        auto const daemon = connect_to_daemon(o);
        if (!daemon && daemon.error().code == errc::not_found) {
            auto const planned = planned_environment(o);
            if (!planned) return fail(daemon.error());
            variables = *planned;
            std::cerr << "jitproxy: no daemon runs; these are the variables for when it does\n";
        }
    }
    if (variables.empty()) {
        auto const target =
            session.empty() ? std::string("/v1/access") : "/v1/sessions/" + percent_encode(session) + "/access";
        auto const access = ask_daemon(o, "GET", target);
        if (!access || !access->is_object()) return exit_failed;
        variables = environment_of(access->get_object());
    }
    auto const lines =
        format_environment(merge_environment(std::move(variables), o.variables, java_found(o.variables)), *format);
    if (!lines) return fail(lines.error());
    std::cout << *lines;
    return exit_done;
}

}  // namespace jitproxy::app
