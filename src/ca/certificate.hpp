// The two kinds of certificate that this room makes, and the keys under them.
#pragma once
#include <string>
#include <string_view>

#include "jitproxy/base/clock.hpp"
#include "jitproxy/ca/authority.hpp"
#include "names.hpp"
#include "openssl.hpp"

namespace jitproxy::ca {

[[nodiscard]] result<pkey_ptr> make_p256_key();

// "jitproxy local CA for USER@HOSTNAME", cut to what a common name may hold.
[[nodiscard]] std::string ca_common_name();

struct ca_order {
    EVP_PKEY* key = nullptr;
    X509_NAME const* subject = nullptr;      // of the certificate that is replaced; null: a new one
    permitted const* constraints = nullptr;  // null: none
    wall_time now;
    seconds lifetime{};
};
[[nodiscard]] result<x509_ptr> make_ca_certificate(ca_order const& order);

struct leaf_order {
    X509* issuer = nullptr;
    EVP_PKEY* issuer_key = nullptr;
    EVP_PKEY* key = nullptr;
    std::string_view host;  // a DNS name or an address, checked
    wall_time not_before;
    wall_time not_after;
};
[[nodiscard]] result<x509_ptr> make_leaf_certificate(leaf_order const& order);

[[nodiscard]] wall_time time_of(ASN1_TIME const* t);
[[nodiscard]] result<std::string> to_pem(X509* certificate);

}  // namespace jitproxy::ca
