// The names that the local CA may sign for: judged here before a leaf is made, and written into the CA certificates
// (RFC 5280 4.2.1.10) so that a stolen key is of no use for any other.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "jitproxy/base/error.hpp"
#include "openssl.hpp"

namespace jitproxy::ca {

// 4 or 16 bytes in network order; nullopt where the text is no address.
[[nodiscard]] std::optional<std::string> address_bytes(std::string_view text);
// Can it stand in a certificate as a DNS name? Letters, digits, hyphens, underscores, dots; no empty or overlong label.
[[nodiscard]] bool is_dns_name(std::string_view text) noexcept;

class permitted {
  public:
    // Host names, ".suffix" for all names below it, and addresses. Doubles are dropped. Errors: configuration.
    [[nodiscard]] static result<permitted> parse(std::vector<std::string> const& names);

    // As the configuration means it: exactly this host, or below a suffix.
    [[nodiscard]] bool allows(std::string_view host) const;
    [[nodiscard]] std::vector<std::string> const& names() const noexcept { return names_; }

    // Permitted subtrees for what is listed. A kind of name that constraints don't mention is not constrained at all,
    // so one that is not listed is permitted a single name that nothing can have. Null where OpenSSL fails.
    [[nodiscard]] name_constraints_ptr constraints() const;

  private:
    std::vector<std::string> names_;
};

}  // namespace jitproxy::ca
