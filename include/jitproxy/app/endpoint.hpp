// Addresses as the configuration and the variables write them.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace jitproxy::app {

struct endpoint_text {
    std::string address;  // without brackets
    std::uint16_t port = 0;
    bool v6 = false;
    [[nodiscard]] bool loopback() const;
    [[nodiscard]] std::string text() const;  // with brackets where needed
};
// "127.0.0.1:8080", "[::1]:8080". No names: what is listened on must not depend on a name server.
[[nodiscard]] std::optional<endpoint_text> parse_endpoint(std::string_view text);
[[nodiscard]] bool is_address(std::string_view text);  // IPv4 or IPv6, no brackets

}  // namespace jitproxy::app
