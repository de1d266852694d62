#include "jitproxy/policy/address_guard.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string>

namespace jitproxy::policy {
namespace {

namespace ip = boost::asio::ip;
using v4_bytes = ip::address_v4::bytes_type;
using v6_bytes = ip::address_v6::bytes_type;

struct block_v4 {
    v4_bytes prefix;
    unsigned length;
    char const* what;  // nullptr: globally reachable after all
};
struct block_v6 {
    v6_bytes prefix;
    unsigned length;
    char const* what;
};

// IANA IPv4 Special-Purpose Address Registry (RFC 6890), the more specific blocks first.
constexpr block_v4 special_v4[] = {
    {{169, 254, 169, 254}, 32, "link-local, a cloud metadata service"},
    {{255, 255, 255, 255}, 32, "limited broadcast"},
    {{0, 0, 0, 0}, 32, "unspecified"},
    {{192, 0, 0, 9}, 32, nullptr},   // Port Control Protocol anycast, RFC 7723
    {{192, 0, 0, 10}, 32, nullptr},  // TURN anycast, RFC 8155
    {{0, 0, 0, 0}, 8, "'this network'"},
    {{10, 0, 0, 0}, 8, "private"},
    {{100, 64, 0, 0}, 10, "shared (carrier-grade NAT)"},
    {{127, 0, 0, 0}, 8, "loopback"},
    {{169, 254, 0, 0}, 16, "link-local"},
    {{172, 16, 0, 0}, 12, "private"},
    {{192, 0, 0, 0}, 24, "reserved for IETF protocols"},
    {{192, 0, 2, 0}, 24, "documentation"},
    {{192, 88, 99, 0}, 24, "deprecated 6to4 relay anycast"},
    {{192, 168, 0, 0}, 16, "private"},
    {{198, 18, 0, 0}, 15, "benchmarking"},
    {{198, 51, 100, 0}, 24, "documentation"},
    {{203, 0, 113, 0}, 24, "documentation"},
    {{233, 252, 0, 0}, 24, "documentation (multicast)"},
    {{224, 0, 0, 0}, 4, "multicast"},
    {{240, 0, 0, 0}, 4, "reserved"},
};

// IANA IPv6 Special-Purpose Address Registry. Only 2000::/3 is global unicast (RFC 4291, and IANA's IPv6 address space
// registry): what lies outside it and is not named here is reserved. Forms that carry an IPv4 address are judged apart.
constexpr block_v6 special_v6[] = {
    {{0xfd, 0x00, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54}, 128, "unique-local, a cloud metadata service"},
    {{}, 128, "unspecified"},
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128, "loopback"},
    {{0x00, 0x64, 0xff, 0x9b}, 96, nullptr},  // NAT64's well-known prefix, RFC 6052
    {{0x00, 0x64, 0xff, 0x9b, 0, 1}, 48, "local-use NAT64"},
    {{0x01, 0x00}, 64, "discard-only"},
    {{0x20, 0x01, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128, nullptr},  // PCP anycast, RFC 7723
    {{0x20, 0x01, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}, 128, nullptr},  // TURN anycast, RFC 8155
    {{0x20, 0x01, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3}, 128, nullptr},  // DNS-SD SRP anycast, RFC 9665
    {{0x20, 0x01, 0, 0}, 32, nullptr},                                       // Teredo, RFC 4380
    {{0x20, 0x01, 0, 2}, 48, "benchmarking"},
    {{0x20, 0x01, 0, 3}, 32, nullptr},              // AMT, RFC 7450
    {{0x20, 0x01, 0, 4, 0x01, 0x12}, 48, nullptr},  // AS112, RFC 7535
    {{0x20, 0x01, 0, 0x20}, 28, nullptr},           // ORCHIDv2, RFC 7343
    {{0x20, 0x01, 0, 0x30}, 28, nullptr},           // drone remote identification, RFC 9374
    {{0x20, 0x01}, 23, "reserved for IETF protocols"},
    {{0x20, 0x01, 0x0d, 0xb8}, 32, "documentation"},
    {{0x3f, 0xff}, 20, "documentation"},
    {{0x20}, 3, nullptr},  // global unicast
    {{0xfc}, 7, "unique-local"},
    {{0xfe, 0x80}, 10, "link-local"},
    {{0xfe, 0xc0}, 10, "site-local"},
    {{0xff}, 8, "multicast"},
};

template <std::size_t N>
bool within(std::array<unsigned char, N> const& address, std::array<unsigned char, N> const& prefix, unsigned length) {
    unsigned const whole = length / 8;
    if (!std::equal(prefix.begin(), prefix.begin() + whole, address.begin())) return false;
    unsigned const rest = length % 8;
    return rest == 0 || ((address[whole] ^ prefix[whole]) >> (8 - rest)) == 0;
}

char const* class_of(v4_bytes const& address) {
    for (auto const& block : special_v4)
        if (within(address, block.prefix, block.length)) return block.what;
    return nullptr;
}

char const* class_of(v6_bytes const& address) {
    for (auto const& block : special_v6)
        if (within(address, block.prefix, block.length)) return block.what;
    return "reserved";
}

// An IPv4 address inside an IPv6 one, and how many bits lie in front of it.
struct embedded {
    v4_bytes address;
    unsigned prefix_length;
    char const* form;
};

v4_bytes octets(v6_bytes const& b, std::size_t at) {
    return {b[at], b[at + 1], b[at + 2], b[at + 3]};
}

bool zero_from(v6_bytes const& b, std::size_t at) {
    return std::all_of(b.begin() + static_cast<std::ptrdiff_t>(at), b.end(), [](unsigned char c) { return c == 0; });
}

// RFC 6052 2.2: the operator of a local NAT64 prefix picks the layout; its zero suffix tells which one it is.
embedded local_nat64(v6_bytes const& b) {
    if (zero_from(b, 11)) return {{b[6], b[7], b[9], b[10]}, 48, "local-use NAT64"};
    if (zero_from(b, 12)) return {{b[7], b[9], b[10], b[11]}, 56, "local-use NAT64"};
    if (zero_from(b, 13)) return {{b[9], b[10], b[11], b[12]}, 64, "local-use NAT64"};
    return {octets(b, 12), 96, "local-use NAT64"};
}

// Every IPv4 address that a packet to this one may be turned into.
std::vector<embedded> embedded_in(v6_bytes const& b) {
    if (within(b, {0x00, 0x64, 0xff, 0x9b}, 96)) return {{octets(b, 12), 96, "NAT64"}};
    if (within(b, {0x00, 0x64, 0xff, 0x9b, 0, 1}, 48)) return {local_nat64(b)};
    if (within(b, {0x20, 0x02}, 16)) return {{octets(b, 2), 16, "6to4"}};
    if (within(b, {0x20, 0x01, 0, 0}, 32)) {  // RFC 4380 4: the server, and the client with every bit inverted
        auto client = octets(b, 12);
        for (auto& octet : client) octet = static_cast<unsigned char>(~octet);
        return {{octets(b, 4), 32, "Teredo"}, {client, 96, "Teredo"}};
    }
    // RFC 4291 2.5.5.1, deprecated and outside global unicast: refused as reserved, named by what it carries.
    if (within(b, {}, 96) && b[12] != 0) return {{octets(b, 12), 96, "IPv4-compatible"}};
    return {};
}

error refusal(std::string const& address, std::string const& why, std::string const& mend) {
    return make_error(errc::address_denied, address + " is not dialled: it is " + why +
                                                "; where that is wanted, name it or its block (" + mend +
                                                ") under [egress] allow_addresses");
}

std::optional<unsigned> parse_prefix_length(std::string_view text, unsigned most) {
    unsigned length = 0;
    auto const [end, ec] = std::from_chars(text.data(), text.data() + text.size(), length);
    if (text.empty() || ec != std::errc{} || end != text.data() + text.size() || length > most) return std::nullopt;
    return length;
}

error bad_block(std::string const& text) {
    return make_error(errc::configuration, "[egress] allow_addresses: \"" + text +
                                               "\" is neither an address nor a CIDR block such as \"10.1.0.0/16\", "
                                               "\"127.0.0.1\" or \"fd00::/8\"");
}

}  // namespace

result<address_guard> address_guard::create(std::vector<std::string> const& allow_addresses) {
    address_guard guard;
    for (auto const& text : allow_addresses) {
        auto const slash = text.find('/');
        auto const host = text.substr(0, slash);
        if (host.find('%') != std::string::npos) return bad_block(text);  // a zone is no part of a block
        boost::system::error_code ec;
        auto const address = ip::make_address(host, ec);
        if (ec) return bad_block(text);
        unsigned const most = address.is_v4() ? 32 : 128;
        auto const length = slash == std::string::npos
                                ? std::optional{most}
                                : parse_prefix_length(std::string_view(text).substr(slash + 1), most);
        if (!length) return bad_block(text);
        if (address.is_v4()) {
            guard.allow_v4_.push_back(
                ip::network_v4(address.to_v4(), static_cast<unsigned short>(*length)).canonical());
        } else if (address.to_v6().is_v4_mapped() && *length >= 96) {  // one address, two spellings
            guard.allow_v4_.push_back(ip::network_v4(ip::make_address_v4(ip::v4_mapped, address.to_v6()),
                                                     static_cast<unsigned short>(*length - 96))
                                          .canonical());
        } else {
            guard.allow_v6_.push_back(
                ip::network_v6(address.to_v6(), static_cast<unsigned short>(*length)).canonical());
        }
    }
    return guard;
}

result<void> address_guard::check(ip::address const& address) const {
    auto const v4_allowed = [this](v4_bytes const& b) {
        return std::any_of(allow_v4_.begin(), allow_v4_.end(), [&](ip::network_v4 const& n) {
            return within(b, n.address().to_bytes(), n.prefix_length());
        });
    };
    if (address.is_v4() || address.to_v6().is_v4_mapped()) {  // the kernel dials a mapped address over IPv4
        auto const v4 = address.is_v4() ? address.to_v4() : ip::make_address_v4(ip::v4_mapped, address.to_v6());
        auto const* what = class_of(v4.to_bytes());
        if (what == nullptr || v4_allowed(v4.to_bytes())) return {};
        std::string why = what;
        if (!address.is_v4()) why += " (IPv4-mapped)";
        return refusal(address.to_string(), why, v4.to_string() + "/32");
    }
    auto const bytes = address.to_v6().to_bytes();
    // A block lets a carried IPv4 address through only where it reaches into it: allowing a whole NAT64 or 6to4 prefix
    // must not open what lies behind it.
    auto const v6_allowed = [&](unsigned longer_than) {
        return std::any_of(allow_v6_.begin(), allow_v6_.end(), [&](ip::network_v6 const& n) {
            return n.prefix_length() >= longer_than && within(bytes, n.address().to_bytes(), n.prefix_length());
        });
    };
    auto const plain = ip::address_v6(bytes).to_string();  // without a zone, as the configuration would name it
    for (auto const& inner : embedded_in(bytes)) {
        auto const* what = class_of(inner.address);
        if (what == nullptr || v4_allowed(inner.address) || v6_allowed(inner.prefix_length + 1)) continue;
        return refusal(
            plain,
            std::string(what) + " (" + ip::address_v4(inner.address).to_string() + " in " + inner.form + " form)",
            plain + "/128");
    }
    auto const* what = class_of(bytes);
    if (what == nullptr || v6_allowed(0)) return {};
    return refusal(plain, what, plain + "/128");
}

}  // namespace jitproxy::policy
