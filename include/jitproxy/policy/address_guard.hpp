// Which addresses may be dialled: judged on the resolved address that is then connected to, never on a name.
#pragma once
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <string_view>
#include <vector>

#include "jitproxy/base/error.hpp"

namespace jitproxy::policy {

// Refuses what IANA's special-purpose registries (RFC 6890) call not globally reachable: private, loopback, link-local,
// CGN, multicast, documentation, reserved, unspecified, unique-local; also inside IPv4-mapped, IPv4-compatible, NAT64
// (64:ff9b::/96) and 6to4 addresses. Blocks named in the configuration are let through.
class address_guard {
  public:
    address_guard() = default;
    // CIDR blocks or single addresses ("10.1.0.0/16", "127.0.0.1", "fd00::/8"). Errors: configuration.
    [[nodiscard]] static result<address_guard> create(std::vector<std::string> const& allow_addresses);
    // Errors: address_denied, with the address and the class it belongs to.
    [[nodiscard]] result<void> check(boost::asio::ip::address const& address) const;

  private:
    std::vector<boost::asio::ip::network_v4> allow_v4_;
    std::vector<boost::asio::ip::network_v6> allow_v6_;
};

}  // namespace jitproxy::policy
