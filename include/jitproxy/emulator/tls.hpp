// A CA of the emulator's own and one certificate for its TLS listeners, made at start.
#pragma once
#include <boost/asio/ssl/context.hpp>
#include <string>
#include <vector>

namespace jitproxy::emulator {

struct tls_identity {
    std::string ca_pem;
    std::string certificate_pem;
    std::string key_pem;
};
// Names may be DNS names (also *.suffix) and IP addresses. Throws std::runtime_error when OpenSSL fails.
[[nodiscard]] tls_identity make_tls_identity(std::vector<std::string> const& names);

// TLS 1.2 and newer, ALPN http/1.1, sessions resumable.
[[nodiscard]] boost::asio::ssl::context make_tls_context(tls_identity const& identity);

}  // namespace jitproxy::emulator
