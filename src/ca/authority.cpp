#include "jitproxy/ca/authority.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <algorithm>
#include <chrono>

#include "certificate.hpp"
#include "file.hpp"
#include "jitproxy/base/log.hpp"
#include "key_file.hpp"
#include "names.hpp"
#include "openssl.hpp"

namespace jitproxy::ca {
namespace {

constexpr std::chrono::hours leaf_backdated{1};
constexpr std::chrono::hours leaf_lifetime{24 * 7};
constexpr milliseconds lock_patience{10'000};

// Every leaf of this process has the same key: making one costs as much as signing, and it never leaves memory.
result<EVP_PKEY*> leaf_key() {
    static auto const key = make_p256_key();  // lives as long as the process
    if (!key) return key.error();
    return key->get();
}

// Null where there is no such file. Errors: storage.
result<x509_ptr> read_certificate(std::filesystem::path const& file) {
    auto const content = read_file(file);
    if (!content) return content.error();
    if (!*content) return x509_ptr{};
    auto const& pem = (*content)->bytes;
    bio_ptr const in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    x509_ptr certificate(in ? PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr) : nullptr);
    ERR_clear_error();
    if (!certificate)
        return make_error(errc::storage, file.string() +
                                             ": holds no certificate in PEM; delete it to have the CA's certificate "
                                             "issued again, or make a new CA with \"jitproxy ca rotate\"");
    return certificate;
}

std::string der_of(NAME_CONSTRAINTS const* constraints) {
    unsigned char* bytes = nullptr;
    auto const size =
        ASN1_item_i2d(reinterpret_cast<ASN1_VALUE const*>(constraints), &bytes, ASN1_ITEM_rptr(NAME_CONSTRAINTS));
    std::string der(reinterpret_cast<char const*>(bytes), size > 0 ? static_cast<std::size_t>(size) : 0);
    OPENSSL_free(bytes);
    return der;
}

// The name constraints as they stand in the certificate; empty where there are none.
std::string constraints_of(X509* certificate) {
    auto const at = X509_get_ext_by_NID(certificate, NID_name_constraints, -1);
    if (at < 0) return {};
    auto const* value = X509_EXTENSION_get_data(X509_get_ext(certificate, at));
    return {reinterpret_cast<char const*>(ASN1_STRING_get0_data(value)),
            static_cast<std::size_t>(ASN1_STRING_length(value))};
}

// Why the certificate can't be used any longer; empty where it can.
std::string reason_to_reissue(X509* certificate, EVP_PKEY* key, std::string const& wanted_constraints, wall_time now) {
    if (X509_check_private_key(certificate, key) != 1) {  // a rotation that was cut short
        ERR_clear_error();
        return "it does not belong to the key";
    }
    auto const from = time_of(X509_get0_notBefore(certificate));
    auto const until = time_of(X509_get0_notAfter(certificate));
    if (now < from) return "it is not valid yet";
    if (until - now < (until - from) / 5) return "its life is nearly over";
    if (constraints_of(certificate) != wanted_constraints) return "the protected hosts have changed";
    return {};
}

}  // namespace

struct authority::state {
    std::filesystem::path file;
    permitted names;
    bool constrained = true;
    pkey_ptr key;
    x509_ptr certificate;
    std::string pem;
    wall_time not_after;

