// Request targets (RFC 9112 3.2) and authorities, in the one form that policy and the dialler use.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "jitproxy/base/error.hpp"

namespace jitproxy::http {

enum class scheme : std::uint8_t { http, https };
[[nodiscard]] std::string_view to_string(scheme s) noexcept;
[[nodiscard]] std::uint16_t default_port(scheme s) noexcept;

// A host as policy compares it: lower case, A-labels, no trailing dot; an IPv6 address without brackets, an IPv4
// address in dotted decimal (decimal, octal, hexadecimal and short forms are turned into it: what getaddrinfo would
// dial).
struct authority {
    std::string host;
    std::uint16_t port = 0;
    bool is_ip = false;
    friend bool operator==(authority const&, authority const&) = default;
};
// "host:port", "host", "[v6]:port". Port 0 in `fallback_port` makes the port mandatory. Refuses userinfo, empty hosts,
// bad ports, zone ids, bytes that no host has. Errors: bad_target.
[[nodiscard]] result<authority> parse_authority(std::string_view text, std::uint16_t fallback_port);
// A host alone in the form above. Non-ASCII is refused: clients send A-labels.
[[nodiscard]] result<authority> normalise_host(std::string_view host);
// For Host and for messages: brackets where needed, the port left out where it is the scheme's default.
[[nodiscard]] std::string format_authority(authority const& a, scheme s);
// "https://host:port", always with the port: the key of grants and pools.
[[nodiscard]] std::string origin_of(scheme s, authority const& a);

enum class target_form : std::uint8_t { origin, absolute, authority, asterisk };

struct request_target {
    target_form form = target_form::origin;
    http::scheme scheme = scheme::http;  // of the absolute form
    http::authority authority;           // of the absolute and the authority form
    // Path and query exactly as received, a view of the target that was parsed. Where the absolute form has no path:
    // "/", or "*" for OPTIONS (RFC 9112 3.2.4). "http://host?query" becomes "/?query" (3.2.1), a text that stands
    // nowhere in the target: then `rewritten` holds it, and copies of this share it.
    std::string_view path;
    std::shared_ptr<std::string const> rewritten;
};
// CONNECT wants authority form (port mandatory), OPTIONS may have "*"; userinfo, fragments, other schemes: bad_target.
[[nodiscard]] result<request_target> parse_request_target(std::string_view method, std::string_view target);
// Everything before the query: for logs and default justifications.
[[nodiscard]] std::string_view without_query(std::string_view path) noexcept;

}  // namespace jitproxy::http
