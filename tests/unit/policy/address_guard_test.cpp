#include "jitproxy/policy/address_guard.hpp"

#include <string>
#include <vector>

#include "catch.hpp"

using jitproxy::errc;
using jitproxy::policy::address_guard;

namespace {

auto address(std::string const& text) {
    return boost::asio::ip::make_address(text);
}

address_guard guard_with(std::vector<std::string> const& blocks) {
    auto guard = address_guard::create(blocks);
    if (!guard) FAIL(guard.error().detail);
    return *guard;
}

bool passes(address_guard const& guard, std::string const& text) {
    return guard.check(address(text)).has_value();
}

}  // namespace

TEST_CASE("addresses that are globally reachable may be dialled") {
    address_guard const guard;
    for (char const* text :
         {"1.0.0.0", "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
          "126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.0.9",
          "192.0.0.10", "192.0.1.0", "192.0.3.0", "192.31.196.1", "192.52.193.1", "192.167.255.255", "192.169.0.0",
          "192.175.48.1", "198.17.255.255", "198.20.0.0", "198.51.99.255", "198.51.101.0", "203.0.112.255",
          "203.0.114.0", "223.255.255.255", "192.88.98.255", "192.88.100.0", "2000::", "2001:4860:4860::8888",
          "2606:4700:4700::1111", "2a00::1", "3fff:1000::1", "2001:1::1", "2001:1::2", "2001:1::3", "2001:3::1",
          "2001:4:112::1", "2001:20::1", "2001:30::1", "2001:200::1", "2001:db7:ffff::1", "2001:db9::1",
          "2620:4f:8000::1",
          // What they carry may be dialled too.
          "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1", "2001:0:808:808:0:0:f7f7:f7f7"}) {
        INFO(text);
        auto const checked = guard.check(address(text));
        CHECK(checked.has_value());
    }
}

