// A stolen CA key is used here to sign what it must not sign. OpenSSL's verdict here, GnuTLS's in
// tests/integration/ca_test.py.
#include <openssl/pem.h>

#include "../../../src/ca/certificate.hpp"
#include "../../../src/ca/key_file.hpp"
#include "catch.hpp"
#include "forgery.hpp"
#include "scratch.hpp"

namespace ca = jitproxy::ca;
using namespace jitproxy::ca::test;

namespace {

// Signs for any host with the key as it lies on disk, past everything that mint() checks.
ca::x509_ptr forge(ca::authority const& a, fs::path const& directory, std::string_view host) {
    auto const key = ca::read_key(directory / "ca.key");
    REQUIRE(key.has_value());
    return forged_leaf(a.issuing_certificate(), key->get(), host);
}

}  // namespace

TEST_CASE("a leaf that a stolen key signs for another host is rejected") {
    struct row {
        std::vector<std::string> permitted;
        std::vector<char const*> accepted;
        std::vector<char const*> rejected;
    };
    std::vector<row> const table{
        {{"api.example.com"},
         {"api.example.com", "below.api.example.com"},  // RFC 5280 4.2.1.10: a constraint covers what is below it
         {"example.com", "www.example.com", "xapi.example.com", "evil.org", "10.0.0.1", "::1", "0.0.0.0"}},
        {{".files.example.com"},
         {"a.files.example.com", "a.b.files.example.com"},
         {"example.com", "xfiles.example.com", "evil.org", "10.0.0.1", "::1"}},
        {{"10.0.0.1"}, {"10.0.0.1"}, {"10.0.0.2", "::1", "::ffff:10.0.0.1", "evil.org", "localhost", "a.b.c"}},
        {{"fd00::1"}, {"fd00::1"}, {"fd00::2", "10.0.0.1", "0.0.0.0", "evil.org", "localhost"}},
        {{"localhost", "127.0.0.1", "::1"},
         {"localhost", "127.0.0.1", "::1"},
         {"127.0.0.2", "::2", "evil.org", "localhos", "xlocalhost"}},
        {{"localhost", "127.0.0.1"}, {"localhost", "127.0.0.1"}, {"::1", "10.0.0.1", "example.com"}},
        {{}, {}, {"api.example.com", "localhost", "10.0.0.1", "::1"}},
    };
    for (auto const& [permitted, accepted, rejected] : table) {
        scratch_directory scratch;
        auto const a = ca::authority::load_or_create(options_for(scratch.path(), permitted), noon);
        REQUIRE(a.has_value());
        INFO("permitted: " << (permitted.empty() ? "nothing" : permitted.front()));
        for (auto const* host : accepted) {
            INFO(host);
            CHECK(verify_error(*a, forge(*a, scratch.path(), host).get(), noon) == X509_V_OK);
        }
        for (auto const* host : rejected) {
            INFO(host);
            CHECK(verify_error(*a, forge(*a, scratch.path(), host).get(), noon) == X509_V_ERR_PERMITTED_VIOLATION);
        }
    }
}

TEST_CASE("without name constraints the key signs for any host") {
    scratch_directory scratch;
    auto o = options_for(scratch.path(), {"api.example.com"});
    o.name_constraints = false;
    auto const a = ca::authority::load_or_create(o, noon);
    REQUIRE(a.has_value());
    CHECK(verify_error(*a, forge(*a, scratch.path(), "evil.org").get(), noon) == X509_V_OK);
}
