// Where the authorization server lives, and what may be asked of it: URLs in, request targets of its own origin out.
#pragma once
#include <string>
#include <string_view>

#include "jitproxy/base/error.hpp"
#include "jitproxy/http/target.hpp"

namespace jitproxy::lumoauth {

struct location {
    http::scheme scheme = http::scheme::https;
    http::authority authority;
    std::string prefix;    // path of the base URL without trailing slash; mostly empty
    std::string api_path;  // prefix + "/t/{tenant}/api/v1" or "/orgs/{org_id}/api/v1" (protocol.md section 1)
    std::string host_field;

    // prefix and api_path are left out: for messages.
    [[nodiscard]] std::string origin() const { return http::origin_of(scheme, authority); }
};

// Exactly one of `tenant` and `org_id` picks the path style. Plain HTTP carries client secrets and bearers in the
// clear, so it is accepted for loopback hosts only, unless `allow_plain_http`. Errors: configuration.
[[nodiscard]] result<location> parse_location(std::string_view url, std::string_view tenant, std::string_view org_id,
                                              bool allow_plain_http);

// The request target for a `status_url` or `token_url` as the server sent it: relative to the base URL, or absolute on
// the server's own origin. Anything else is as_malformed: no token may go there (protocol.md section 2).
[[nodiscard]] result<std::string> resolve_reference(location const& where, std::string_view reference);

// "localhost", names below it (RFC 6761 6.3) and loopback addresses.
[[nodiscard]] bool is_loopback(http::authority const& a) noexcept;

}  // namespace jitproxy::lumoauth
