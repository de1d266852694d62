#include "jitproxy/app/client_environment.hpp"

#include <algorithm>
#include <set>

#include "catch.hpp"
#include "config_fixture.hpp"

using namespace jitproxy;
using namespace jitproxy::app;
using namespace jitproxy::app::testing;

namespace {

client_access access() {
    return {"http://ses_1:pw@127.0.0.1:8080", "127.0.0.1", 8080, "/s/ca.pem", "/s/ca-bundle.pem", "/s/truststore.p12"};
}

std::string value(environment const& variables, std::string_view name) {
    for (auto const& [key, v] : variables)
        if (key == name) return v;
    return "(absent)";
}

}  // namespace

TEST_CASE("protected hosts on this machine are asked of the proxy") {
    using names = std::vector<std::string>;
    auto const direct = [](names hosts) {
        api_config api;
        api.hosts = std::move(hosts);
        return names_reached_directly({api});
    };
    CHECK(direct({"api.example.com"}) == names{"localhost", "127.0.0.1", "::1"});
    CHECK(direct({"LocalHost"}) == names{"127.0.0.1", "::1"});
    CHECK(direct({"api.localhost"}) == names{"127.0.0.1", "::1"});
    CHECK(direct({"*.localhost"}) == names{"127.0.0.1", "::1"});
    CHECK(direct({"notlocalhost"}) == names{"localhost", "127.0.0.1", "::1"});
    CHECK(direct({"127.0.0.1"}) == names{"localhost", "::1"});
    CHECK(direct({"[::1]", "localhost", "127.0.0.1"}).empty());
    auto a = access();
    a.direct = {"127.0.0.1", "::1"};
    CHECK(value(client_environment(a), "NO_PROXY") == "127.0.0.1,::1");
    CHECK(value(client_environment(a), "JAVA_TOOL_OPTIONS").find("-Dhttp.nonProxyHosts=127.*|[::1] ") !=
          std::string::npos);
    a.direct.clear();
    CHECK(value(client_environment(a), "no_proxy").empty());
}

