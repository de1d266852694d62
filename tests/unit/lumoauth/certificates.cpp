#include "certificates.hpp"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <stdexcept>

namespace jitproxy::test {
namespace {

void check(bool ok) {
    if (!ok) throw std::runtime_error("OpenSSL refuses to make a test certificate");
}

void add(X509* to, X509* issuer, int id, std::string const& value) {
    X509V3_CTX context{};
    X509V3_set_ctx(&context, issuer, to, nullptr, nullptr, 0);
    auto* const e = X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str());
    check(e != nullptr && X509_add_ext(to, e, -1) == 1);
    X509_EXTENSION_free(e);
}

X509* make(EVP_PKEY* subject_key, std::string const& name, long serial, int days) {
    X509* const c = X509_new();
    check(c != nullptr);
    X509_set_version(c, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(c), serial);
    X509_gmtime_adj(X509_getm_notBefore(c), -10L * 86400);
    X509_gmtime_adj(X509_getm_notAfter(c), days * 86400L);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(c), "CN", MBSTRING_UTF8,
                               reinterpret_cast<unsigned char const*>(name.c_str()), -1, -1, 0);
    check(X509_set_pubkey(c, subject_key) == 1);
    return c;
}

std::string read_all(BIO* bio) {
    char* data = nullptr;
    auto const size = BIO_ctrl(bio, BIO_CTRL_INFO, 0, &data);
    std::string text{data, static_cast<std::size_t>(size)};
    BIO_free(bio);
    return text;
}

}  // namespace

test_ca::test_ca(std::string const& name)
    : key_(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256")), certificate_(make(key_.get(), name, 1, 2)) {
    auto* const c = certificate_.get();
    X509_set_issuer_name(c, X509_get_subject_name(c));
    add(c, c, NID_basic_constraints, "critical,CA:TRUE");
    add(c, c, NID_key_usage, "critical,keyCertSign");
    check(X509_sign(c, key_.get(), EVP_sha256()) > 0);
}

std::string test_ca::certificate() const {
    BIO* const bio = BIO_new(BIO_s_mem());
    check(PEM_write_bio_X509(bio, certificate_.get()) == 1);
    return read_all(bio);
}

boost::asio::ssl::context test_ca::serving(std::string const& names, int days) const {
    std::unique_ptr<EVP_PKEY, free_key> const key{EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256")};
    std::unique_ptr<X509, free_certificate> const leaf{make(key.get(), "test leaf", 2, days)};
    X509_set_issuer_name(leaf.get(), X509_get_subject_name(certificate_.get()));
    add(leaf.get(), certificate_.get(), NID_subject_alt_name, names);
    check(X509_sign(leaf.get(), key_.get(), EVP_sha256()) > 0);
    boost::asio::ssl::context tls{boost::asio::ssl::context::tls_server};
    check(SSL_CTX_use_certificate(tls.native_handle(), leaf.get()) == 1);
    check(SSL_CTX_use_PrivateKey(tls.native_handle(), key.get()) == 1);
    return tls;
}

}  // namespace jitproxy::test
