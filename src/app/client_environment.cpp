#include "jitproxy/app/client_environment.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>

namespace jitproxy::app {
namespace {

// What the value of each variable is; JAVA_TOOL_OPTIONS and git's are composed apart.
enum class value_of : std::uint8_t {
    proxy,     // the proxy URL
    no_proxy,  // names that are reached directly
    one,       // "1"
    ca,        // the local CA: the client adds it to the roots it has
    bundle,    // system roots and local CA: the client's roots are replaced by it
};
struct client_variable {
    std::string_view name;
    value_of value;
};
constexpr client_variable client_variables[] = {
    {"HTTP_PROXY", value_of::proxy},                         // Go, Python, Ruby, Rust …
    {"HTTPS_PROXY", value_of::proxy},                        //
    {"http_proxy", value_of::proxy},                         // curl and git read only the lower case one
    {"https_proxy", value_of::proxy},                        //
    {"NO_PROXY", value_of::no_proxy},                        //
    {"no_proxy", value_of::no_proxy},                        //
    {"NODE_USE_ENV_PROXY", value_of::one},                   // Node 22.21, 24: fetch and http.request
    {"NODE_EXTRA_CA_CERTS", value_of::ca},                   // Node, Bun
    {"DENO_CERT", value_of::ca},                             // Deno
    {"SSL_CERT_FILE", value_of::bundle},                     // OpenSSL, Go on Linux, Ruby, uv, Python's ssl
    {"REQUESTS_CA_BUNDLE", value_of::bundle},                // Python requests
    {"CURL_CA_BUNDLE", value_of::bundle},                    // curl, Python requests
    {"GIT_SSL_CAINFO", value_of::bundle},                    // git
    {"PIP_CERT", value_of::bundle},                          // pip
    {"HTTPLIB2_CA_CERTS", value_of::bundle},                 // Google's older Python clients
    {"AWS_CA_BUNDLE", value_of::bundle},                     // AWS CLI and SDKs
    {"CARGO_HTTP_CAINFO", value_of::bundle},                 // cargo
    {"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", value_of::bundle},  // gRPC core
    {"NIX_SSL_CERT_FILE", value_of::bundle},                 // Nix
};

std::string joined(std::vector<std::string> const& names, char separator) {
    std::string out;
    for (auto const& name : names) out.append(out.empty() ? 0 : 1, separator).append(name);
    return out;
}

// What belongs to people and to the proxy, not to the agent.
constexpr std::string_view withheld[] = {"AGENT_CLIENT_SECRET", "AGENT_CLIENT_ID", "LUMOAUTH_USER_TOKEN",
                                         "JITPROXY_CONTROL_TOKEN", "CREDENTIALS_DIRECTORY"};

constexpr std::string_view java_prefixes[] = {
    "-Dhttp.proxyHost=",
    "-Dhttp.proxyPort=",
    "-Dhttps.proxyHost=",
    "-Dhttps.proxyPort=",
    "-Dhttp.nonProxyHosts=",
    "-Djavax.net.ssl.trustStore=",
    "-Djavax.net.ssl.trustStoreType=",
    "-Djavax.net.ssl.trustStorePassword=",
    "-Djdk.http.auth.tunneling.disabledSchemes=",
};

std::string java_word(std::string word) {  // the JVM splits at white space, but honours quotes
    if (word.find_first_of(" \t") == std::string::npos) return word;
    return "\"" + word + "\"";
}

std::string java_options(client_access const& a) {
    auto const port = std::to_string(a.proxy_port);
    std::string out;
    auto const add = [&](std::string_view prefix, std::string const& value) {
        out += (out.empty() ? "" : " ") + java_word(std::string(prefix) + value);
    };
    add("-Dhttp.proxyHost=", a.proxy_host);
    add("-Dhttp.proxyPort=", port);
    add("-Dhttps.proxyHost=", a.proxy_host);
    add("-Dhttps.proxyPort=", port);
    auto direct = a.direct;
    for (auto& name : direct) name = name == "127.0.0.1" ? "127.*" : name == "::1" ? "[::1]" : name;
    add("-Dhttp.nonProxyHosts=", joined(direct, '|'));
    if (!a.truststore.empty()) {
        add("-Djavax.net.ssl.trustStore=", a.truststore);
        add("-Djavax.net.ssl.trustStoreType=", "PKCS12");
        add("-Djavax.net.ssl.trustStorePassword=", std::string(truststore_password));
    }
    // Basic is switched off for CONNECT by default (JDK 8u111); the session's credentials are Basic.
    add("-Djdk.http.auth.tunneling.disabledSchemes=", "");
    return out;
}

// The words of JAVA_TOOL_OPTIONS that are not ours.
std::string foreign_java_options(std::string_view text) {
    std::string out;
    while (true) {
        auto const begin = text.find_first_not_of(" \t\n");
        if (begin == std::string_view::npos) return out;
        std::size_t end = begin;
        char quote = 0;
        for (; end < text.size(); ++end) {
            char const ch = text[end];
            if (quote) {
                if (ch == quote) quote = 0;
            } else if (ch == '"' || ch == '\'') {
                quote = ch;
            } else if (ch == ' ' || ch == '\t' || ch == '\n') {
                break;
            }
        }
        auto const word = text.substr(begin, end - begin);
        auto bare = word;
        if (bare.starts_with('"') || bare.starts_with('\'')) bare.remove_prefix(1);
        bool const ours = std::any_of(std::begin(java_prefixes), std::end(java_prefixes),
                                      [&](auto prefix) { return bare.starts_with(prefix); });
        if (!ours) out += (out.empty() ? "" : " ") + std::string(word);
        text = text.substr(end);
    }
}

std::string* find(environment& variables, std::string_view name) {
    for (auto& [key, value] : variables)
        if (key == name) return &value;
    return nullptr;
}

// git's settings by variable are numbered; ours goes behind those that the user has.
void merge_git(environment& session, variable_lookup const& inherited) {
    if (!find(session, "GIT_CONFIG_COUNT")) return;
    unsigned count = 0;
    auto const text = inherited("GIT_CONFIG_COUNT").value_or("0");
    if (std::from_chars(text.data(), text.data() + text.size(), count).ec != std::errc{} || count > 1000) count = 0;
    environment settings;
    for (unsigned i = 0; i < count; ++i) {
        auto const key = inherited("GIT_CONFIG_KEY_" + std::to_string(i));
        if (!key || *key == "http.proxyAuthMethod") continue;
        settings.emplace_back(*key, inherited("GIT_CONFIG_VALUE_" + std::to_string(i)).value_or(""));
    }
    settings.emplace_back("http.proxyAuthMethod", "basic");
    std::erase_if(session, [](auto const& v) { return v.first.starts_with("GIT_CONFIG_"); });
    session.emplace_back("GIT_CONFIG_COUNT", std::to_string(settings.size()));
    for (std::size_t i = 0; i < settings.size(); ++i) {
        session.emplace_back("GIT_CONFIG_KEY_" + std::to_string(i), settings[i].first);
        session.emplace_back("GIT_CONFIG_VALUE_" + std::to_string(i), settings[i].second);
    }
}

}  // namespace

std::vector<std::string> names_reached_directly(std::vector<api_config> const& apis) {
    auto names = client_access{}.direct;
    for (auto const& api : apis) {
        for (auto const& text : api.hosts) {
            auto const host = policy::host_pattern::parse(text);
            if (!host) continue;  // reported where the configuration is read
            std::erase_if(names, [&](std::string const& name) {
                return host->name() == name || (name == "localhost" && host->name().ends_with(".localhost"));
            });
        }
    }
    return names;
}

environment client_environment(client_access const& access) {
    environment out;
    for (auto const& [name, value] : client_variables) {
        switch (value) {
            case value_of::proxy:
                out.emplace_back(name, access.proxy_url);
                break;
            case value_of::no_proxy:
                out.emplace_back(name, joined(access.direct, ','));
                break;
            case value_of::one:
                out.emplace_back(name, "1");
                break;
            case value_of::ca:
                out.emplace_back(name, access.ca_file);
                break;
            case value_of::bundle:
                out.emplace_back(name, access.ca_bundle);
                break;
        }
    }
    // git answers a challenge only with a method it was told, and libcurl's "anyauth" costs a round trip a request.
    out.emplace_back("GIT_CONFIG_COUNT", "1");
    out.emplace_back("GIT_CONFIG_KEY_0", "http.proxyAuthMethod");
    out.emplace_back("GIT_CONFIG_VALUE_0", "basic");
    out.emplace_back("JAVA_TOOL_OPTIONS", java_options(access));
    return out;
}

environment merge_environment(environment session, variable_lookup const& inherited, bool with_java) {
    merge_git(session, inherited);
    auto* const java = find(session, "JAVA_TOOL_OPTIONS");
    if (!java) return session;
    auto const foreign = foreign_java_options(inherited("JAVA_TOOL_OPTIONS").value_or(""));
    if (with_java)
        *java = foreign.empty() ? *java : foreign + " " + *java;
    else
        std::erase_if(session, [](auto const& v) { return v.first == "JAVA_TOOL_OPTIONS"; });
    return session;
}

bool program_found(std::string_view name, variable_lookup const& variables) {
    auto const path = variables("PATH").value_or("/usr/local/bin:/usr/bin:/bin");
    for (std::string_view rest = path;;) {
        auto const colon = rest.find(':');
        if (auto const directory = rest.substr(0, colon);
            !directory.empty() && access((std::string(directory) + "/" + std::string(name)).c_str(), X_OK) == 0)
            return true;
        if (colon == std::string_view::npos) return false;
        rest = rest.substr(colon + 1);
    }
}

bool java_found(variable_lookup const& variables) {
    auto const home = variables("JAVA_HOME");
    return (home && access((*home + "/bin/java").c_str(), X_OK) == 0) || program_found("java", variables);
}

std::vector<std::string> command_environment(std::vector<std::string> const& inherited, environment const& ours) {
    std::vector<std::string> out;
    for (auto const& entry : inherited) {
        auto const name = std::string_view(entry).substr(0, entry.find('='));
        bool const replaced = std::any_of(ours.begin(), ours.end(), [&](auto const& v) { return v.first == name; });
        bool const hidden = std::find(std::begin(withheld), std::end(withheld), name) != std::end(withheld);
        if (!replaced && !hidden) out.push_back(entry);
    }
    for (auto const& [name, value] : ours) out.push_back(name + "=" + value);
    return out;
}

}  // namespace jitproxy::app