TEST_CASE("every client finds its variables") {
    auto const env = client_environment(access());
    struct row {
        char const* name;
        char const* value;
    };
    row const rows[] = {
        {"HTTP_PROXY", "http://ses_1:pw@127.0.0.1:8080"},
        {"HTTPS_PROXY", "http://ses_1:pw@127.0.0.1:8080"},
        {"http_proxy", "http://ses_1:pw@127.0.0.1:8080"},
        {"https_proxy", "http://ses_1:pw@127.0.0.1:8080"},
        {"NO_PROXY", "localhost,127.0.0.1,::1"},
        {"no_proxy", "localhost,127.0.0.1,::1"},
        {"NODE_USE_ENV_PROXY", "1"},
        {"NODE_EXTRA_CA_CERTS", "/s/ca.pem"},
        {"DENO_CERT", "/s/ca.pem"},
        {"SSL_CERT_FILE", "/s/ca-bundle.pem"},
        {"REQUESTS_CA_BUNDLE", "/s/ca-bundle.pem"},
        {"CURL_CA_BUNDLE", "/s/ca-bundle.pem"},
        {"GIT_SSL_CAINFO", "/s/ca-bundle.pem"},
        {"PIP_CERT", "/s/ca-bundle.pem"},
        {"AWS_CA_BUNDLE", "/s/ca-bundle.pem"},
        {"CARGO_HTTP_CAINFO", "/s/ca-bundle.pem"},
        {"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "/s/ca-bundle.pem"},
        {"GIT_CONFIG_COUNT", "1"},
        {"GIT_CONFIG_KEY_0", "http.proxyAuthMethod"},
        {"GIT_CONFIG_VALUE_0", "basic"},
    };
    for (auto const& [name, expected] : rows) {
        INFO(name);
        CHECK(value(env, name) == expected);
    }
    CHECK(value(env, "ALL_PROXY") == "(absent)");
    std::set<std::string> names;
    for (auto const& [name, v] : env) CHECK(names.insert(name).second);
}

TEST_CASE("a JVM gets flags, for it knows neither PEM nor a proxy URL") {
    CHECK(value(client_environment(access()), "JAVA_TOOL_OPTIONS") ==
          "-Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort=8080 -Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=8080 "
          "-Dhttp.nonProxyHosts=localhost|127.*|[::1] -Djavax.net.ssl.trustStore=/s/truststore.p12 "
          "-Djavax.net.ssl.trustStoreType=PKCS12 -Djavax.net.ssl.trustStorePassword=changeit "
          "-Djdk.http.auth.tunneling.disabledSchemes=");
    auto spaced = access();
    spaced.truststore = "/s p/t.p12";
    CHECK(value(client_environment(spaced), "JAVA_TOOL_OPTIONS").find("\"-Djavax.net.ssl.trustStore=/s p/t.p12\"") !=
          std::string::npos);
}

TEST_CASE("a user's own Java options stay, earlier ones of ours do not") {
    auto const ours = client_environment(access());
    auto const flags = value(ours, "JAVA_TOOL_OPTIONS");
    auto const merged = [&](std::string const& inherited) {
        return value(merge_environment(ours, lookup({{"JAVA_TOOL_OPTIONS", inherited}}), true), "JAVA_TOOL_OPTIONS");
    };
    CHECK(merged("") == flags);
    CHECK(merged("-Xmx1g") == "-Xmx1g " + flags);
    CHECK(merged("-Xmx1g -Dhttp.proxyHost=old -Dx=\"a b\" -Djavax.net.ssl.trustStore=/old") ==
          "-Xmx1g -Dx=\"a b\" " + flags);
    CHECK(merged("\"-Djavax.net.ssl.trustStore=/old path/t\" -Xss1m") == "-Xss1m " + flags);
    CHECK(merged(flags) == flags);  // a run within a run
    CHECK(value(merge_environment(ours, lookup({}), false), "JAVA_TOOL_OPTIONS") == "(absent)");
}

TEST_CASE("git's own settings by variable are kept, ours is numbered behind them") {
    auto const ours = client_environment(access());
    auto const merged = merge_environment(ours,
                                          lookup({{"GIT_CONFIG_COUNT", "3"},
                                                  {"GIT_CONFIG_KEY_0", "user.name"},
                                                  {"GIT_CONFIG_VALUE_0", "me"},
                                                  {"GIT_CONFIG_KEY_1", "http.proxyAuthMethod"},
                                                  {"GIT_CONFIG_VALUE_1", "ntlm"},
                                                  {"GIT_CONFIG_KEY_2", "core.pager"},
                                                  {"GIT_CONFIG_VALUE_2", ""}}),
                                          true);
    CHECK(value(merged, "GIT_CONFIG_COUNT") == "3");
    CHECK(value(merged, "GIT_CONFIG_KEY_0") == "user.name");
    CHECK(value(merged, "GIT_CONFIG_VALUE_0") == "me");
    CHECK(value(merged, "GIT_CONFIG_KEY_1") == "core.pager");
    CHECK(value(merged, "GIT_CONFIG_KEY_2") == "http.proxyAuthMethod");
    CHECK(value(merged, "GIT_CONFIG_VALUE_2") == "basic");
    CHECK(value(merge_environment(ours, lookup({{"GIT_CONFIG_COUNT", "many"}}), true), "GIT_CONFIG_COUNT") == "1");
}

TEST_CASE("a command's environment: inherited copies are replaced, credentials are withheld") {
    auto const env = command_environment(
        {"PATH=/bin", "HTTPS_PROXY=http://old", "https_proxy=http://old", "AGENT_CLIENT_SECRET=s", "AGENT_CLIENT_ID=i",
         "LUMOAUTH_USER_TOKEN=u", "JITPROXY_CONTROL_TOKEN=c", "LUMOAUTH_URL=https://x", "EMPTY=", "odd"},
        {{"HTTPS_PROXY", "http://new"}, {"https_proxy", "http://new"}});
    CHECK(env == std::vector<std::string>{"PATH=/bin", "LUMOAUTH_URL=https://x", "EMPTY=", "odd",
                                          "HTTPS_PROXY=http://new", "https_proxy=http://new"});
}
