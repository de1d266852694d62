#include "jitproxy/control/address.hpp"

#include <sys/un.h>

#include "jitproxy/http/target.hpp"

namespace jitproxy::control {

std::string address::text() const {
    if (is_unix()) return "unix:" + path;
    auto const v6 = host.find(':') != std::string::npos;
    return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

result<address> parse_address(std::string_view text) {
    auto const refuse = [&](std::string_view why) {
        return make_error(errc::bad_argument, "control address \"" + std::string(text) + "\" " + std::string(why));
    };
    address out;
    auto rest = text;
    if (rest.starts_with("unix:")) rest.remove_prefix(5);
    if (rest.starts_with('/')) {
        if (rest.size() >= sizeof(sockaddr_un{}.sun_path)) return refuse("is too long for a Unix socket");
        out.path = rest;
        return out;
    }
    if (rest.size() != text.size()) return refuse("needs an absolute path");
    if (rest.starts_with("http://")) rest.remove_prefix(7);
    if (rest.ends_with('/')) rest.remove_suffix(1);
    auto const parsed = http::parse_authority(rest, 0);
    if (!parsed || !parsed->is_ip) return refuse("must be unix:/PATH or ADDRESS:PORT");
    out.host = parsed->host;
    out.port = parsed->port;
    return out;
}

}  // namespace jitproxy::control
