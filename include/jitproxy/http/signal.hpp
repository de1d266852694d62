// The 403 (or 401) that names what is missing, in every dialect of protocol.md sections 3 and 6.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "jitproxy/base/json.hpp"
#include "jitproxy/http/head.hpp"

namespace jitproxy::http {

enum class signal_presence : std::uint8_t {
    none,     // an ordinary answer
    in_head,  // the details are in the head
    in_body,  // the details are in the JSON body (IETF -01 to -04)
};
// Looks at status and fields only; cheap for anything but 401 and 403.
[[nodiscard]] signal_presence find_signal(response_head const& head) noexcept;

struct permission_signal {
    std::vector<json::object> details;  // one or more RFC 9396 objects, each with a "type"; at most 8
    std::string reference;              // authorization_reference, or empty
};
inline constexpr std::size_t max_signal_bytes =
    64 * 1024;  // of a body that is looked into; a header is bounded by the head
// Errors: bad_response, with what is wrong. `body` matters for in_body only.
[[nodiscard]] result<permission_signal> read_signal(response_head const& head, std::string_view body);

// WWW-Authenticate: Bearer error="…" (RFC 6750 3); empty where there is none.
[[nodiscard]] std::string bearer_error(response_head const& head);
// One challenge's parameter by name, of the first challenge with that scheme; token or quoted-string, unescaped.
[[nodiscard]] std::string challenge_parameter(std::string_view www_authenticate, std::string_view scheme,
                                              std::string_view name);

}  // namespace jitproxy::http
