// The kinds of certificate that this room makes (root, issuing CA, leaf), and the keys under them.
#pragma once
#include <string>
#include <string_view>

#include "jitproxy/base/clock.hpp"
#include "jitproxy/ca/authority.hpp"
#include "names.hpp"
#include "openssl.hpp"

namespace jitproxy::ca {

[[nodiscard]] result<pkey_ptr> make_p256_key();

struct ca_order {
    EVP_PKEY* key = nullptr;
    X509* issuer = nullptr;  // null: a root, which its own key signs
    EVP_PKEY* issuer_key = nullptr;
    permitted const* constraints = nullptr;  // null: none
    wall_time not_before;
    wall_time not_after;
};
// A root may have one CA below it, the issuing CA none (RFC 5280 4.2.1.9). Their common names say whose they are:
// "jitproxy local CA for USER@HOSTNAME" and "jitproxy issuing CA for …", cut to what a common name may hold.
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
