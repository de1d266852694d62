// The two tiers: what they are worth to whoever steals the directory, and what becomes of one that is not whole.
#include "../../../src/ca/hierarchy.hpp"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <array>
#include <memory>

#include "../../../src/ca/certificate.hpp"
#include "../../../src/ca/key_file.hpp"
#include "catch.hpp"
#include "forgery.hpp"
#include "scratch.hpp"

namespace ca = jitproxy::ca;
using namespace jitproxy::ca::test;
using jitproxy::errc;

namespace {

ca::authority opened(fs::path const& directory, std::vector<std::string> names = {"api.example.com"}) {
    auto a = ca::authority::load_or_create(options_for(directory, std::move(names)), noon);
    if (!a) FAIL(a.error().detail);
    return std::move(*a);
}

ca::pkey_ptr key_in(fs::path const& directory) {
    auto key = ca::read_key(directory / "ca.key");
    REQUIRE(key.has_value());
    REQUIRE(*key);
    return std::move(*key);
}

// A CA without name constraints: by default for the thief's key, named as the issuing CA is.
ca::x509_ptr forged_ca(X509* issuer, EVP_PKEY* issuer_key, EVP_PKEY* key) {
    ca::ca_order order;
    order.key = key;
    order.issuer = issuer;
    order.issuer_key = issuer_key;
    order.not_before = noon - one_hour;
    order.not_after = noon + one_day;
    auto certificate = ca::make_ca_certificate(order);
    REQUIRE(certificate.has_value());
    return std::move(*certificate);
}

}  // namespace

