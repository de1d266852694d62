#include "jitproxy/emulator/tls.hpp"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/address.hpp>
#include <memory>
#include <stdexcept>

namespace jitproxy::emulator {

namespace {

template <auto Free>
struct freed_by {
    template <class T>
    void operator()(T* p) const {
        Free(p);
    }
};
using key_ptr = std::unique_ptr<EVP_PKEY, freed_by<EVP_PKEY_free>>;
using cert_ptr = std::unique_ptr<X509, freed_by<X509_free>>;
using bio_ptr = std::unique_ptr<BIO, freed_by<BIO_free_all>>;
using extension_ptr = std::unique_ptr<X509_EXTENSION, freed_by<X509_EXTENSION_free>>;

void must(bool ok, char const* what) {
    if (!ok) throw std::runtime_error(std::string{"OpenSSL: "} + what);
}

key_ptr make_key() {
    key_ptr key{EVP_EC_gen("P-256")};
    must(key != nullptr, "cannot make a key");
    return key;
}

void add_extension(X509* cert, X509* issuer, int nid, std::string const& value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, cert, nullptr, nullptr, 0);
    extension_ptr const extension{X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str())};
    must(extension != nullptr, "cannot make an extension");
    must(X509_add_ext(cert, extension.get(), -1) == 1, "cannot add an extension");
}

cert_ptr make_certificate(EVP_PKEY* key, std::string const& name) {
    cert_ptr cert{X509_new()};
    must(cert != nullptr, "out of memory");
    must(X509_set_version(cert.get(), X509_VERSION_3) == 1, "version");
    std::uint64_t serial = 0;
    must(RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) == 1, "random");
    must(ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert.get()), (serial >> 1) | 1) == 1, "serial");
    // Room on both sides for clocks that differ.
    must(X509_gmtime_adj(X509_getm_notBefore(cert.get()), -24L * 3600) != nullptr, "notBefore");
    must(X509_gmtime_adj(X509_getm_notAfter(cert.get()), 365L * 24 * 3600) != nullptr, "notAfter");
    must(X509_set_pubkey(cert.get(), key) == 1, "public key");
    auto* subject = X509_get_subject_name(cert.get());
    must(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, reinterpret_cast<unsigned char const*>(name.c_str()),
                                    -1, -1, 0) == 1,
         "subject");
    return cert;
}

template <class Write>
std::string to_pem(Write write) {
    bio_ptr const out{BIO_new(BIO_s_mem())};
    must(out != nullptr && write(out.get()) == 1, "cannot write PEM");
    char* data = nullptr;
    auto const size = BIO_get_mem_data(out.get(), &data);
    return {data, static_cast<std::size_t>(size)};
}

std::string subject_alt_names(std::vector<std::string> const& names) {
    std::string value;
    for (auto const& name : names) {
        boost::system::error_code ec;
        boost::asio::ip::make_address(name, ec);
        if (!value.empty()) value += ',';
        value += (ec ? "DNS:" : "IP:") + name;
    }
    return value;
}

int select_http11(SSL*, unsigned char const** out, unsigned char* out_size, unsigned char const* in,
                  unsigned int in_size, void*) {
    static constexpr unsigned char ours[] = "\x08http/1.1";
    unsigned char* chosen = nullptr;
    if (SSL_select_next_proto(&chosen, out_size, ours, sizeof ours - 1, in, in_size) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

}  // namespace

tls_identity make_tls_identity(std::vector<std::string> const& names) {
    auto const ca_key = make_key();
    auto const ca = make_certificate(ca_key.get(), "jitproxy-emulator test CA");
    must(X509_set_issuer_name(ca.get(), X509_get_subject_name(ca.get())) == 1, "issuer");
    add_extension(ca.get(), ca.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
    add_extension(ca.get(), ca.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
    add_extension(ca.get(), ca.get(), NID_subject_key_identifier, "hash");
    must(X509_sign(ca.get(), ca_key.get(), EVP_sha256()) > 0, "cannot sign");

    auto const key = make_key();
    auto const leaf = make_certificate(key.get(), "jitproxy-emulator");
    must(X509_set_issuer_name(leaf.get(), X509_get_subject_name(ca.get())) == 1, "issuer");
    add_extension(leaf.get(), ca.get(), NID_basic_constraints, "critical,CA:FALSE");
    add_extension(leaf.get(), ca.get(), NID_key_usage, "critical,digitalSignature");
    add_extension(leaf.get(), ca.get(), NID_ext_key_usage, "serverAuth");
    add_extension(leaf.get(), ca.get(), NID_authority_key_identifier, "keyid:always");
    add_extension(leaf.get(), ca.get(), NID_subject_alt_name, subject_alt_names(names));
    must(X509_sign(leaf.get(), ca_key.get(), EVP_sha256()) > 0, "cannot sign");

    return {to_pem([&](BIO* out) { return PEM_write_bio_X509(out, ca.get()); }),
            to_pem([&](BIO* out) { return PEM_write_bio_X509(out, leaf.get()); }), to_pem([&](BIO* out) {
                return PEM_write_bio_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
            })};
}

boost::asio::ssl::context make_tls_context(tls_identity const& identity) {
    namespace ssl = boost::asio::ssl;
    ssl::context context{ssl::context::tls_server};
    auto* const native = context.native_handle();
    must(SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION) == 1, "TLS 1.2");
    context.use_certificate_chain(boost::asio::buffer(identity.certificate_pem));
    context.use_private_key(boost::asio::buffer(identity.key_pem), ssl::context::pem);
    SSL_CTX_set_alpn_select_cb(native, select_http11, nullptr);
    static constexpr unsigned char session_context[] = "jitproxy-emulator";
    SSL_CTX_set_session_id_context(native, session_context, sizeof session_context - 1);
    return context;
}

}  // namespace jitproxy::emulator
