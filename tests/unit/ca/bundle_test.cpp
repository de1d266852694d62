#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>

#include "../../../src/ca/openssl.hpp"
#include "catch.hpp"
#include "scratch.hpp"

namespace ca = jitproxy::ca;
using namespace jitproxy::ca::test;
using jitproxy::errc;

namespace {

std::vector<ca::x509_ptr> certificates_of(std::string const& pem) {
    std::vector<ca::x509_ptr> all;
    ca::bio_ptr const in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    for (;;) {
        ca::x509_ptr one(PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr));
        if (!one) break;
        all.push_back(std::move(one));
    }
    ERR_clear_error();
    return all;
}

std::size_t system_root_count() {
    return ca::system_bundle().empty() ? 0 : certificates_of(slurp(ca::system_bundle())).size();
}

ca::authority made(scratch_directory const& scratch) {
    auto a = ca::authority::load_or_create(options_for(scratch.path(), {"api.example.com"}), noon);
    REQUIRE(a.has_value());
    return std::move(*a);
}

std::string output_of(std::string const& command) {
    std::string out;
    std::FILE* const pipe = ::popen(command.c_str(), "r");
    REQUIRE(pipe != nullptr);
    char buffer[4096];
    while (auto const got = std::fread(buffer, 1, sizeof buffer, pipe)) out.append(buffer, got);
    ::pclose(pipe);
    return out;
}

}  // namespace

TEST_CASE("the bundle holds the system's roots and the local CA, and is replaced in one step") {
    scratch_directory scratch;
    auto const a = made(scratch);
    auto const file = scratch / "bundle.pem";
    spill(file, "old");
    auto const old_umask = ::umask(0077);
    REQUIRE(ca::write_bundle(file, a.root_pem()).has_value());
    ::umask(old_umask);
    CHECK(mode_of(file) == 0644);
    auto const all = certificates_of(slurp(file));
    REQUIRE(all.size() == system_root_count() + 1);
    CHECK(X509_cmp(all.back().get(), a.root_certificate()) == 0);  // and the issuing certificate is not trusted
    for (auto const& entry : fs::directory_iterator(scratch.path()))
        CHECK(entry.path().filename().string().front() != '.');  // no temporary file is left
}

TEST_CASE("a bundle in a directory that is not there is a storage error, which names it") {
    scratch_directory scratch;
    auto const written = ca::write_bundle(scratch.path() / "missing" / "bundle.pem", "");
    REQUIRE_FALSE(written.has_value());
    CHECK(written.error().code == errc::storage);
    CHECK(written.error().detail.find("missing") != std::string::npos);
}

TEST_CASE("the truststore holds certificates only, each marked as trusted for a JVM") {
    scratch_directory scratch;
    auto const a = made(scratch);
    auto const file = scratch / "trust.p12";
    REQUIRE(ca::write_truststore(file, a, "changeit").has_value());
    CHECK(mode_of(file) == 0644);

    auto const bytes = slurp(file);
    ca::bio_ptr const in(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
    ca::pkcs12_ptr const store(d2i_PKCS12_bio(in.get(), nullptr));
    REQUIRE(store);
    CHECK(PKCS12_verify_mac(store.get(), "changeit", -1) == 1);
    CHECK(PKCS12_verify_mac(store.get(), "other", -1) == 0);
    EVP_PKEY* key = nullptr;
    X509* own = nullptr;
    STACK_OF(X509)* others = nullptr;
    REQUIRE(PKCS12_parse(store.get(), "changeit", &key, &own, &others) == 1);
    CHECK(key == nullptr);
    CHECK(own == nullptr);
    CHECK(static_cast<std::size_t>(sk_X509_num(others)) == system_root_count() + 1);
    auto const holds = [&](X509* certificate) {
        bool found = false;
        for (int i = 0; i < sk_X509_num(others); ++i)
            found = found || X509_cmp(sk_X509_value(others, i), certificate) == 0;
        return found;
    };
    CHECK(holds(a.root_certificate()));
    CHECK_FALSE(holds(a.issuing_certificate()));  // trusted, its name constraints would not count
    sk_X509_pop_free(others, X509_free);
    ERR_clear_error();
}

TEST_CASE("a JVM's keytool reads the truststore: every certificate is a trusted entry") {
    if (std::system("command -v keytool >/dev/null 2>&1") != 0) {
        WARN("keytool is not installed: not tried");
        return;
    }
    scratch_directory scratch;
    auto const a = made(scratch);
    auto const file = scratch / "trust.p12";
    REQUIRE(ca::write_truststore(file, a, "changeit").has_value());
    auto const listing =
        output_of("keytool -J-Duser.language=en -list -storetype PKCS12 -storepass changeit -keystore " +
                  file.string() + " 2>&1");
    std::size_t trusted = 0;
    for (auto at = listing.find("trustedCertEntry"); at != std::string::npos;
         at = listing.find("trustedCertEntry", at + 1))
        ++trusted;
    INFO(listing.substr(0, 500));
    CHECK(trusted == system_root_count() + 1);
    CHECK(listing.find(a.fingerprint_sha256()) != std::string::npos);
    CHECK(listing.find("jitproxy local ca") != std::string::npos);
}