TEST_CASE("a leaf is good by the root alone, with the issuing certificate sent and not without it") {
    scratch_directory scratch;
    auto const a = opened(scratch.path());
    auto const minted = a.mint("api.example.com", noon);
    REQUIRE(minted.has_value());
    auto* const leaf = minted->certificate.get();
    CHECK(verify_error(a.root_certificate(), leaf, {a.issuing_certificate()}, noon) == X509_V_OK);
    CHECK(verify_error(a.root_certificate(), leaf, {}, noon) == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
}

TEST_CASE("a stolen key makes no CA below itself") {
    scratch_directory scratch;
    auto const a = opened(scratch.path());
    auto const stolen = key_in(scratch.path());
    auto const thiefs = ca::make_p256_key();
    REQUIRE(thiefs.has_value());
    auto* const root = a.root_certificate();
    auto const below = forged_ca(a.issuing_certificate(), stolen.get(), thiefs->get());
    auto const verdict = [&](char const* host) {
        auto const leaf = forged_leaf(below.get(), thiefs->get(), host);
        return verify_error(root, leaf.get(), {below.get(), a.issuing_certificate()}, noon);
    };
    SECTION("of another name: the path is too long") {
        auto* const name = X509_get_subject_name(below.get());
        REQUIRE(X509_NAME_add_entry_by_txt(name, "OU", MBSTRING_UTF8, reinterpret_cast<unsigned char const*>("thief"),
                                           -1, -1, 0) == 1);
        REQUIRE(X509_set_subject_name(below.get(), name) == 1);
        REQUIRE(X509_sign(below.get(), stolen.get(), EVP_sha256()) > 0);
        CHECK(verdict("api.example.com") == X509_V_ERR_PATH_LENGTH_EXCEEDED);
    }
    SECTION("of its own name, which path lengths don't count: the constraints above it hold") {
        CHECK(verdict("api.example.com") == X509_V_OK);
        CHECK(verdict("evil.org") == X509_V_ERR_PERMITTED_VIOLATION);
    }
}

TEST_CASE("the root's key is gone from memory too: its certificate has not kept it") {
    scratch_directory scratch;
    auto const a = opened(scratch.path());  // made, not read
    for (auto* const c : {a.root_certificate(), a.issuing_certificate()}) {
        BIGNUM* number = nullptr;
        CHECK(EVP_PKEY_get_bn_param(X509_get0_pubkey(c), OSSL_PKEY_PARAM_PRIV_KEY, &number) != 1);
        BN_clear_free(number);
    }
    ERR_clear_error();
}

TEST_CASE("nothing in the directory can sign a second issuing CA") {
    scratch_directory scratch;
    auto const a = opened(scratch.path());
    int keys = 0;
    for (auto const& entry : fs::recursive_directory_iterator(scratch.path())) {
        auto const bytes = slurp(entry.path());
        ca::bio_ptr const in(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
        for (auto at = bytes.find("PRIVATE KEY-----\n"); at != std::string::npos;
             at = bytes.find("PRIVATE KEY-----\n", at + 1))
            ++keys;
        ca::pkey_ptr const key(PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr));
        if (key) CHECK(EVP_PKEY_eq(key.get(), X509_get0_pubkey(a.root_certificate())) != 1);
    }
    CHECK(keys == 2);  // first and last line of one PEM: ca.key
    CHECK_FALSE(same_key(a.root_certificate(), a.issuing_certificate()));

    auto const stolen = key_in(scratch.path());
    auto const second = forged_ca(a.root_certificate(), stolen.get(), stolen.get());  // in the root's name
    auto const leaf = forged_leaf(second.get(), stolen.get(), "evil.org");
    CHECK(verify_error(a.root_certificate(), leaf.get(), {second.get()}, noon) == X509_V_ERR_CERT_SIGNATURE_FAILURE);
    auto const impostor = forged_ca(nullptr, nullptr, stolen.get());  // signs itself, and has the root's name
    auto const below = forged_leaf(impostor.get(), stolen.get(), "evil.org");
    CHECK(verify_error(a.root_certificate(), below.get(), {impostor.get()}, noon) != X509_V_OK);
}

TEST_CASE("files that do not belong together, or are not all there, are made anew") {
    constexpr std::array names{"ca.key", "ca-issuing.pem", "ca.pem"};
    scratch_directory scratch;
    auto const old_ca = opened(scratch.path() / "old");
    auto const new_ca = opened(scratch.path() / "new");
    enum { from_old, from_new, missing, states };
    int tried = 0;
    for (int n = 0; n < states * states * states; ++n) {
        std::array<int, 3> const which{n / 9, n / 3 % 3, n % 3};
        if (which[0] == which[1] && which[1] == which[2]) continue;  // whole, or nothing at all
        ++tried;
        INFO("key, issuing, root: " << which[0] << which[1] << which[2]);
        auto const directory = scratch.path() / std::to_string(n);
        REQUIRE(fs::create_directory(directory));
        for (std::size_t i = 0; i < names.size(); ++i)
            if (which[i] != missing)
                fs::copy_file(scratch.path() / (which[i] == from_old ? "old" : "new") / names[i], directory / names[i]);
        logged.clear();
        auto const a = opened(directory);
        // What clients could know of is replaced with a warning; the beginning of a first start is nothing to warn of.
        CHECK((logged.find("warning the local CA was made anew") != std::string::npos) == (which[2] != missing));
        CHECK((logged.find("info a local CA was made") != std::string::npos) == (which[2] == missing));
        for (auto const* other : {&old_ca, &new_ca}) {
            CHECK_FALSE(same_key(a.root_certificate(), other->root_certificate()));
            CHECK_FALSE(same_key(a.issuing_certificate(), other->issuing_certificate()));
        }
        auto const minted = a.mint("api.example.com", noon);
        REQUIRE(minted.has_value());
        CHECK(verify_error(a, minted->certificate.get(), noon) == X509_V_OK);
        CHECK(mode_of(directory / "ca.key") == 0600);
        logged.clear();
        CHECK(opened(directory).root_pem() == a.root_pem());
        CHECK(logged.empty());
    }
    CHECK(tried == 24);
}

TEST_CASE("the root is written last: cut short, clients still find the old one, and the next start makes a whole CA") {
    scratch_directory scratch;
    auto const old_ca = opened(scratch.path());
    fs::remove(scratch / "ca-issuing.pem");
    fs::create_directories(scratch.path() / "ca-issuing.pem" / "in the way");
    auto const cut = ca::authority::rotate(options_for(scratch.path(), {"api.example.com"}), noon);
    REQUIRE_FALSE(cut.has_value());
    CHECK(cut.error().code == errc::storage);
    CHECK(slurp(scratch / "ca.pem") == old_ca.root_pem());
    fs::remove_all(scratch / "ca-issuing.pem");
    auto const a = opened(scratch.path());
    CHECK_FALSE(same_key(a.root_certificate(), old_ca.root_certificate()));
}

TEST_CASE("a CA of one tier, as earlier versions made it, is made anew, and its key is gone") {
    scratch_directory scratch;
    auto const key = ca::make_p256_key();
    REQUIRE(key.has_value());
    auto const names = ca::permitted::parse({"api.example.com"});
    ca::ca_order order;
    order.key = key->get();
    order.constraints = &*names;
    order.not_before = noon - one_hour;
    order.not_after = noon + one_day * 365;
    auto const one_tier = ca::make_ca_certificate(order);
    REQUIRE(one_tier.has_value());
    REQUIRE(ca::write_key(scratch / "ca.key", key->get()).has_value());
    spill(scratch / "ca.pem", *ca::to_pem(one_tier->get()));
    bool const half_way = GENERATE(false, true);  // an earlier version that ran after this one leaves the second tier
    if (half_way) {
        auto const other = ca::make_hierarchy(&*names, one_day * 365, noon);
        REQUIRE(other.has_value());
        spill(scratch / "ca-issuing.pem", *ca::to_pem(other->issuing.get()));
    }
    auto const a = opened(scratch.path());
    CHECK(logged.find("warning the local CA was made anew") != std::string::npos);
    CHECK(logged.find("its root's key is in the directory") != std::string::npos);
    CHECK_FALSE(same_key(a.root_certificate(), one_tier->get()));
    CHECK_FALSE(same_key(a.issuing_certificate(), one_tier->get()));
    CHECK(EVP_PKEY_eq(key_in(scratch.path()).get(), key->get()) != 1);
    auto const minted = a.mint("api.example.com", noon);
    REQUIRE(minted.has_value());
    CHECK(verify_error(a, minted->certificate.get(), noon) == X509_V_OK);
}
