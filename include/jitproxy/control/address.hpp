// Where the control API is: a Unix socket, or a TCP address with a token.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "jitproxy/base/error.hpp"

namespace jitproxy::control {

struct address {
    std::string path;  // of a Unix socket; empty: TCP
    std::string host;  // of TCP: an IP address without brackets
    std::uint16_t port = 0;

    [[nodiscard]] bool is_unix() const noexcept { return !path.empty(); }
    [[nodiscard]] std::string text() const;  // "unix:/path" or "127.0.0.1:8081", "[::1]:8081"
};
// "unix:/path", "/path", "127.0.0.1:8081", "[::1]:8081", each of the latter also behind "http://". Errors:
// bad_argument.
[[nodiscard]] result<address> parse_address(std::string_view text);

}  // namespace jitproxy::control
