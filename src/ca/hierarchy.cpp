#include "hierarchy.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <algorithm>
#include <chrono>

#include "certificate.hpp"
#include "file.hpp"
#include "key_file.hpp"
#include "openssl.hpp"

namespace jitproxy::ca {
namespace {

constexpr std::chrono::hours backdated{1};  // for clients whose clock is late

std::filesystem::path key_file_in(std::filesystem::path const& directory) {
    return directory / "ca.key";
}

std::filesystem::path issuing_file_in(std::filesystem::path const& directory) {
    return directory / "ca-issuing.pem";
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
                                             ": holds no certificate in PEM; delete it, or make a new CA with "
                                             "\"jitproxy ca rotate\"");
    return certificate;
}

result<void> write_certificate(std::filesystem::path const& file, X509* certificate) {
    auto const pem = to_pem(certificate);
    if (!pem) return pem.error();
    return write_file_atomically(file, *pem, 0644);
}

result<std::string> der_of(permitted const* constraints) {
    if (constraints == nullptr) return std::string{};
    auto const value = constraints->constraints();
    unsigned char* bytes = nullptr;
    auto const size = value ? ASN1_item_i2d(reinterpret_cast<ASN1_VALUE const*>(value.get()), &bytes,
                                            ASN1_ITEM_rptr(NAME_CONSTRAINTS))
                            : -1;
    if (size < 0) return openssl_failure("the CA's name constraints cannot be made");
    std::string der(reinterpret_cast<char const*>(bytes), static_cast<std::size_t>(size));
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

bool belongs_to(X509* certificate, EVP_PKEY* key) {
    bool const same = X509_check_private_key(certificate, key) == 1;
    ERR_clear_error();
    return same;
}

bool signed_by(X509* certificate, X509* issuer) {
    bool const good =
        X509_check_issued(issuer, certificate) == X509_V_OK && X509_verify(certificate, X509_get0_pubkey(issuer)) == 1;
    ERR_clear_error();
    return good;
}

}  // namespace

std::filesystem::path root_file_in(std::filesystem::path const& directory) {
    return directory / "ca.pem";
}

result<hierarchy> read_hierarchy(std::filesystem::path const& directory) {
    hierarchy h;
    auto key = read_key(key_file_in(directory));
    if (!key) return key.error();
    h.key = std::move(*key);
    auto issuing = read_certificate(issuing_file_in(directory));
    if (!issuing) return issuing.error();
    h.issuing = std::move(*issuing);
    auto root = read_certificate(root_file_in(directory));
    if (!root) return root.error();
    h.root = std::move(*root);
    return h;
}

wall_time renew_after(hierarchy const& h) {
    auto const of = [](X509* certificate) {
        auto const from = time_of(X509_get0_notBefore(certificate));
        auto const until = time_of(X509_get0_notAfter(certificate));
        return until - (until - from) / 5;
    };
    return std::min(of(h.root.get()), of(h.issuing.get()));
}

result<std::string> reason_to_replace(hierarchy const& h, permitted const* constraints, wall_time now) {
    auto const wanted = der_of(constraints);
    if (!wanted) return wanted.error();
    using said = std::string;
    if (!h.key && !h.issuing && !h.root) return said("there was none");
    if (!h.key) return said("its key is gone");
    if (!h.root) return said("its root certificate is gone");
    if (belongs_to(h.root.get(), h.key.get()))  // of a version that had one tier
        return said("its root's key is in the directory, from where it could be stolen");
    if (!h.issuing) return said("its issuing certificate is gone");
    if (!belongs_to(h.issuing.get(), h.key.get())) return said("its issuing certificate does not belong to its key");
    if (!signed_by(h.issuing.get(), h.root.get())) return said("its root has not signed its issuing certificate");
    for (auto* const certificate : {h.root.get(), h.issuing.get()}) {
        if (now < time_of(X509_get0_notBefore(certificate))) return said("it is not valid yet");
        auto const found = constraints_of(certificate);
        if (found.empty() != wanted->empty()) return said("[ca] name_constraints has changed");
        if (found != *wanted) return said("the protected hosts have changed");
    }
    if (now > renew_after(h)) return said("its life is nearly over");
    return said();
}

result<hierarchy> make_hierarchy(permitted const* constraints, seconds lifetime, wall_time now) {
    auto const root_key = make_p256_key();  // wiped when this function is left: nothing else refers to it
    if (!root_key) return root_key.error();
    auto key = make_p256_key();
    if (!key) return key.error();
    ca_order order;
    order.key = root_key->get();
    order.constraints = constraints;
    order.not_before = now - backdated;
    order.not_after = now + lifetime;
    auto root = make_ca_certificate(order);
    if (!root) return root.error();
    order.key = key->get();
    order.issuer = root->get();
    order.issuer_key = root_key->get();
    auto issuing = make_ca_certificate(order);
    if (!issuing) return issuing.error();
    return hierarchy{std::move(*key), std::move(*issuing), std::move(*root)};
}

result<void> write_hierarchy(std::filesystem::path const& directory, hierarchy const& h) {
    if (auto written = write_key(key_file_in(directory), h.key.get()); !written) return written;
    if (auto written = write_certificate(issuing_file_in(directory), h.issuing.get()); !written) return written;
    return write_certificate(root_file_in(directory), h.root.get());
}

}  // namespace jitproxy::ca
