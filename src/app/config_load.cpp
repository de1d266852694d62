#include "jitproxy/app/config_load.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "jitproxy/app/config_keys.hpp"
#include "jitproxy/app/config_reader.hpp"
#include "jitproxy/app/paths.hpp"
#include "jitproxy/http/target.hpp"

namespace jitproxy::app {
namespace {

constexpr std::size_t largest_config_file = 1U << 20;

struct variable_key {
    std::string_view variable;
    std::string_view table;
    std::string_view key;
};
constexpr variable_key variables_of_keys[] = {
    {"LUMOAUTH_URL", "authorization_server", "url"},
    {"LUMOAUTH_TENANT", "authorization_server", "tenant"},
    {"LUMOAUTH_ORG_ID", "authorization_server", "org_id"},
    {"AGENT_CLIENT_ID", "authorization_server", "client_id"},
};

// tenant and org_id exclude each other: of two sources the higher one picks the style alone.
void drop_other_style(std::string_view key, std::string const& source, config_reader& reader, config& c) {
    auto& as = c.authorization_server;
    if (key != "tenant" && key != "org_id") return;
    auto& other = key == "tenant" ? as.org_id : as.tenant;
    if (other.empty()) return;
    other.clear();
    reader.note(key == "tenant" ? "authorization_server.org_id" : "authorization_server.tenant", source);
}

void apply_variables(config_sources const& sources, config_reader& reader, config& c) {
    bool style_dropped = false;  // both variables at once are for check_config to refuse
    for (auto const& [variable, table, key] : variables_of_keys) {
        auto const value = sources.variables(variable);
        if (!value) continue;
        if ((key == "tenant" || key == "org_id") && !style_dropped) {
            drop_other_style(key, std::string(variable), reader, c);
            style_dropped = true;
        }
        reader.set(table, key, {*value}, std::string(variable), c);
    }
}

void apply_flags(config_sources const& sources, config_reader& reader, config& c) {
    std::vector<std::string> done;
    for (auto const& flag : sources.flags) {
        auto const path = flag.table + "." + flag.key;
        if (std::find(done.begin(), done.end(), path) != done.end()) continue;
        done.push_back(path);
        std::vector<std::string> values;  // a flag given again adds to a list
        for (auto const& other : sources.flags)
            if (other.table == flag.table && other.key == flag.key) values.push_back(other.value);
        drop_other_style(flag.key, flag.source, reader, c);
        reader.set(flag.table, flag.key, values, flag.source, c);
    }
}

void apply_protect(config_sources const& sources, config_reader& reader, config& c) {
    for (auto const& text : sources.protect) {
        api_config api;
        auto host = std::string_view(text);
        std::string const where = "--protect " + text;
        bool const suffix = host.starts_with("*.");
        auto const parsed = http::parse_authority(suffix ? host.substr(2) : host, 443);
        if (!parsed) {
            reader.report(where, parsed.error().detail);
            continue;
        }
        api.name = text;
        api.hosts = {(suffix ? "*." : "") + parsed->host};
        api.ports = {{parsed->port}};
        auto const path = "api." + std::to_string(c.apis.size());
        for (auto const* key : {"", ".name", ".hosts", ".ports"}) reader.note(path + key, "--protect");
        c.apis.push_back(std::move(api));
    }
}

}  // namespace

variable_lookup process_environment() {
    return [](std::string_view name) -> std::optional<std::string> {
        auto const* value = std::getenv(std::string(name).c_str());
        if (!value || !*value) return std::nullopt;
        return std::string(value);
    };
}

loaded_config load_config(config_sources const& sources) {
    loaded_config out;
    bool const named = !sources.file.empty();
    out.file = named ? sources.file : find_config_file(sources.variables).string();
    config_reader reader(out.file);
    bool readable = true;
    if (!sources.file_text.empty()) {
        readable = reader.read(sources.file_text, out.value);
    } else if (!out.file.empty()) {
        auto const text = read_text_file(out.file, largest_config_file);
        if (text)
            readable = reader.read(*text, out.value);
        else  // a directory, say: nothing of it may be taken for an empty file
            reader.report(out.file, std::string("cannot be read: ") + std::strerror(errno));
        readable = readable && text;
    }
    apply_variables(sources, reader, out.value);
    apply_flags(sources, reader, out.value);
    apply_protect(sources, reader, out.value);
    out.value.listen_is_default = !reader.was_set("listen.proxy");
    // Of a file that cannot be read all else would seem to be missing.
    if (readable) check_config(out, reader, sources);
    out.problems = std::move(reader.problems());
    out.origins = reader.origins();
    return out;
}

result<policy::rules_ptr> make_rules(config const& c) {
    auto const patterns = [](std::vector<std::string> const& texts) -> result<std::vector<policy::host_pattern>> {
        std::vector<policy::host_pattern> out;
        for (auto const& text : texts) {
            auto pattern = policy::host_pattern::parse(text);
            if (!pattern) return pattern.error();
            out.push_back(std::move(*pattern));
        }
        return out;
    };
    std::vector<policy::api> apis;
    for (auto const& a : c.apis) {
        auto hosts = patterns(a.hosts);
        if (!hosts) return hosts.error();
        policy::api api;
        api.name = a.name;
        api.hosts = std::move(*hosts);
        api.ports = a.ports.ports;
        api.ca_file = a.ca_file;
        api.upstream_tls =
            a.upstream_tls == "always" ? policy::upstream_tls::always : policy::upstream_tls::as_requested;
        api.authorization =
            a.authorization == "keep" ? policy::authorization_mode::keep : policy::authorization_mode::replace;
        api.types = a.types;
        api.requested_ttl = std::chrono::duration_cast<seconds>(a.requested_ttl);
        api.justification = a.justification;
        api.allow_plain_http = a.allow_plain_http;
        api.client_certificate_file = a.client_certificate_file;
        api.client_key_file = a.client_key_file;
        api.hold = a.hold;
        apis.push_back(std::move(api));
    }
    policy::egress egress;
    egress.deny_by_default = c.egress.default_action == "deny";
    auto allow = patterns(c.egress.allow);
    if (!allow) return allow.error();
    egress.allow = std::move(*allow);
    egress.connect_ports = c.egress.connect_ports.ports;
    egress.any_connect_port = c.egress.connect_ports.any;
    auto guard = policy::address_guard::create(c.egress.allow_addresses);
    if (!guard) return guard.error();
    return std::make_shared<policy::rules const>(std::move(apis), std::move(egress), std::move(*guard));
}

}  // namespace jitproxy::app
