// No test of its own: makes a CA and leaves for tests/integration/ca_test.py, which shows them to other TLS stacks.
//   JITPROXY_CA_EXPORT=DIRECTORY JITPROXY_CA_NAMES=host,.suffix,address test_ca "[export]"
#include <openssl/pem.h>

#include <cstdlib>
#include <sstream>

#include "../../../src/ca/certificate.hpp"
#include "catch.hpp"
#include "scratch.hpp"

namespace ca = jitproxy::ca;
using namespace jitproxy::ca::test;

TEST_CASE("a CA and a leaf for each permitted host are written for other stacks to look at", "[.][export]") {
    auto const* const directory = std::getenv("JITPROXY_CA_EXPORT");
    auto const* const list = std::getenv("JITPROXY_CA_NAMES");
    REQUIRE(directory != nullptr);
    REQUIRE(list != nullptr);
    std::vector<std::string> names;
    std::istringstream in(list);
    for (std::string name; std::getline(in, name, ',');) names.push_back(name);

    auto const now = std::chrono::system_clock::now();
    auto const a = ca::authority::load_or_create(options_for(directory, names), now);
    REQUIRE(a.has_value());
    for (auto const& name : names) {
        auto const host = name.front() == '.' ? "below" + name : name;
        auto const minted = a->mint(host, now);
        REQUIRE(minted.has_value());
        auto const pem = ca::to_pem(minted->certificate.get());
        REQUIRE(pem.has_value());
        spill(fs::path(directory) / ("leaf." + host + ".pem"), *pem);
    }
    REQUIRE(ca::write_bundle(fs::path(directory) / "ca-bundle.pem", a->root_pem()).has_value());
    REQUIRE(ca::write_truststore(fs::path(directory) / "truststore.p12", *a, "changeit").has_value());
}
