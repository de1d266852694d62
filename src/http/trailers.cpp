#include <algorithm>
#include <array>

#include "jitproxy/base/encoding.hpp"
#include "jitproxy/http/framing.hpp"

namespace jitproxy::http {
namespace {

// Besides "proxy-…", "if-…" and "sec-websocket-…".
constexpr std::array<std::string_view, 33> never{"age",
                                                 "authorization",
                                                 "cache-control",
                                                 "connection",
                                                 "content-encoding",
                                                 "content-length",
                                                 "content-range",
                                                 "content-type",
                                                 "cookie",
                                                 "date",
                                                 "expect",
                                                 "expires",
                                                 "host",
                                                 "insufficient-authorization-details",
                                                 "jit-justification",
                                                 "keep-alive",
                                                 "location",
                                                 "max-forwards",
                                                 "pragma",
                                                 "prefer",
                                                 "range",
                                                 "retry-after",
                                                 "set-cookie",
                                                 "te",
                                                 "trailer",
                                                 "transfer-encoding",
                                                 "upgrade",
                                                 "vary",
                                                 "via",
                                                 "warning",
                                                 "www-authenticate",
                                                 "authentication-info",
                                                 "set-cookie2"};

bool passes(std::string_view name) noexcept {
    for (std::string_view const prefix : {"proxy-", "if-", "sec-websocket-", "jit-"})
        if (name.size() >= prefix.size() && iequals(name.substr(0, prefix.size()), prefix)) return false;
    return std::none_of(never.begin(), never.end(), [name](std::string_view n) { return iequals(n, name); });
}

}  // namespace

void append_trailers(std::string& out, std::string_view received) {
    while (!received.empty()) {
        auto const end = received.find('\n');
        auto const line = received.substr(0, end == received.npos ? end : end + 1);
        received.remove_prefix(line.size());
        if (passes(line.substr(0, line.find(':')))) out.append(line);
    }
}

}  // namespace jitproxy::http
