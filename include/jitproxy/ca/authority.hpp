// The local certification authority that intercepted TLS is signed with: a root that clients trust and an issuing CA
// below it. Only the issuing CA has a key; the root's is wiped when it has signed the issuing certificate.
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
    // Holds ca.key (0600) and ca-issuing.pem (0644), the issuing CA's, and ca.pem (0644), the root.
    std::filesystem::path directory;
    std::vector<std::string> permitted_names;  // DNS names, ".suffix" and addresses for the X.509 name constraints
    bool name_constraints = true;              // RFC 5280 4.2.1.10, critical, in both certificates
    seconds lifetime{std::chrono::hours{24 * 365}};
};

struct leaf {
    x509_ptr certificate;
    pkey_ptr key;
};

// Loaded once; mint() may be called from any thread at the same time.
class authority {
  public:
    // Loads both certificates and the issuing CA's key. All three are made anew, with a line in the log, where one is
    // missing or they do not belong together, the permitted names changed, or less than a fifth of their life is left.
    // Errors: storage, configuration.
    [[nodiscard]] static result<authority> load_or_create(authority_options const& options, wall_time now);
    // All three made anew.
    [[nodiscard]] static result<authority> rotate(authority_options const& options, wall_time now);

    // ECDSA P-256 leaf with the host as SAN (DNS or IP), valid from an hour ago, for 7 days but not beyond the CA.
    // A server has to send the issuing certificate with it. The same leaf key serves all leaves of one process. Errors:
    // internal; host_denied outside the name constraints.
    [[nodiscard]] result<leaf> mint(std::string_view normalised_host, wall_time now) const;

    [[nodiscard]] std::string const& root_pem() const noexcept;
    [[nodiscard]] X509* root_certificate() const noexcept;
    [[nodiscard]] X509* issuing_certificate() const noexcept;  // nothing to trust: that would lift its constraints
    [[nodiscard]] std::filesystem::path root_file() const;
    [[nodiscard]] std::string fingerprint_sha256() const;  // of the root: "AB:CD:…"
    [[nodiscard]] wall_time not_after() const noexcept;    // of both certificates
    [[nodiscard]] wall_time renew_after() const;           // later load_or_create() makes it anew
    [[nodiscard]] std::vector<std::string> const& permitted_names() const noexcept;

  private:
    struct state;
    explicit authority(std::shared_ptr<state const> s) : state_(std::move(s)) {}
    std::shared_ptr<state const> state_;
};

// Writes system roots and the local CA's root as one PEM file, for clients whose variable replaces the system's store.
// Atomic (temporary file and rename), mode 0644. Errors: storage.
[[nodiscard]] result<void> write_bundle(std::filesystem::path const& file, std::string_view root_pem);
// The same roots as a PKCS#12 truststore (certificates only, no key) that a JVM reads with the given password. Errors:
// storage, internal.
[[nodiscard]] result<void> write_truststore(std::filesystem::path const& file, authority const& a,
                                            std::string_view password);
// What clients may be pointed at, in a directory that is there: the root as ca.pem, the bundle as ca-bundle.pem, the
// truststore as truststore.p12. Errors: storage, internal.
[[nodiscard]] result<void> write_public_files(std::filesystem::path const& directory, authority const& a,
                                              std::string_view truststore_password);
// The system's PEM bundle: SSL_CERT_FILE's default of OpenSSL, or the usual places; empty where there is none.
[[nodiscard]] std::filesystem::path system_bundle();

}  // namespace jitproxy::ca
