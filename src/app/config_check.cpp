#include <algorithm>
#include <filesystem>

#include "jitproxy/app/config_reader.hpp"
#include "jitproxy/app/endpoint.hpp"
#include "jitproxy/base/encoding.hpp"
#include "jitproxy/control/address.hpp"
#include "jitproxy/http/target.hpp"
#include "jitproxy/policy/rules.hpp"

namespace jitproxy::app {
namespace {

std::string normal(std::string const& host) {
    auto const parsed = policy::host_pattern::parse(host);
    return parsed ? parsed->text() : host;
}

std::vector<std::uint16_t> shared_ports(port_set const& a, port_set const& b) {
    std::vector<std::uint16_t> out;
    for (auto const p : a.ports)
        if (std::find(b.ports.begin(), b.ports.end(), p) != b.ports.end()) out.push_back(p);
    return out;
}

struct named_host {
    std::string host;
    std::string api;
    std::string path;
    port_set const* ports;
};

void check_hosts(config const& c, config_reader& reader) {
    std::vector<named_host> seen;
    for (std::size_t i = 0; i < c.apis.size(); ++i) {
        auto const& api = c.apis[i];
        for (std::size_t j = 0; j < api.hosts.size(); ++j) {
            auto const path = "api." + std::to_string(i) + ".hosts." + std::to_string(j);
            auto const host = normal(api.hosts[j]);
            for (auto const& other : seen) {
                if (other.host != host) continue;
                auto const ports = shared_ports(*other.ports, api.ports);
                if (ports.empty()) continue;
                reader.report(reader.where(path), "api.hosts: \"" + host + "\" on port " + std::to_string(ports[0]) +
                                                      " is named already, by API \"" + other.api + "\" at " +
                                                      reader.where(other.path));
                break;
            }
            seen.push_back({host, api.name, path, &api.ports});
        }
    }
}

// Names that no public registry gives away: whoever runs the network decides what is below them.
constexpr std::string_view private_suffixes[] = {"localhost", "local", "internal", "test", "lan"};

void check_width(api_config const& api, std::vector<std::string>& warnings) {
    for (auto const& host : api.hosts) {
        auto const name = normal(host);
        if (!name.starts_with("*.") || name.find('.', 2) != std::string::npos) continue;
        auto const suffix = std::string_view(name).substr(2);
        if (std::find(std::begin(private_suffixes), std::end(private_suffixes), suffix) != std::end(private_suffixes))
            continue;
        warnings.push_back("API \"" + api.name + "\": \"" + name +
                           "\" is every host of a top-level domain, and gets the agent's token; name the API's own "
                           "domain");
    }
}

void check_apis(config& c, config_reader& reader, std::vector<std::string>& warnings) {
    for (std::size_t i = 0; i < c.apis.size(); ++i) {
        auto& api = c.apis[i];
        auto const path = "api." + std::to_string(i);
        // Hosts that were wrong are reported already; then there is something in the file.
        if (api.hosts.empty() && (!reader.was_set(path + ".hosts") || reader.problems().empty()))
            reader.report(reader.where(path), "api.hosts: needs at least one host");
        if (api.name.empty()) api.name = api.hosts.empty() ? "api" + std::to_string(i + 1) : api.hosts.front();
        for (std::size_t j = 0; j < i; ++j)
            if (c.apis[j].name == api.name)
                reader.report(reader.where(path + ".name"), "api.name: \"" + api.name +
                                                                "\" is the name of another API, at " +
                                                                reader.where("api." + std::to_string(j) + ".name"));
        if (api.client_certificate_file.empty() != api.client_key_file.empty())
            reader.report(
                reader.where(path + (api.client_key_file.empty() ? ".client_certificate_file" : ".client_key_file")),
                "api: client_certificate_file and client_key_file are of use only together");
        if (auto const unknown = unknown_placeholder(api.justification); !unknown.empty())
            reader.report(reader.where(path + ".justification"),
                          "api.justification: there is no " + unknown + "; " + std::string(placeholders_help));
        auto const& ports = api.ports.ports;
        if (std::find(ports.begin(), ports.end(), 80) != ports.end() && !api.allow_plain_http &&
            api.upstream_tls == "as-requested")
            warnings.push_back("API \"" + api.name +
                               "\": requests over plain HTTP are refused; set upstream_tls = \"always\" to carry them "
                               "over TLS, or allow_plain_http = true in a network that nobody else can read");
    }
    check_hosts(c, reader);
    for (auto const& api : c.apis) check_width(api, warnings);
    if (c.apis.empty()) warnings.push_back("no API is protected: name one with [[api]] or --protect HOST");
}

// The path style is made of these: a wrong one is a 404 at LumoAuth, which says nothing of what is wrong.
void check_names(config const& c, config_reader& reader) {
    auto const& as = c.authorization_server;
    for (std::string_view const part : {"/t/", "/orgs/"})
        if (as.url.find(part) != std::string::npos)
            reader.report(reader.where("authorization_server.url"),
                          "authorization_server.url: must be the base URL alone; what follows " + std::string(part) +
                              " belongs into " + (part == "/t/" ? "tenant" : "org_id"));
    auto const check = [&](std::string const& name, std::string const& key) {
        if (name == "." || name == ".." || name.find_first_of(" /\\?#%") != std::string::npos)
            reader.report(reader.where("authorization_server." + key),
                          "authorization_server." + key + ": " + toml_string(name) +
                              " is no name as LumoAuth gives it: it has no blanks, slashes or other marks of a URL");
    };
    check(as.tenant, "tenant");
    check(as.org_id, "org_id");
}

void check_server(config const& c, config_reader& reader, config_sources const& sources, std::vector<agent>& agents) {
    auto const& as = c.authorization_server;
    if (!as.tenant.empty() && !as.org_id.empty())
        reader.report(reader.where("authorization_server.org_id"),
                      "authorization_server: tenant and org_id name two styles of path; set one of them (tenant is set "
                      "at " +
                          reader.where("authorization_server.tenant") + ")");
    if (as.url.starts_with("http://") && !as.allow_plain_http) {
        auto rest = std::string_view(as.url).substr(7);
        auto const host = http::parse_authority(rest.substr(0, rest.find('/')), 80);
        bool const local = host && (host->host == "localhost" || host->host == "::1" ||
                                    (host->is_ip && host->host.starts_with("127.")));
        if (host && !local)
            reader.report(reader.where("authorization_server.url"),
                          "authorization_server.url: the client secret would go over plain HTTP to another machine; "
                          "use https://, or set allow_plain_http = true in a network that nobody else can read");
    }
    check_names(c, reader);
    if (!sources.need_credentials) return;
    if (as.tenant.empty() && as.org_id.empty())
        reader.report(reader.where("authorization_server.tenant"),
                      "authorization_server: neither tenant nor org_id is set (variables LUMOAUTH_TENANT, "
                      "LUMOAUTH_ORG_ID)");
    if (as.client_id.empty() && c.agents.empty())
        reader.report(reader.where("authorization_server.client_id"),
                      "authorization_server.client_id is not set (variable AGENT_CLIENT_ID)");
    bool const reported = std::any_of(reader.problems().begin(), reader.problems().end(), [](auto const& p) {
        return p.message.find("client_secret") != std::string::npos;
    });
    if (reported) return;
    agents = load_agents(c, sources.variables, [&](std::string const& path, std::string const& reason) {
        reader.report(reader.where(path), reason);
    });
}

void check_agents(config& c, config_reader& reader) {
    bool const first_is_default = !c.authorization_server.client_id.empty();
    for (std::size_t i = 0; i < c.agents.size(); ++i) {
        auto& a = c.agents[i];
        auto const path = "agent." + std::to_string(i);
        if (a.client_id.empty()) reader.report(reader.where(path), "agent.client_id is not set");
        if (a.name.empty()) a.name = a.client_id;
        if (a.name.find('/') != std::string::npos)  // it names a credential's file
            reader.report(reader.where(path + ".name"), "agent.name: a name has no \"/\" in it");
        auto const twice = [&](std::string const& other_name, std::string const& other_id, std::string const& other) {
            if (!a.name.empty() && a.name == other_name)
                reader.report(reader.where(path + ".name"),
                              "agent.name: \"" + a.name + "\" is the name of another agent, at " + reader.where(other));
            if (!a.client_id.empty() && a.client_id == other_id)
                reader.report(reader.where(path + ".client_id"),
                              "agent.client_id: \"" + a.client_id + "\" is another agent's, at " + reader.where(other));
        };
        if (first_is_default) twice("default", c.authorization_server.client_id, "authorization_server.client_id");
        for (std::size_t j = 0; j < i; ++j)
            twice(c.agents[j].name, c.agents[j].client_id, "agent." + std::to_string(j));
    }
}

void check_listeners(config const& c, config_reader& reader, std::vector<std::string>& warnings) {
    std::vector<std::string> seen;
    for (std::size_t i = 0; i < c.listen.proxy.size(); ++i) {
        auto const endpoint = parse_endpoint(c.listen.proxy[i]);
        if (!endpoint) continue;
        auto const text = endpoint->text();
        if (endpoint->port != 0 && std::find(seen.begin(), seen.end(), text) != seen.end())
            reader.report(reader.where("listen.proxy." + std::to_string(i)), "listen.proxy: " + text + " stands twice");
        seen.push_back(text);
        if (!endpoint->loopback() && c.session.default_mode == "auto")
            warnings.push_back("listen.proxy: whoever reaches " + text +
                               " acts with this agent's permissions; set [session] default = \"required\"");
        if (!endpoint->loopback() && !c.listen.allow_users.empty())
            warnings.push_back("listen.proxy: clients of other machines reach " + text +
                               " and are refused, as [listen] allow_users is set");
    }
    if (!c.listen.control_group.empty() && c.listen.control != "unix" && !c.listen.control.starts_with("unix:"))
        warnings.push_back("listen.control_group has no effect: listen.control is no Unix socket");
    if (c.listen.proxy.empty()) reader.report(reader.where("listen.proxy"), "listen.proxy: needs at least one address");
    if (auto const control = parse_endpoint(c.listen.control)) {
        if (!control->loopback())
            warnings.push_back("listen.control: the control token goes over plain HTTP to " + control->text());
        if (control->port != 0 && std::find(seen.begin(), seen.end(), control->text()) != seen.end())
            reader.report(reader.where("listen.control"), "listen.control: " + control->text() + " is the proxy's");
    }
}

}  // namespace

void check_config(loaded_config& loaded, config_reader& reader, config_sources const& sources) {
    auto& c = loaded.value;
    auto& warnings = loaded.warnings;
    check_listeners(c, reader, warnings);
    check_agents(c, reader);
    check_server(c, reader, sources, loaded.agents);
    check_apis(c, reader, warnings);
    if (sources.need_credentials) check_certificates(c, reader);
    if (auto const control = sources.variables("JITPROXY_CONTROL"); control && sources.need_credentials)
        if (auto const parsed = control::parse_address(*control); *control != "unix" && !parsed)
            reader.report("JITPROXY_CONTROL", parsed.error().detail);
    if (c.egress.default_action == "tunnel" && !c.egress.allow.empty())
        warnings.push_back("egress.allow has no effect while egress.default is \"tunnel\"");
}

}  // namespace jitproxy::app
