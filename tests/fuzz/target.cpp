// Request targets: what is accepted is in its one form, which reads as the same again; nothing in it can be taken for
// another host by who dials it. Input: a line "METHOD TARGET"; without a space it is a target of GET.
#include <arpa/inet.h>
#include <sys/socket.h>

#include <string>

#include "fuzz.hpp"
#include "jitproxy/http/target.hpp"

using namespace jitproxy;
using namespace jitproxy::http;
using fuzz::require;

namespace {

void check_host(std::string const& host, bool is_ip) {
    in6_addr v6{};
    in_addr v4{};
    bool const is_v6 = ::inet_pton(AF_INET6, host.c_str(), &v6) == 1;
    bool const is_v4 = ::inet_pton(AF_INET, host.c_str(), &v4) == 1;
    require(is_ip == (is_v6 || is_v4), "an address is known for one");
    if (is_v6) return require(host.find_first_not_of("0123456789abcdef:.") == host.npos, "plain lower case");
    // inet_aton reads what resolvers take for an address: 127.1, 0x7f000001, 017700000001.
    in_addr loose{};
    bool const numeric = ::inet_aton(host.c_str(), &loose) != 0;
    require(numeric == is_v4, "no name that a resolver takes for an address");
    if (is_v4) require(loose.s_addr == v4.s_addr, "one address, however it is read");
    require(!host.empty() && host.size() <= 253, "a length that a name can have");
    require(host.front() != '.' && host.back() != '.' && host.find("..") == host.npos, "no empty label");
    require(host.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_.") == host.npos, "characters of a host");
}

// However an IPv4 address was written, it is the one that would have been dialled.
void check_notation(std::string_view written, std::string const& host) {
    std::string text(written);
    if (text.ends_with('.')) text.pop_back();
    in_addr loose{};
    if (text.find('\0') != text.npos || ::inet_aton(text.c_str(), &loose) == 0) return;
    char dotted[INET_ADDRSTRLEN];
    require(::inet_ntop(AF_INET, &loose, dotted, sizeof dotted) != nullptr && host == dotted,
            "the address that the notation stands for");
}

void check_authority(authority const& a, scheme s) {
    check_host(a.host, a.is_ip);
    require(a.port != 0, "a port");
    auto const normal = normalise_host(a.host);
    require(normal && normal->host == a.host && normal->is_ip == a.is_ip, "a host's one form stays as it is");
    for (auto const form : {scheme::http, scheme::https}) {
        auto const again = parse_authority(format_authority(a, form), default_port(form));
        require(again && *again == a, "what is written reads as the same");
    }
    auto const origin = parse_request_target("GET", origin_of(s, a));
    require(origin && origin->form == target_form::absolute && origin->scheme == s && origin->authority == a &&
                origin->path == "/",
            "an origin is a target of its own");
}

}  // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    auto line = fuzz::view(data, size);
    if (line.ends_with('\n')) line.remove_suffix(1);
    auto const space = line.find(' ');
    auto const method = space == line.npos ? std::string_view{"GET"} : line.substr(0, space);
    fuzz::exact const copy{line.substr(space == line.npos ? 0 : space + 1)};
    auto const text = copy.view();

    auto const target = parse_request_target(method, text);
    if (!target) {
        require(target.error().code == errc::bad_target, "a target is refused as a bad target");
        return 0;
    }
    for (char const c : text)
        require(static_cast<unsigned char>(c) > 0x20 && c != 0x7F && c != '#', "no control character, no fragment");
    auto const path = target->path;
    switch (target->form) {
        case target_form::origin:
            require(method != "CONNECT" && path == text && path.starts_with('/'), "a path, as received");
            return 0;
        case target_form::asterisk:
            require(method == "OPTIONS" && path == "*", "\"*\" with OPTIONS only");
            return 0;
        case target_form::authority:
            require(method == "CONNECT" && path.empty(), "an authority with CONNECT only");
            require(text.find('@') == text.npos && text.find('/') == text.npos, "nothing but host and port");
            require(text.rfind(':') + 1 < text.size(), "the port is named");
            check_notation(text.substr(0, text.rfind(':')), target->authority.host);
            break;
        case target_form::absolute: {
            require(method != "CONNECT", "no URL with CONNECT");
            auto const from = text.find("//") + 2;
            auto const end = std::min(text.find_first_of("/?", from), text.size());
            auto const written = text.substr(from, end - from);
            require(written.find('@') == written.npos, "no user information");
            // Some readers take "\" for "/": then the host would end earlier.
            require(written.find('\\') == written.npos, "no host with a backslash");
            auto const rest = text.substr(end);
            if (rest.empty())
                require(path == (method == "OPTIONS" ? "*" : "/"), "the path that stands for none");
            else
                require(path == (rest.front() == '?' ? "/" + std::string(rest) : std::string(rest)),
                        "the path as received");
            if (!written.starts_with('[')) check_notation(written.substr(0, written.find(':')), target->authority.host);
            break;
        }
    }
    check_authority(target->authority, target->scheme);
    require(path.starts_with(without_query(path)) && without_query(path).find('?') == path.npos, "no query is left");
    // Copies keep a path that stands nowhere in the target.
    auto const copied = std::make_unique<request_target>(*target);
    require(copied->path == path, "a copy has the same path");
    return 0;
}
