#include "certificate.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <pwd.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <ctime>
#include <optional>

namespace jitproxy::ca {
namespace {

constexpr std::size_t longest_common_name = 64;  // RFC 5280 appendix A, ub-common-name

bool set_time(X509* certificate, int (*set)(X509*, ASN1_TIME const*), wall_time t) {
    // UTCTime until 2049, GeneralizedTime after it (RFC 5280 4.1.2.5): ASN1_TIME_set picks.
    asn1_time_ptr const value(ASN1_TIME_set(nullptr, std::chrono::system_clock::to_time_t(t)));
    return value && set(certificate, value.get()) == 1;
}

// RFC 5280 4.1.2.2: positive, at most 20 bytes; 126 random bits. The bit that is always set keeps the length the same.
bool set_random_serial(X509* certificate) {
    std::array<unsigned char, 16> bytes{};
    if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) return false;
    bytes[0] = static_cast<unsigned char>((bytes[0] & 0x7f) | 0x40);
    bignum_ptr const number(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr));
    return number && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool add_extension(X509* certificate, int nid, void* value, bool critical) {
    return value != nullptr && X509_add1_ext_i2d(certificate, nid, value, critical ? 1 : 0, X509V3_ADD_DEFAULT) == 1;
}

// `below`: how many CAs may follow on the way to a leaf; nullopt for a leaf itself.
bool add_basic_constraints(X509* certificate, std::optional<int> below) {
    basic_constraints_ptr const value(BASIC_CONSTRAINTS_new());
    if (!value) return false;
    value->ca = below ? 0xff : 0;
    if (below) {
        value->pathlen = ASN1_INTEGER_new();
        if (value->pathlen == nullptr || ASN1_INTEGER_set(value->pathlen, *below) != 1) return false;
    }
    return add_extension(certificate, NID_basic_constraints, value.get(), true);
}

// Bits of RFC 5280 4.2.1.3.
constexpr int digital_signature = 0;
constexpr int key_cert_sign = 5;
constexpr int crl_sign = 6;

bool add_key_usage(X509* certificate, std::initializer_list<int> bits) {
    asn1_bits_ptr const value(ASN1_BIT_STRING_new());
    if (!value) return false;
    for (int const bit : bits)
        if (ASN1_BIT_STRING_set_bit(value.get(), bit, 1) != 1) return false;
    return add_extension(certificate, NID_key_usage, value.get(), true);
}

// RFC 5280 4.2.1.2, method 1: SHA-1 of the public key. A name for the key, nothing that security rests on.
asn1_octets_ptr key_identifier(X509* certificate) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    asn1_octets_ptr value(ASN1_OCTET_STRING_new());
    if (!value || X509_pubkey_digest(certificate, EVP_sha1(), digest.data(), &size) != 1 ||
        ASN1_OCTET_STRING_set(value.get(), digest.data(), static_cast<int>(size)) != 1)
        return nullptr;
    return value;
}

bool add_key_identifiers(X509* certificate, X509* issuer) {
    authority_keyid_ptr const authority(AUTHORITY_KEYID_new());
    auto const own = key_identifier(certificate);
    if (!authority || !own) return false;
    ASN1_OCTET_STRING_free(authority->keyid);
    authority->keyid = key_identifier(issuer).release();
    return authority->keyid != nullptr && add_extension(certificate, NID_subject_key_identifier, own.get(), false) &&
           add_extension(certificate, NID_authority_key_identifier, authority.get(), false);
}

bool add_alternative_name(X509* certificate, std::string_view host) {
    auto const address = address_bytes(host);
    general_names_ptr const names(GENERAL_NAMES_new());
    general_name_ptr name(GENERAL_NAME_new());
    ASN1_STRING* const value = ASN1_STRING_type_new(address ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
    if (!names || !name || value == nullptr) {
        ASN1_STRING_free(value);
        return false;
    }
    GENERAL_NAME_set0_value(name.get(), address ? GEN_IPADD : GEN_DNS, value);
    std::string_view const bytes = address ? std::string_view(*address) : host;
    if (ASN1_STRING_set(value, bytes.data(), static_cast<int>(bytes.size())) != 1 ||
        sk_GENERAL_NAME_push(names.get(), name.get()) <= 0)
        return false;
    static_cast<void>(name.release());
    return add_extension(certificate, NID_subject_alt_name, names.get(), false);
}

bool add_server_usage(X509* certificate) {
    extended_key_usage_ptr const value(EXTENDED_KEY_USAGE_new());
    return value && sk_ASN1_OBJECT_push(value.get(), OBJ_nid2obj(NID_server_auth)) > 0 &&
           add_extension(certificate, NID_ext_key_usage, value.get(), false);
}

bool add_name_entry(X509_NAME* name, char const* field, std::string_view text) {
    return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, reinterpret_cast<unsigned char const*>(text.data()),
                                      static_cast<int>(text.size()), -1, 0) == 1;
}

