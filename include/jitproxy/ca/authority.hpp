// The local certification authority that intercepted TLS is signed with.
#pragma once
#include <openssl/ssl.h>

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "jitproxy/base/clock.hpp"
#include "jitproxy/base/error.hpp"

namespace jitproxy::ca {

struct x509_free {
    void operator()(X509* p) const noexcept { X509_free(p); }
};
struct pkey_free {
    void operator()(EVP_PKEY* p) const noexcept { EVP_PKEY_free(p); }
};
using x509_ptr = std::unique_ptr<X509, x509_free>;
using pkey_ptr = std::unique_ptr<EVP_PKEY, pkey_free>;

struct authority_options {
    std::filesystem::path directory;           // holds ca.key (0600) and ca.pem (0644)
    std::vector<std::string> permitted_names;  // DNS names, ".suffix" and addresses for the X.509 name constraints
    bool name_constraints = true;              // RFC 5280 4.2.1.10, critical
    seconds lifetime{std::chrono::hours{24 * 365}};
};

struct leaf {
    x509_ptr certificate;
    pkey_ptr key;
};

// Loaded once; mint() may be called from any thread at the same time.
class authority {
  public:
    // Loads key and certificate, or makes them. The certificate is reissued (same key, new serial) where the permitted
    // names changed or less than a fifth of its life is left. Errors: storage, configuration.
    [[nodiscard]] static result<authority> load_or_create(authority_options const& options, wall_time now);
    // A new key and certificate in place of the old ones.
    [[nodiscard]] static result<authority> rotate(authority_options const& options, wall_time now);

    // ECDSA P-256 leaf with the host as SAN (DNS or IP), valid from an hour ago, for 7 days but not beyond the CA.
    // The same leaf key serves all leaves of one process. Errors: internal; host_denied outside the name constraints.
    [[nodiscard]] result<leaf> mint(std::string_view normalised_host, wall_time now) const;

    [[nodiscard]] std::string const& certificate_pem() const noexcept;
    [[nodiscard]] X509* certificate() const noexcept;
    [[nodiscard]] std::filesystem::path certificate_file() const;
    [[nodiscard]] std::string fingerprint_sha256() const;  // "AB:CD:…"
    [[nodiscard]] wall_time not_after() const noexcept;
    [[nodiscard]] std::vector<std::string> const& permitted_names() const noexcept;

  private:
    struct state;
    explicit authority(std::shared_ptr<state const> s) : state_(std::move(s)) {}
    std::shared_ptr<state const> state_;
};

// Writes system roots and the local CA as one PEM file, for clients whose variable replaces the system's store.
// Atomic (temporary file and rename), mode 0644. Errors: storage.
[[nodiscard]] result<void> write_bundle(std::filesystem::path const& file, std::string_view ca_pem);
// A PKCS#12 truststore (certificate only, no key) that a JVM reads with the given password. Errors: storage, internal.
[[nodiscard]] result<void> write_truststore(std::filesystem::path const& file, authority const& a,
                                            std::string_view password);
// The system's PEM bundle: SSL_CERT_FILE's default of OpenSSL, or the usual places; empty where there is none.
[[nodiscard]] std::filesystem::path system_bundle();

}  // namespace jitproxy::ca
