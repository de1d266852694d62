// What clients are pointed at so that they trust the local CA beside the system's roots.
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <array>
#include <vector>

#include "file.hpp"
#include "jitproxy/base/log.hpp"
#include "jitproxy/base/secret.hpp"
#include "jitproxy/ca/authority.hpp"
#include "openssl.hpp"

namespace jitproxy::ca {
namespace {

// The system's bundle as text; empty, with a warning, where there is none.
result<std::string> system_roots() {
    auto const file = system_bundle();
    if (file.empty()) {
        log::warning("no system trust store was found: clients that read the bundle will trust the local CA only");
        return std::string{};
    }
    auto content = read_file(file);
    if (!content) return content.error();
    if (!*content) return std::string{};
    return std::move((*content)->bytes);
}

std::vector<x509_ptr> certificates_in(std::string_view pem) {
    std::vector<x509_ptr> all;
    bio_ptr const in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    while (in) {
        x509_ptr one(PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr));
        if (!one) break;
        all.push_back(std::move(one));
    }
    ERR_clear_error();  // the end of the file counts as an error there
    return all;
}

// One line that names a certificate among others in a key store.
std::string alias_of(X509* certificate, std::size_t number) {
    std::array<char, 128> text{};
    if (X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, text.data(),
                                  static_cast<int>(text.size())) < 0)
        X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_organizationalUnitName, text.data(),
                                  static_cast<int>(text.size()));
    std::string alias;
    for (char const* c = text.data(); *c != '\0'; ++c) alias += *c >= 0x20 && *c < 0x7f ? *c : '?';
    return alias + " [" + std::to_string(number) + "]";  // unique: a key store drops what has the same alias
}

using bags = handle<STACK_OF(PKCS12_SAFEBAG),
                    [](STACK_OF(PKCS12_SAFEBAG) * s) { sk_PKCS12_SAFEBAG_pop_free(s, PKCS12_SAFEBAG_free); }>;
using safes = handle<STACK_OF(PKCS7), [](STACK_OF(PKCS7) * s) { sk_PKCS7_pop_free(s, PKCS7_free); }>;

// A JVM takes a certificate without a key for trusted only where its bag says so: Oracle's trustedKeyUsage attribute,
// here with anyExtendedKeyUsage.
bool add_trusted(STACK_OF(PKCS12_SAFEBAG) * list, X509* certificate, std::string const& alias) {
    PKCS12_SAFEBAG* const bag = PKCS12_add_cert(&list, certificate);
    if (bag == nullptr || PKCS12_add_friendlyname_utf8(bag, alias.data(), static_cast<int>(alias.size())) != 1)
        return false;
    asn1_object_ptr const any_usage(OBJ_txt2obj("2.5.29.37.0", 1));
    if (!any_usage) return false;
    // OpenSSL 3.0 has no call that adds an attribute of one's own to a bag; its list of attributes (not empty: it holds
    // the friendly name) is the bag's, and not constant.
    auto* attributes = const_cast<STACK_OF(X509_ATTRIBUTE)*>(
        PKCS12_SAFEBAG_get0_attrs(bag));  // NOLINT(cppcoreguidelines-pro-type-const-cast)
    return attributes != nullptr &&
           X509at_add1_attr_by_txt(&attributes, "2.16.840.1.113894.746875.1.1", V_ASN1_OBJECT,
                                   reinterpret_cast<unsigned char const*>(any_usage.get()), -1) != nullptr;
}

}  // namespace

std::filesystem::path system_bundle() {
    std::array<std::filesystem::path, 6> const places{
        X509_get_default_cert_file(),                         // OpenSSL's own
        "/etc/ssl/certs/ca-certificates.crt",                 // Debian, Alpine, Arch
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  // Fedora, RHEL
        "/etc/pki/tls/certs/ca-bundle.crt",                   // older RHEL
        "/etc/ssl/ca-bundle.pem",                             // SUSE
        "/etc/ssl/cert.pem",                                  // BSD, macOS
    };
    for (auto const& place : places) {
        std::error_code ec;
        if (std::filesystem::is_regular_file(place, ec) && std::filesystem::file_size(place, ec) > 0 && !ec)
            return place;
    }
    return {};
}

result<void> write_bundle(std::filesystem::path const& file, std::string_view root_pem) {
    auto all = system_roots();
    if (!all) return all.error();
    if (!all->empty() && all->back() != '\n') *all += '\n';
    *all += root_pem;
    return write_file_atomically(file, *all, 0644);
}

result<void> write_truststore(std::filesystem::path const& file, authority const& a, std::string_view password) {
    // It replaces the JVM's own store, so the system's roots must be in it too.
    auto const roots = system_roots();
    if (!roots) return roots.error();
    bags const list(sk_PKCS12_SAFEBAG_new_null());
    if (!list || !add_trusted(list.get(), a.root_certificate(), "jitproxy local CA"))
        return openssl_failure("the truststore cannot be made");
    std::size_t number = 0;
    for (auto const& root : certificates_in(*roots))
        if (!add_trusted(list.get(), root.get(), alias_of(root.get(), ++number)))
            return openssl_failure("the truststore cannot be made");

    std::string phrase(password);
    constexpr int rounds = 10'000;  // what the JDK's keytool takes
    STACK_OF(PKCS7)* stack = nullptr;
    bool const added = PKCS12_add_safe(&stack, list.get(), NID_aes_256_cbc, rounds, phrase.c_str()) == 1;
    safes const owned(stack);
    pkcs12_ptr const store(added ? PKCS12_add_safes(stack, 0) : nullptr);
    bool const sealed = store && PKCS12_set_mac(store.get(), phrase.c_str(), static_cast<int>(phrase.size()), nullptr,
                                                0, rounds, EVP_sha256()) == 1;
    wipe(phrase);
    bio_ptr const out(BIO_new(BIO_s_mem()));
    if (!sealed || !out || i2d_PKCS12_bio(out.get(), store.get()) != 1)
        return openssl_failure("the truststore cannot be made");
    return write_file_atomically(file, contents(out.get()), 0644);
}

result<void> write_public_files(std::filesystem::path const& directory, authority const& a,
                                std::string_view truststore_password) {
    if (auto done = write_file_atomically(directory / "ca.pem", a.root_pem(), 0644); !done) return done;
    if (auto done = write_bundle(directory / "ca-bundle.pem", a.root_pem()); !done) return done;
    return write_truststore(directory / "truststore.p12", a, truststore_password);
}

}  // namespace jitproxy::ca
