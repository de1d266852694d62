// A certificate authority that lives for one test.
#pragma once
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <string>

namespace jitproxy::test {

class test_ca {
  public:
    explicit test_ca(std::string const& name = "test CA");
    [[nodiscard]] std::string certificate() const;  // PEM
    // A server's context with a leaf for `names`, as in OpenSSL's subjectAltName: "DNS:localhost,IP:127.0.0.1".
    // `days` < 0: expired.
    [[nodiscard]] boost::asio::ssl::context serving(std::string const& names, int days = 1) const;

  private:
    struct free_key {
        void operator()(EVP_PKEY* k) const { EVP_PKEY_free(k); }
    };
    struct free_certificate {
        void operator()(X509* c) const { X509_free(c); }
    };
    std::unique_ptr<EVP_PKEY, free_key> key_;
    std::unique_ptr<X509, free_certificate> certificate_;
};

}  // namespace jitproxy::test
