// What the configuration says about destinations: protected API, tunnel, or refused. Immutable once built; any thread.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "jitproxy/base/clock.hpp"
#include "jitproxy/base/error.hpp"
#include "jitproxy/base/json.hpp"
#include "jitproxy/http/target.hpp"
#include "jitproxy/policy/address_guard.hpp"

namespace jitproxy::policy {

// "api.example.com" or "*.example.com" (one label or more in front; never example.com itself). Lower case, A-labels.
class host_pattern {
  public:
    [[nodiscard]] static result<host_pattern> parse(std::string_view text);  // errors: configuration
    [[nodiscard]] bool matches(std::string_view normalised_host) const noexcept;
    [[nodiscard]] bool is_suffix() const noexcept { return suffix_; }
    // The host, or for a suffix pattern the name behind "*.".
    [[nodiscard]] std::string const& name() const noexcept { return name_; }
    [[nodiscard]] std::string text() const;

  private:
    std::string name_;
    bool suffix_ = false;
};

enum class upstream_tls : std::uint8_t {
    as_requested,  // the scheme of the target decides
    always,        // https upstream also where the agent spoke http
};
enum class authorization_mode : std::uint8_t {
    replace,  // the agent's own Authorization never reaches the API
    keep,     // it wins where the agent sends one
};

// One [[api]] table.
struct api {
    std::string name;
    std::vector<host_pattern> hosts;
    std::vector<std::uint16_t> ports{443};
    std::string ca_file;  // extra roots; empty: none
    policy::upstream_tls upstream_tls = policy::upstream_tls::as_requested;
    authorization_mode authorization = authorization_mode::replace;
    std::vector<std::string> types;  // empty: any
    seconds requested_ttl{300};
    std::string justification = "{method} {url}";  // {method}, {url} (without query), {host}, {api}
    bool allow_plain_http = false;
    std::string client_certificate_file;  // PEM, with its chain; empty: none
    std::string client_key_file;
    milliseconds hold{0};  // 0: as [approval] says
};
using api_ptr = std::shared_ptr<api const>;

struct egress {
    bool deny_by_default = false;
    std::vector<host_pattern> allow;
    std::vector<std::uint16_t> connect_ports{443};
    bool any_connect_port = false;
};

enum class route_kind : std::uint8_t {
    protected_api,  // bearer injected, TLS intercepted
    open,           // passed on untouched
};
struct route {
    route_kind kind = route_kind::open;
    api_ptr api;  // of a protected API
};

class rules {
  public:
    rules(std::vector<api> apis, egress e, address_guard guard);

    // A plain HTTP request (absolute form, or inside an intercepted tunnel). Errors: host_denied, port_denied.
    // A protected host is never reached unprotected: on a port that its API does not list the answer is port_denied.
    // Where several APIs match, the most specific pattern wins: exact before suffix, longer suffix before shorter, and
    // between equals the earlier table.
    [[nodiscard]] result<route> route_request(http::authority const& destination) const;
    // CONNECT. A tunnel's port is checked too. Errors: host_denied, port_denied.
    // Here too a protected host on a port that its API does not list is port_denied, never a tunnel.
    [[nodiscard]] result<route> route_connect(http::authority const& destination) const;
    // The API that protects this host, be it on another port: whose business a refused request was. Null: none does.
    [[nodiscard]] api_ptr api_of_host(http::authority const& destination) const;
    [[nodiscard]] address_guard const& guard() const noexcept { return guard_; }
    [[nodiscard]] std::vector<api_ptr> const& apis() const noexcept { return apis_; }
    // For the CA's name constraints: each protected host once, suffix patterns as ".example.com", addresses as they
    // are.
    [[nodiscard]] std::vector<std::string> protected_names() const;

  private:
    struct name_hash {  // heterogeneous lookup
        using is_transparent = void;
        std::size_t operator()(std::string_view s) const noexcept { return std::hash<std::string_view>{}(s); }
    };
    // APIs by the name of a pattern, in the order of their tables.
    using index = std::unordered_map<std::string, std::vector<api_ptr>, name_hash, std::equal_to<>>;

    struct match {
        api_ptr api;           // null: none protects the host
        bool on_port = false;  // and lists the port
    };
    [[nodiscard]] match find_host(http::authority const& destination) const;
    // The API that protects this destination; null where none does. Errors: port_denied.
    [[nodiscard]] result<api_ptr> find_api(http::authority const& destination) const;
    [[nodiscard]] bool egress_allows(std::string_view host) const noexcept;

    std::vector<api_ptr> apis_;
    index exact_;
    index suffix_;
    egress egress_;
    address_guard guard_;
};
using rules_ptr = std::shared_ptr<rules const>;

// May this authorization_details object be asked for at the AS on behalf of this API? Its type must be allowed and its
// `locations`, where given, must lie within `origin` ("https://host:port"). Errors: permission_not_asked, with the
// reason.
[[nodiscard]] result<void> may_ask(api const& a, std::string_view origin, json::object const& details);

}  // namespace jitproxy::policy
