// One address, one host: an IPv4-mapped IPv6 address (RFC 4291 2.5.5.2) is dialled over IPv4 and must not be a way
// around a rule that names the IPv4 address.
#pragma once
#include <string_view>

namespace jitproxy::policy {

// The host as it is compared; a view into what was given. Normalised hosts have "::ffff:1.2.3.4" in this form only.
[[nodiscard]] inline std::string_view one_spelling(std::string_view normalised_host) noexcept {
    constexpr std::string_view mapped = "::ffff:";
    if (normalised_host.starts_with(mapped) && normalised_host.find('.') != std::string_view::npos)
        normalised_host.remove_prefix(mapped.size());
    return normalised_host;
}

}  // namespace jitproxy::policy
