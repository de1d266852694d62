// TLS contexts: verified ones for origins, and one a host for intercepted clients. Shared by all workers (an SSL_CTX is
// thread-safe); the connections made from them are not.
#pragma once
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "jitproxy/base/error.hpp"
#include "jitproxy/net/endpoint.hpp"
#include "jitproxy/policy/rules.hpp"

namespace jitproxy::net {

// Client contexts for origins: TLS 1.2 or newer, chain and name verified, system roots and the API's own.
class upstream_tls {
  public:
    // Reads every ca_file and client certificate. Errors: configuration, naming the file.
    [[nodiscard]] static result<std::shared_ptr<upstream_tls const>> create(std::vector<policy::api_ptr> const& apis);
    // `api` null: a host that is no protected API; only the system's roots.
    [[nodiscard]] SSL_CTX* context(policy::api const* api) const;

  private:
    std::unordered_map<policy::api const*, ssl_ctx_ptr> contexts_;
    ssl_ctx_ptr plain_;
};

// A server context for one certificate and key: TLS 1.2 or newer, ALPN http/1.1, one session ticket. `issuer` is sent
// with the certificate; null: nothing is. Errors: internal.
// The SNI that a client sends is kept on its connection: see sni_of().
[[nodiscard]] result<ssl_ctx_ptr> make_server_context(X509* certificate, EVP_PKEY* key, X509* issuer);
// The server name an intercepted client asked for, lower case; empty where it sent none.
[[nodiscard]] std::string sni_of(SSL* connection);

}  // namespace jitproxy::net
