// Owning handles for what this room uses of OpenSSL, and its errors as text.
#pragma once
#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/pkcs12.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <string_view>

#include "jitproxy/base/error.hpp"

namespace jitproxy::ca {

template <auto Free>
struct free_with {
    template <class T>
    void operator()(T* p) const noexcept {
        Free(p);
    }
};
template <class T, auto Free>
using handle = std::unique_ptr<T, free_with<Free>>;

using bio_ptr = handle<BIO, BIO_free_all>;
using bignum_ptr = handle<BIGNUM, BN_free>;
using asn1_time_ptr = handle<ASN1_TIME, ASN1_TIME_free>;
using asn1_integer_ptr = handle<ASN1_INTEGER, ASN1_INTEGER_free>;
using asn1_octets_ptr = handle<ASN1_OCTET_STRING, ASN1_OCTET_STRING_free>;
using asn1_bits_ptr = handle<ASN1_BIT_STRING, ASN1_BIT_STRING_free>;
using asn1_object_ptr = handle<ASN1_OBJECT, ASN1_OBJECT_free>;
using general_name_ptr = handle<GENERAL_NAME, GENERAL_NAME_free>;
using general_names_ptr = handle<GENERAL_NAMES, GENERAL_NAMES_free>;
using general_subtree_ptr = handle<GENERAL_SUBTREE, GENERAL_SUBTREE_free>;
using name_constraints_ptr = handle<NAME_CONSTRAINTS, NAME_CONSTRAINTS_free>;
using basic_constraints_ptr = handle<BASIC_CONSTRAINTS, BASIC_CONSTRAINTS_free>;
using authority_keyid_ptr = handle<AUTHORITY_KEYID, AUTHORITY_KEYID_free>;
using extended_key_usage_ptr = handle<EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free>;
using x509_name_ptr = handle<X509_NAME, X509_NAME_free>;
using pkcs12_ptr = handle<PKCS12, PKCS12_free>;

// The thread's OpenSSL errors as one line, and an empty queue after it.
[[nodiscard]] std::string openssl_errors();
[[nodiscard]] error openssl_failure(std::string_view what);

// Everything that a memory BIO holds; valid while it lives.
[[nodiscard]] std::string_view contents(BIO* memory);

}  // namespace jitproxy::ca
