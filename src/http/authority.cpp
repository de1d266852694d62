// Hosts and authorities in the form that policy compares and the dialler uses.
#include <arpa/inet.h>

#include <array>
#include <charconv>
#include <optional>

#include "jitproxy/base/encoding.hpp"
#include "jitproxy/http/target.hpp"

namespace jitproxy::http {
namespace {

error bad(std::string_view what) {
    return make_error(errc::bad_target, std::string{what});
}

bool is_digit(char c) noexcept {
    return c >= '0' && c <= '9';
}

// One part of an IPv4 address as inet_aton reads it: decimal, 0 octal, 0x hexadecimal.
std::optional<std::uint32_t> parse_ipv4_part(std::string_view text) noexcept {
    int base = 10;
    if (text.starts_with("0x")) {
        base = 16;
        text.remove_prefix(2);
    } else if (text.size() > 1 && text.front() == '0') {
        base = 8;
        text.remove_prefix(1);
    }
    std::uint32_t value = 0;
    auto const [end, status] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (status != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

// A name whose last label is a number can be no name (no such top-level domain exists): resolvers take it for an
// IPv4 address in one of inet_aton's notations, or fail.
bool ends_in_number(std::string_view host) noexcept {
    auto const dot = host.rfind('.');
    auto const last = dot == host.npos ? host : host.substr(dot + 1);
    if (last.empty()) return false;
    if (last.find_first_not_of("0123456789") == last.npos) return true;
    return last.starts_with("0x") && last.find_first_not_of("0123456789abcdef", 2) == last.npos;
}

std::optional<std::string> parse_ipv4(std::string_view host) {
    std::array<std::uint32_t, 4> parts{};
    std::size_t count = 0;
    for (bool more = true; more;) {
        auto const dot = host.find('.');
        more = dot != host.npos;
        auto const part = parse_ipv4_part(host.substr(0, dot));
        if (!part || count == 4) return std::nullopt;
        parts[count++] = *part;
        if (more) host.remove_prefix(dot + 1);
    }
    std::uint32_t address = 0;
    for (std::size_t i = 0; i + 1 < count; ++i) {
        if (parts[i] > 255) return std::nullopt;
        address |= parts[i] << (24 - 8 * i);
    }
    // The last part fills all the bytes that are left.
    std::uint64_t const room = std::uint64_t{1} << (8 * (5 - count));
    if (parts[count - 1] >= room) return std::nullopt;
    address |= parts[count - 1];
    std::string text;
    for (int shift = 24; shift >= 0; shift -= 8) {
        if (shift != 24) text += '.';
        text += std::to_string((address >> shift) & 255);
    }
    return text;
}

result<authority> parse_ipv6(std::string_view text) {
    if (text.find('%') != text.npos) return bad("an IPv6 address with a zone");
    std::string const terminated{text};
    in6_addr address{};
    if (text.find('\0') != text.npos || ::inet_pton(AF_INET6, terminated.c_str(), &address) != 1)
        return bad("not an IPv6 address");
    char canonical[INET6_ADDRSTRLEN];
    if (::inet_ntop(AF_INET6, &address, canonical, sizeof canonical) == nullptr) return bad("not an IPv6 address");
    return authority{canonical, 0, true};
}

result<std::uint16_t> parse_port(std::string_view text) {
    std::uint16_t port = 0;
    auto const [end, status] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (text.size() > 5 || status != std::errc{} || end != text.data() + text.size() || port == 0)
        return bad("bad port");
    return port;
}

}  // namespace

result<authority> normalise_host(std::string_view host) {
    if (host.starts_with('[') && host.ends_with(']')) return parse_ipv6(host.substr(1, host.size() - 2));
    if (host.find(':') != host.npos) return parse_ipv6(host);
    if (host.ends_with('.')) host.remove_suffix(1);  // fully qualified: the same host
    if (host.empty()) return bad("no host");
    if (host.size() > 253) return bad("host name of more than 253 characters");
    auto name = to_lower(host);
    std::size_t label = 0;
    for (char const c : name) {
        if (c == '.') {
            if (label == 0) return bad("host name with an empty label");
            label = 0;
            continue;
        }
        if (static_cast<unsigned char>(c) >= 0x80)
            return bad("host name that is not ASCII: send its A-label (\"xn--...\")");
        if (c == '%') return bad("percent-encoded host name");
        // Underscores are no part of host names, but of names in use.
        if (!is_digit(c) && !(c >= 'a' && c <= 'z') && c != '-' && c != '_') return bad("bad character in a host name");
        if (++label > 63) return bad("host name with a label of more than 63 characters");
    }
    if (label == 0) return bad("host name with an empty label");
    if (!ends_in_number(name)) return authority{std::move(name), 0, false};
    auto address = parse_ipv4(name);
    if (!address) return bad("host that ends in a number, but is no IPv4 address");
    return authority{std::move(*address), 0, true};
}

result<authority> parse_authority(std::string_view text, std::uint16_t fallback_port) {
    if (text.find('@') != text.npos) return bad("user information in an authority");
    std::string_view host = text;
    std::string_view rest;
    if (text.starts_with('[')) {
        auto const close = text.find(']');
        if (close == text.npos) return bad("bracket that is not closed");
        host = text.substr(0, close + 1);
        rest = text.substr(close + 1);
        if (!rest.empty() && rest.front() != ':') return bad("something behind an IPv6 address");
    } else if (auto const colon = text.find(':'); colon != text.npos) {
        host = text.substr(0, colon);
        rest = text.substr(colon);
        if (rest.find(':', 1) != rest.npos) return bad("more than one colon: an IPv6 address goes in brackets");
    }
    auto parsed = normalise_host(host);
    if (!parsed) return parsed;
    parsed->port = fallback_port;
    // "host:" stands for the scheme's port (RFC 3986 3.2.3).
    if (rest.size() > 1) {
        auto const port = parse_port(rest.substr(1));
        if (!port) return port.error();
        parsed->port = *port;
    }
    if (parsed->port == 0) return bad("no port");
    return parsed;
}

std::string format_authority(authority const& a, scheme s) {
    bool const brackets = a.host.find(':') != std::string::npos;
    std::string text;
    text.reserve(a.host.size() + 8);
    if (brackets) text += '[';
    text += a.host;
    if (brackets) text += ']';
    if (a.port != default_port(s)) text.append(1, ':').append(std::to_string(a.port));
    return text;
}

std::string origin_of(scheme s, authority const& a) {
    bool const brackets = a.host.find(':') != std::string::npos;
    std::string text;
    text.reserve(a.host.size() + 16);
    text.append(to_string(s)).append("://");
    if (brackets) text += '[';
    text += a.host;
    if (brackets) text += ']';
    text.append(1, ':').append(std::to_string(a.port));
    return text;
}

}  // namespace jitproxy::http