    // What both ways to an authority share. `fresh`: a new key in any case.
    static result<std::shared_ptr<state const>> open(authority_options const& options, wall_time now, bool fresh);
};

result<std::shared_ptr<authority::state const>> authority::state::open(authority_options const& options, wall_time now,
                                                                       bool fresh) {
    auto names = permitted::parse(options.permitted_names);
    if (!names) return names.error();
    if (options.lifetime <= seconds{0}) return make_error(errc::configuration, "the CA's lifetime must be positive");
    if (auto const made = make_private_directory(options.directory); !made) return made.error();
    // Two processes that start at once must not end with different keys. A directory that can't be written to still
    // serves where key and certificate are good as they are.
    auto const lock = lock_directory(options.directory, lock_patience);
    if (!lock) return lock.error();

    auto s = std::make_shared<state>();
    auto const key_path = options.directory / "ca.key";
    s->file = options.directory / "ca.pem";
    s->names = std::move(*names);
    s->constrained = options.name_constraints;

    if (!fresh) {
        auto key = read_key(key_path);
        if (!key) return key.error();
        s->key = std::move(*key);
        auto certificate = read_certificate(s->file);
        if (!certificate) return certificate.error();
        s->certificate = std::move(*certificate);
        if (!s->key && s->certificate)
            log::warning("the CA's key is gone: a new CA is made, which clients have to be told of",
                         {{"key", key_path.string()}});
    }
    bool const new_key = !s->key;
    if (new_key) {
        auto key = make_p256_key();
        if (!key) return key.error();
        if (auto const written = write_key(key_path, key->get()); !written) return written.error();
        s->key = std::move(*key);
    }
    std::string wanted;
    if (s->constrained) {
        auto const constraints = s->names.constraints();
        if (!constraints) return openssl_failure("the CA's name constraints cannot be made");
        wanted = der_of(constraints.get());
    }
    auto const why = new_key           ? std::string("its key is new")
                     : !s->certificate ? std::string("there was none")
                                       : reason_to_reissue(s->certificate.get(), s->key.get(), wanted, now);
    if (!why.empty()) {
        ca_order order;
        order.key = s->key.get();
        order.constraints = s->constrained ? &s->names : nullptr;
        order.now = now;
        order.lifetime = options.lifetime;
        // The same name and key as before: a client that still holds the old certificate goes on as far as that allows.
        if (!new_key && s->certificate) order.subject = X509_get_subject_name(s->certificate.get());
        auto certificate = make_ca_certificate(order);
        if (!certificate) return certificate.error();
        s->certificate = std::move(*certificate);
    }
    auto pem = to_pem(s->certificate.get());
    if (!pem) return pem.error();
    s->pem = std::move(*pem);
    s->not_after = time_of(X509_get0_notAfter(s->certificate.get()));
    if (!why.empty()) {
        if (auto const written = write_file_atomically(s->file, s->pem, 0644); !written) return written.error();
        log::info("the local CA's certificate was issued",
                  {{"file", s->file.string()}, {"why", why}, {"until", format_rfc3339(s->not_after)}});
    }
    if (auto const key = leaf_key(); !key) return key.error();  // now rather than at the first request
    return std::shared_ptr<state const>(std::move(s));
}

result<authority> authority::load_or_create(authority_options const& options, wall_time now) {
    auto opened = state::open(options, now, false);
    if (!opened) return opened.error();
    return authority(std::move(*opened));
}

result<authority> authority::rotate(authority_options const& options, wall_time now) {
    auto opened = state::open(options, now, true);
    if (!opened) return opened.error();
    return authority(std::move(*opened));
}

result<leaf> authority::mint(std::string_view normalised_host, wall_time now) const {
    if (!address_bytes(normalised_host) && !is_dns_name(normalised_host))
        return make_error(errc::host_denied,
                          "no certificate can be made for this host: its name has letters that no "
                          "DNS name in a certificate may have");
    if (state_->constrained && !state_->names.allows(normalised_host))
        return make_error(errc::host_denied, std::string(normalised_host) +
                                                 " is outside the local CA's name constraints; protected hosts are "
                                                 "listed under [[api]] hosts");
    if (now >= state_->not_after)
        return make_error(errc::internal, state_->file.string() +
                                              ": the local CA has expired; restart jitproxy to have it issued again");
    auto const key = leaf_key();
    if (!key) return key.error();
    leaf_order order;
    order.issuer = state_->certificate.get();
    order.issuer_key = state_->key.get();
    order.key = *key;
    order.host = normalised_host;
    order.not_before = now - leaf_backdated;
    order.not_after = std::min<wall_time>(now + leaf_lifetime, state_->not_after);
    auto certificate = make_leaf_certificate(order);
    if (!certificate) return certificate.error();
    EVP_PKEY_up_ref(*key);
    return leaf{std::move(*certificate), pkey_ptr(*key)};
}

std::string const& authority::certificate_pem() const noexcept {
    return state_->pem;
}

X509* authority::certificate() const noexcept {
    return state_->certificate.get();
}

std::filesystem::path authority::certificate_file() const {
    return state_->file;
}

std::string authority::fingerprint_sha256() const {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    std::string text;
    if (X509_digest(state_->certificate.get(), EVP_sha256(), digest, &size) != 1) return text;
    constexpr std::string_view digits = "0123456789ABCDEF";
    for (unsigned i = 0; i < size; ++i) {
        if (i > 0) text += ':';
        text += digits[digest[i] >> 4];
        text += digits[digest[i] & 0xf];
    }
    return text;
}

wall_time authority::not_after() const noexcept {
    return state_->not_after;
}

std::vector<std::string> const& authority::permitted_names() const noexcept {
    return state_->names.names();
}

}  // namespace jitproxy::ca
