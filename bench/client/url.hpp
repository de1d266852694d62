#pragma once

#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>

namespace bench {

struct url_parts {
    bool tls = false;
    std::string authority;  // host:port
    std::uint16_t port = 0;
    std::string path;
};

// Only what bench/run writes: scheme, host, port and path are all there.
inline std::optional<url_parts> parse_url(std::string const& url) {
    url_parts parts;
    parts.tls = url.starts_with("https://");
    if (!parts.tls && !url.starts_with("http://")) return std::nullopt;
    auto const begin = url.find("//") + 2;
    auto const path = url.find('/', begin);
    auto const colon = url.find(':', begin);
    if (path == std::string::npos || colon == std::string::npos || colon > path) return std::nullopt;
    parts.authority = url.substr(begin, path - begin);
    parts.port = static_cast<std::uint16_t>(std::atoi(url.c_str() + colon + 1));
    parts.path = url.substr(path);
    return parts;
}

}  // namespace bench
