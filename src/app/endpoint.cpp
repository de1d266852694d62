#include "jitproxy/app/endpoint.hpp"

#include <arpa/inet.h>

#include <charconv>

namespace jitproxy::app {
namespace {

bool is_family(int family, std::string const& text) {
    unsigned char bytes[16];
    return inet_pton(family, text.c_str(), bytes) == 1;
}

}  // namespace

bool endpoint_text::loopback() const {
    return v6 ? address == "::1" : address.starts_with("127.");
}

std::string endpoint_text::text() const {
    return (v6 ? "[" + address + "]" : address) + ":" + std::to_string(port);
}

bool is_address(std::string_view text) {
    std::string const copy(text);
    return is_family(AF_INET, copy) || is_family(AF_INET6, copy);
}

std::optional<endpoint_text> parse_endpoint(std::string_view text) {
    auto const colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    auto host = text.substr(0, colon);
    auto const port_text = text.substr(colon + 1);
    endpoint_text out;
    auto const [end, failed] = std::from_chars(port_text.data(), port_text.data() + port_text.size(), out.port);
    if (failed != std::errc{} || end != port_text.data() + port_text.size()) return std::nullopt;
    out.v6 = host.starts_with('[');
    if (out.v6) {
        if (host.size() < 2 || !host.ends_with(']')) return std::nullopt;
        host = host.substr(1, host.size() - 2);
    }
    out.address = host;
    if (!is_family(out.v6 ? AF_INET6 : AF_INET, out.address)) return std::nullopt;
    return out;
}

}  // namespace jitproxy::app
