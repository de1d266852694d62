// This machine's agents and their clients, as the doctor sees them.
#include "jitproxy/app/client_environment.hpp"
#include "jitproxy/app/doctor.hpp"
#include "jitproxy/app/paths.hpp"

namespace jitproxy::app {
namespace {

// The variables that each client takes its roots from; the first that is set counts.
struct client {
    char const* program;
    std::vector<char const*> trust;
};
std::vector<client> const clients{
    {"curl", {"CURL_CA_BUNDLE", "SSL_CERT_FILE"}},
    {"python3", {"REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"}},
    {"node", {"NODE_EXTRA_CA_CERTS"}},
    {"git", {"GIT_SSL_CAINFO"}},
    {"go", {"SSL_CERT_FILE"}},
    {"java", {"JAVA_TOOL_OPTIONS"}},
};

// In a shell that `env` or `session open --export` has prepared, or in an agent's own.
void check_trust(findings& f, config const& c, variable_lookup const& variables) {
    std::string found;
    for (auto const& client : clients)
        if (program_found(client.program, variables))
            found += (found.empty() ? "" : ", ") + std::string(client.program);
    if (found.empty()) return f.ok("ca_trust", "no client that is known by name is installed here");
    auto const state = state_directory(c, variables);
    auto const root = state ? read_text_file(*state / "ca.pem").value_or("") : std::string{};
    bool prepared = false;
    bool good = true;
    for (auto const& client : clients) {
        if (root.empty() || !program_found(client.program, variables)) continue;
        for (std::string const name : client.trust) {
            auto const value = variables(name);
            if (!value) continue;
            prepared = true;
            if (name == "JAVA_TOOL_OPTIONS" || read_text_file(*value).value_or("").find(root) != std::string::npos)
                break;
            good = false;
            f.warning("ca_trust",
                      std::string(client.program) + " would not trust the proxy in this shell: " + name + " names " +
                          *value + ", which does not hold the local CA",
                      "start it with `jitproxy run`, or set the variables anew: eval \"$(jitproxy env)\"");
            break;
        }
    }
    if (!good) return;
    f.ok("ca_trust", prepared ? "this shell's variables point at the local CA; found here: " + found
                              : "`jitproxy run` and `jitproxy env` point these at it: " + found);
}

void check_no_proxy(findings& f, config const& c, variable_lookup const& variables) {
    bool good = true;
    for (auto const* name : {"NO_PROXY", "no_proxy"}) {
        auto const list = variables(name);
        if (!list) continue;
        for (auto const& api : c.apis)
            for (auto const& host : api.hosts) {
                auto const entry = bypass_of(*list, host.starts_with("*.") ? std::string_view(host).substr(2) : host);
                if (entry.empty()) continue;
                good = false;
                f.warning("environment",
                          std::string(name) + " has \"" + std::string(entry) + "\": clients of this shell reach " +
                              host + " without the proxy, and get no permission",
                          "take it out, or start agents with `jitproxy run`, which sets its own");
            }
    }
    if (good) f.ok("environment", "no variable leads clients around the proxy");
}

}  // namespace

std::string_view bypass_of(std::string_view no_proxy, std::string_view host) {
    while (!no_proxy.empty()) {
        auto const end = no_proxy.find_first_of(", ");
        auto const entry = no_proxy.substr(0, end);
        no_proxy = end == std::string_view::npos ? std::string_view{} : no_proxy.substr(end + 1);
        if (entry == "*") return entry;
        auto name = entry;
        if (name.starts_with("*")) name.remove_prefix(1);
        if (name.starts_with(".")) name.remove_prefix(1);
        if (auto const colon = name.rfind(':'); colon != std::string_view::npos && name.find(':') == colon)
            name = name.substr(0, colon);  // a port; more than one colon is an IPv6 address
        if (name.empty() || !host.ends_with(name)) continue;
        auto const before = host.size() - name.size();
        if (before == 0 || host[before - 1] == '.') return entry;
    }
    return {};
}

void examine_clients(findings& f, config const& c, common_options const& o) {
    check_trust(f, c, o.variables);
    check_no_proxy(f, c, o.variables);
}

}  // namespace jitproxy::app