// A subject must not be empty, or the alternative name would have to be critical (RFC 5280 4.2.1.6). An address stays
// out of the common name: OpenSSL judges one there by the constraints for DNS names.
bool set_leaf_subject(X509* certificate, std::string_view host) {
    x509_name_ptr const name(X509_NAME_new());
    if (!name || !add_name_entry(name.get(), "O", "jitproxy")) return false;
    if (host.size() <= longest_common_name && !address_bytes(host) && !add_name_entry(name.get(), "CN", host))
        return false;
    return X509_set_subject_name(certificate, name.get()) == 1;
}

std::string user_name() {
    std::array<char, 4096> buffer{};
    passwd entry{};
    passwd* found = nullptr;
    if (::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr)
        return found->pw_name;
    return "uid" + std::to_string(::geteuid());
}

std::string host_name() {
    std::array<char, 256> buffer{};
    return ::gethostname(buffer.data(), buffer.size() - 1) == 0 && buffer[0] != '\0' ? buffer.data() : "localhost";
}

// The same certificate without the key that it was made with: X509_set_pubkey keeps all of what it is given, the
// private half too, for as long as the certificate lives.
x509_ptr without_private_key(X509* certificate) {
    unsigned char* bytes = nullptr;
    auto const size = i2d_X509(certificate, &bytes);
    auto const* at = static_cast<unsigned char const*>(bytes);
    x509_ptr read(size > 0 ? d2i_X509(nullptr, &at, size) : nullptr);
    OPENSSL_free(bytes);
    return read;
}

std::string common_name(std::string_view role) {
    auto text = "jitproxy " + std::string(role) + " CA for " + user_name() + '@' + host_name();
    for (char& c : text)
        if (c < 0x20 || c > 0x7e) c = '?';
    if (text.size() > longest_common_name) text.resize(longest_common_name);
    return text;
}

// Root and issuing CA must not have the same: a certificate whose subject is its issuer's counts for no path length.
bool set_ca_subject(X509* certificate, std::string_view role) {
    x509_name_ptr const name(X509_NAME_new());
    return name && add_name_entry(name.get(), "O", "jitproxy") && add_name_entry(name.get(), "CN", common_name(role)) &&
           X509_set_subject_name(certificate, name.get()) == 1;
}

}  // namespace

result<pkey_ptr> make_p256_key() {
    pkey_ptr key(EVP_EC_gen("P-256"));
    if (!key) return openssl_failure("an EC P-256 key cannot be made");
    return key;
}

result<x509_ptr> make_ca_certificate(ca_order const& order) {
    bool const root = order.issuer == nullptr;
    x509_ptr certificate(X509_new());
    auto* const c = certificate.get();
    auto* const issuer = root ? c : order.issuer;
    bool good = certificate && X509_set_version(c, X509_VERSION_3) == 1 && set_random_serial(c) &&
                set_time(c, X509_set1_notBefore, order.not_before) &&
                set_time(c, X509_set1_notAfter, order.not_after) && X509_set_pubkey(c, order.key) == 1 &&
                set_ca_subject(c, root ? "local" : "issuing") &&
                X509_set_issuer_name(c, X509_get_subject_name(issuer)) == 1 && add_basic_constraints(c, root ? 1 : 0) &&
                add_key_usage(c, {key_cert_sign, crl_sign}) && add_key_identifiers(c, issuer);
    if (good && !root) good = add_server_usage(c);  // what it signs is for TLS servers only
    if (good && order.constraints != nullptr) {
        auto const constraints = order.constraints->constraints();
        good = add_extension(c, NID_name_constraints, constraints.get(), true);
    }
    good = good && X509_sign(c, root ? order.key : order.issuer_key, EVP_sha256()) > 0;
    auto made = good ? without_private_key(c) : nullptr;
    if (!made)
        return openssl_failure(root ? "the root certificate cannot be made" : "the issuing certificate cannot be made");
    return made;
}

result<x509_ptr> make_leaf_certificate(leaf_order const& order) {
    x509_ptr certificate(X509_new());
    auto* const c = certificate.get();
    bool const good =
        certificate && X509_set_version(c, X509_VERSION_3) == 1 && set_random_serial(c) &&
        set_time(c, X509_set1_notBefore, order.not_before) && set_time(c, X509_set1_notAfter, order.not_after) &&
        X509_set_pubkey(c, order.key) == 1 && set_leaf_subject(c, order.host) &&
        X509_set_issuer_name(c, X509_get_subject_name(order.issuer)) == 1 && add_basic_constraints(c, std::nullopt) &&
        add_key_usage(c, {digital_signature}) && add_server_usage(c) && add_alternative_name(c, order.host) &&
        add_key_identifiers(c, order.issuer) && X509_sign(c, order.issuer_key, EVP_sha256()) > 0;
    if (!good) return openssl_failure("a certificate for " + std::string(order.host) + " cannot be made");
    return certificate;
}

wall_time time_of(ASN1_TIME const* t) {
    std::tm parts{};
    if (ASN1_TIME_to_tm(t, &parts) != 1) return {};
    return std::chrono::system_clock::from_time_t(::timegm(&parts));
}

result<std::string> to_pem(X509* certificate) {
    bio_ptr const out(BIO_new(BIO_s_mem()));
    if (!out || PEM_write_bio_X509(out.get(), certificate) != 1) return openssl_failure("a certificate's PEM");
    return std::string(contents(out.get()));
}

}  // namespace jitproxy::ca
