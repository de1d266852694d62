// What a thief makes with a CA key, past everything that mint() checks.
#pragma once
#include <string_view>

#include "../../../src/ca/certificate.hpp"
#include "catch.hpp"
#include "scratch.hpp"

namespace jitproxy::ca::test {

inline x509_ptr forged_leaf(X509* issuer, EVP_PKEY* key, std::string_view host) {
    leaf_order order;
    order.issuer = issuer;
    order.issuer_key = key;
    order.key = key;
    order.host = host;
    order.not_before = noon - one_hour;
    order.not_after = noon + one_day;
    auto certificate = make_leaf_certificate(order);
    REQUIRE(certificate.has_value());
    return std::move(*certificate);
}

}  // namespace jitproxy::ca::test
