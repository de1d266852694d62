// The configuration as plain data: what contract.md's TOML says, with every default. How it is read stands in
// config_load.hpp, what each key means in config_keys.cpp.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "jitproxy/base/clock.hpp"

namespace jitproxy::app {

struct port_set {
    std::vector<std::uint16_t> ports;
    bool any = false;  // ["any"]
    friend bool operator==(port_set const&, port_set const&) = default;
};

struct api_config {  // one [[api]] table; texts are checked, but kept as they were written
    std::string name;
    std::vector<std::string> hosts;
    port_set ports{{443}};
    std::string ca_file;
    std::string upstream_tls = "as-requested";
    std::string authorization = "replace";
    std::vector<std::string> types;
    milliseconds requested_ttl = std::chrono::minutes{5};
    std::string justification = "{method} {url}";
    bool allow_plain_http = false;
    std::string client_certificate_file;
    std::string client_key_file;
    milliseconds hold{0};
};

struct agent_config {  // one [[agent]] table
    std::string name;
    std::string client_id;
    std::string client_secret_file;
    std::string scope;
};

struct config {
    struct {
        std::vector<std::string> proxy{"127.0.0.1:8080", "[::1]:8080"};
        std::string control = "unix";
        std::string control_token_file;
        std::uint64_t workers = 0;
    } listen;
    struct {
        std::string url = "https://app.lumoauth.dev";
        std::string tenant;
        std::string org_id;
        std::string client_id;
        std::string client_secret_file;
        std::string scope;
        std::string ca_file;
        bool allow_plain_http = false;
        milliseconds timeout = seconds{10};
        std::uint64_t circuit_failures = 5;
    } authorization_server;
    std::vector<agent_config> agents;  // beside that of [authorization_server]
    std::vector<api_config> apis;
    struct {
        std::string default_action = "tunnel";
        std::vector<std::string> allow;
        port_set connect_ports{{443}};
        std::vector<std::string> allow_addresses;
        std::vector<std::string> name_servers;
    } egress;
    struct {
        std::string default_mode = "auto";
        milliseconds idle_timeout = std::chrono::minutes{15};
        milliseconds evaluate_every{0};
        bool revoke_tokens = true;
        std::string on_restart = "close";
    } session;
    struct {
        milliseconds hold = std::chrono::minutes{5};
        milliseconds poll_interval = seconds{5};
        milliseconds denial_memory = seconds{10};
        milliseconds unclear_memory = seconds{10};
        std::uint64_t requests_per_minute = 120;
        std::uint64_t requests_open = 64;
        std::string callback_listen;
        std::string callback_url;
    } approval;
    struct {
        milliseconds client_head = seconds{30};
        milliseconds client_idle = std::chrono::minutes{5};
        milliseconds body_idle = std::chrono::minutes{1};
        milliseconds dns = seconds{5};
        milliseconds connect = seconds{10};
        milliseconds tls_handshake = seconds{10};
        milliseconds upstream_head = std::chrono::minutes{1};
        milliseconds continue_wait = std::chrono::seconds{1};
        milliseconds tunnel_idle = std::chrono::minutes{10};
        milliseconds pool_idle = std::chrono::minutes{1};
        milliseconds linger = seconds{2};
        milliseconds drain = seconds{10};
    } timeouts;
    struct {
        std::uint64_t connections = 10'000;
        std::uint64_t session_connections = 10'000;
        std::uint64_t request_line_bytes = 8ULL << 10;
        std::uint64_t head_bytes = 64ULL << 10;
        std::uint64_t head_fields = 128;
        std::uint64_t replay_memory = 256ULL << 10;
        std::uint64_t replay_file = 64ULL << 20;
        std::uint64_t held_body = 64ULL << 10;
        std::uint64_t pool_per_origin = 64;
    } limits;
    struct {
        bool name_constraints = true;
        milliseconds lifetime = std::chrono::hours{24 * 365};
        std::string public_directory;
    } ca;
    struct {
        std::string level = "info";
        std::string format = "text";
    } log;
    struct {
        std::string directory;
    } state;

    bool listen_is_default = true;  // nobody set listen.proxy: [::1] is left out on a machine without IPv6
};

}  // namespace jitproxy::app
