// Certificates for tests: an authority that lives for one test, and what it signs.
#pragma once
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>

namespace jitproxy::net::test {

class certificate_authority {
  public:
    certificate_authority() : key_(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"), EVP_PKEY_free) {
        certificate_ = make(key_.get(), "test CA");
        add(certificate_.get(), NID_basic_constraints, "critical,CA:TRUE");
        sign(certificate_.get());
    }
    // PEM
    void write(std::filesystem::path const& file) const {
        BIO* const bio = BIO_new(BIO_s_mem());
        PEM_write_bio_X509(bio, certificate_.get());
        char* data = nullptr;
        auto const size = BIO_ctrl(bio, BIO_CTRL_INFO, 0, &data);
        std::ofstream(file).write(data, size);
        BIO_free(bio);
    }
    // A server's context for names as in OpenSSL's subjectAltName: "DNS:a.test,IP:127.0.0.1".
    [[nodiscard]] std::shared_ptr<SSL_CTX> serving(std::string const& names) const {
        pkey const key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"), EVP_PKEY_free);
        auto const leaf = make(key.get(), "test leaf");
        add(leaf.get(), NID_subject_alt_name, names);
        sign(leaf.get());
        std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
        check(SSL_CTX_use_certificate(context.get(), leaf.get()) == 1);
        check(SSL_CTX_use_PrivateKey(context.get(), key.get()) == 1);
        return context;
    }

  private:
    using pkey = std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)>;
    using x509 = std::unique_ptr<X509, void (*)(X509*)>;

    static void check(bool good) {
        if (!good) throw std::runtime_error("no test certificate");
    }
    static x509 make(EVP_PKEY* key, char const* name) {
        x509 c(X509_new(), X509_free);
        X509_set_version(c.get(), X509_VERSION_3);
        ASN1_INTEGER_set(X509_get_serialNumber(c.get()), 1);
        X509_gmtime_adj(X509_getm_notBefore(c.get()), -86'400);
        X509_gmtime_adj(X509_getm_notAfter(c.get()), 86'400);
        X509_NAME_add_entry_by_txt(X509_get_subject_name(c.get()), "CN", MBSTRING_UTF8,
                                   reinterpret_cast<unsigned char const*>(name), -1, -1, 0);
        check(X509_set_pubkey(c.get(), key) == 1);
        return c;
    }
    static void add(X509* to, int id, std::string const& value) {
        auto* const e = X509V3_EXT_conf_nid(nullptr, nullptr, id, value.c_str());
        check(e != nullptr && X509_add_ext(to, e, -1) == 1);
        X509_EXTENSION_free(e);
    }
    void sign(X509* c) const {
        X509_set_issuer_name(c, X509_get_subject_name(certificate_.get()));
        check(X509_sign(c, key_.get(), EVP_sha256()) > 0);
    }

    pkey key_;
    x509 certificate_{nullptr, X509_free};
};

}  // namespace jitproxy::net::test