TEST_CASE("every special-purpose block is refused from its first address to its last, and named") {
    address_guard const guard;
    struct row {
        char const* address;
        char const* what;
    };
    for (auto const& [text, what] : std::vector<row>{
             {"0.0.0.0", "unspecified"},
             {"0.0.0.1", "'this network'"},
             {"0.255.255.255", "'this network'"},
             {"10.0.0.0", "private"},
             {"10.255.255.255", "private"},
             {"100.64.0.0", "carrier-grade NAT"},
             {"100.127.255.255", "carrier-grade NAT"},
             {"127.0.0.0", "loopback"},
             {"127.0.0.1", "loopback"},
             {"127.255.255.255", "loopback"},
             {"169.254.0.0", "link-local"},
             {"169.254.169.254", "cloud metadata"},
             {"169.254.255.255", "link-local"},
             {"172.16.0.0", "private"},
             {"172.31.255.255", "private"},
             {"192.0.0.0", "IETF"},
             {"192.0.0.8", "IETF"},
             {"192.0.0.11", "IETF"},
             {"192.0.0.170", "IETF"},
             {"192.0.0.255", "IETF"},
             {"192.0.2.0", "documentation"},
             {"192.0.2.255", "documentation"},
             {"192.88.99.0", "6to4 relay"},
             {"192.88.99.255", "6to4 relay"},
             {"192.168.0.0", "private"},
             {"192.168.255.255", "private"},
             {"198.18.0.0", "benchmarking"},
             {"198.19.255.255", "benchmarking"},
             {"198.51.100.0", "documentation"},
             {"198.51.100.255", "documentation"},
             {"203.0.113.0", "documentation"},
             {"203.0.113.255", "documentation"},
             {"224.0.0.0", "multicast"},
             {"233.252.0.1", "documentation"},
             {"239.255.255.255", "multicast"},
             {"240.0.0.0", "reserved"},
             {"255.255.255.254", "reserved"},
             {"255.255.255.255", "limited broadcast"},
             {"::", "unspecified"},
             {"::1", "loopback"},
             {"::2", "reserved"},
             {"100::", "discard-only"},
             {"100::ffff:ffff:ffff:ffff", "discard-only"},
             {"100:0:0:1::", "reserved"},
             {"64:ff9b:1::1", "'this network'"},
             {"64:ff9b:1::808:808", "local-use NAT64"},
             {"64:ff9b:1:ffff:ffff:ffff:808:808", "local-use NAT64"},
             {"64:ff9b:2::1", "reserved"},
             {"64:ff9b::1:808:808", "reserved"},
             {"200::1", "reserved"},
             {"1fff:ffff::1", "reserved"},
             {"4000::1", "reserved"},
             {"2001:1::4", "IETF"},
             {"2001:2::1", "benchmarking"},
             {"2001:2:0:ffff::1", "benchmarking"},
             {"2001:2:1::1", "IETF"},
             {"2001:4:113::1", "IETF"},
             {"2001:10::1", "IETF"},
             {"2001:1f:ffff::1", "IETF"},
             {"2001:40::1", "IETF"},
             {"2001:1ff:ffff::1", "IETF"},
             {"2001:db8::", "documentation"},
             {"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "documentation"},
             {"3fff::1", "documentation"},
             {"3fff:fff:ffff::1", "documentation"},
             {"5f00::1", "reserved"},
             {"fc00::", "unique-local"},
             {"fd00::1", "unique-local"},
             {"fd00:ec2::254", "cloud metadata"},
             {"fd00:ec2::253", "unique-local"},
             {"fdff:ffff::1", "unique-local"},
             {"fe00::1", "reserved"},
             {"fe80::1", "link-local"},
             {"febf:ffff::1", "link-local"},
             {"fec0::1", "site-local"},
             {"feff:ffff::1", "site-local"},
             {"ff00::", "multicast"},
             {"ff02::1", "multicast"},
             {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "multicast"},
         }) {
        INFO(text);
        auto const checked = guard.check(address(text));
        REQUIRE_FALSE(checked.has_value());
        CHECK(checked.error().code == errc::address_denied);
        INFO(checked.error().detail);
        CHECK(checked.error().detail.find(text) == 0);
        CHECK(checked.error().detail.find(what) != std::string::npos);
        CHECK(checked.error().detail.find("[egress] allow_addresses") != std::string::npos);
    }
}

TEST_CASE("an IPv4 address is judged in every IPv6 form that may reach it") {
    address_guard const guard;
    struct row {
        char const* address;
        char const* inner;
        char const* form;
    };
    for (auto const& [text, inner, form] : std::vector<row>{
             {"::ffff:127.0.0.1", "127.0.0.1/32", "IPv4-mapped"},
             {"::ffff:169.254.169.254", "169.254.169.254/32", "IPv4-mapped"},
             {"::ffff:0.0.0.0", "0.0.0.0/32", "IPv4-mapped"},
             {"::127.0.0.1", "127.0.0.1", "IPv4-compatible"},
             {"::10.0.0.1", "10.0.0.1", "IPv4-compatible"},
             {"64:ff9b::10.0.0.1", "10.0.0.1", "NAT64"},
             {"64:ff9b::169.254.169.254", "169.254.169.254", "NAT64"},
             {"64:ff9b:1::192.168.1.1", "192.168.1.1", "local-use NAT64"},
             {"64:ff9b:1:a9fe:a9:fe00::", "169.254.169.254", "local-use NAT64"},       // RFC 6052, /48
             {"64:ff9b:1:12a9:fe:a9fe::", "169.254.169.254", "local-use NAT64"},       // /56
             {"64:ff9b:1:1234:a9:fea9:fe00:0", "169.254.169.254", "local-use NAT64"},  // /64
             {"2002:7f00:1::1", "127.0.0.1", "6to4"},
             {"2002:a9fe:a9fe::", "169.254.169.254", "6to4"},
             {"2002:c0a8:101:1::1", "192.168.1.1", "6to4"},
             {"2001:0:a00:1:0:0:f7f7:f7f7", "10.0.0.1", "Teredo"},            // its server
             {"2001:0:808:808:0:0:f5ff:fffe", "10.0.0.1", "Teredo"},          // its client
             {"2001:0:808:808:8000:63bf:3fff:fdd2", "192.0.2.45", "Teredo"},  // RFC 4380's example
         }) {
        INFO(text);
        auto const checked = guard.check(address(text));
        REQUIRE_FALSE(checked.has_value());
        CHECK(checked.error().code == errc::address_denied);
        INFO(checked.error().detail);
        CHECK(checked.error().detail.find(inner) != std::string::npos);
        CHECK(checked.error().detail.find(form) != std::string::npos);
    }
    CHECK_FALSE(passes(guard, "::8.8.8.8"));         // deprecated, and outside global unicast
    CHECK_FALSE(passes(guard, "::ffff:0:8.8.8.8"));  // RFC 2765's translated form is no global unicast either
}

TEST_CASE("a zone does not get an address through") {
    auto zoned = boost::asio::ip::make_address_v6("fe80::1");
    zoned.scope_id(2);
    CHECK_FALSE(address_guard{}.check(zoned).has_value());
    CHECK(guard_with({"fe80::/10"}).check(zoned).has_value());
}

TEST_CASE("blocks that the configuration names are let through, and nothing beside them") {
    SECTION("IPv4, and its mapped form") {
        auto const guard = guard_with({"10.1.0.0/16", "127.0.0.1"});
        for (char const* text :
             {"10.1.0.0", "10.1.255.255", "127.0.0.1", "::ffff:10.1.2.3", "::ffff:127.0.0.1", "64:ff9b::10.1.2.3"}) {
            INFO(text);
            CHECK(passes(guard, text));
        }
        for (char const* text :
             {"10.0.255.255", "10.2.0.0", "127.0.0.2", "::ffff:10.2.0.1", "::1", "::10.1.2.3", "64:ff9b:1::10.1.2.3"}) {
            INFO(text);
            CHECK_FALSE(passes(guard, text));
        }
    }
    SECTION("a mapped block is the IPv4 block") {
        auto const guard = guard_with({"::ffff:10.0.0.0/104", "::ffff:192.168.1.1"});
        CHECK(passes(guard, "10.9.9.9"));
        CHECK(passes(guard, "::ffff:10.9.9.9"));
        CHECK(passes(guard, "192.168.1.1"));
        CHECK_FALSE(passes(guard, "192.168.1.2"));
        CHECK_FALSE(passes(guard, "11.0.0.1") == false);
    }
    SECTION("IPv6") {
        auto const guard = guard_with({"fd00::/8", "::1"});
        CHECK(passes(guard, "fd12::1"));
        CHECK(passes(guard, "fd00:ec2::254"));
        CHECK(passes(guard, "::1"));
        CHECK_FALSE(passes(guard, "fc00::1"));
        CHECK_FALSE(passes(guard, "127.0.0.1"));
    }
    SECTION("prefix lengths that are no multiple of eight") {
        auto const guard = guard_with({"172.16.0.0/12", "fe80::/10"});
        CHECK(passes(guard, "172.31.255.255"));
        CHECK(passes(guard, "febf::1"));
        CHECK_FALSE(passes(guard, "fec0::1"));
        CHECK_FALSE(passes(guard, "192.168.0.1"));
    }
    SECTION("everything") {
        auto const guard = guard_with({"0.0.0.0/0", "::/0"});
        for (char const* text : {"127.0.0.1", "255.255.255.255", "::ffff:0.0.0.0", "::1", "ff02::1", "2002:7f00:1::"}) {
            INFO(text);
            CHECK(passes(guard, text));
        }
    }
    SECTION("a block with host bits means the block around them") {
        CHECK(passes(guard_with({"10.1.2.3/8"}), "10.200.0.1"));
        CHECK(passes(guard_with({"fd00::1/8"}), "fdff::1"));
    }
}

TEST_CASE("allowing a translation prefix does not open the private addresses behind it") {
    auto const guard = guard_with({"64:ff9b:1::/48", "64:ff9b::/96", "2002::/16", "::/0"});
    CHECK(passes(guard, "64:ff9b:1::8.8.8.8"));
    CHECK(passes(guard, "64:ff9b:1:808:8:800::"));  // RFC 6052's /48 form of 8.8.8.8
    for (char const* text : {"64:ff9b:1::169.254.169.254", "64:ff9b:1:a9fe:a9:fe00::", "64:ff9b::127.0.0.1",
                             "2002:7f00:1::", "::127.0.0.1"}) {
        INFO(text);
        CHECK_FALSE(passes(guard, text));
    }
    SECTION("but naming what lies behind it does") {
        auto const named = guard_with({"64:ff9b:1::10.0.0.0/104", "64:ff9b::7f00:1", "2002:a00::/24", "::127.0.0.1"});
        CHECK(passes(named, "64:ff9b:1::10.9.9.9"));
        CHECK(passes(named, "64:ff9b::127.0.0.1"));
        CHECK(passes(named, "2002:a09:909::1"));
        CHECK(passes(named, "::127.0.0.1"));
        CHECK_FALSE(passes(named, "64:ff9b::127.0.0.2"));
        CHECK_FALSE(passes(named, "64:ff9b:1::11.0.0.1") == true);
    }
}

TEST_CASE("what is no address or block is a configuration error that quotes it") {
    for (char const* text : {"", "localhost", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8x",
                             "10.0.0.0/ 8", "10/8", "10.0.0/8", "fd00::/129", "fd00::/", "[::1]", "fe80::1%eth0",
                             "fe80::%1/64", "10.0.0.0/8/8", " 10.0.0.1", "0x7f.0.0.1", "10.0.0.0/999999999999"}) {
        INFO(text);
        auto const guard = address_guard::create({"127.0.0.1", text});
        REQUIRE_FALSE(guard.has_value());
        CHECK(guard.error().code == errc::configuration);
        CHECK(guard.error().detail.find('"' + std::string(text) + '"') != std::string::npos);
    }
    CHECK(address_guard::create({}).has_value());
}
