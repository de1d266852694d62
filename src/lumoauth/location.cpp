#include "jitproxy/lumoauth/location.hpp"

#include <algorithm>

#include "jitproxy/base/encoding.hpp"

namespace jitproxy::lumoauth {
namespace {

struct absolute_url {
    http::scheme scheme;
    http::authority authority;
    std::string_view rest;  // path, query and fragment as received
};

// RFC 3986 3.1: a scheme is ALPHA *( ALPHA / DIGIT / "+" / "-" / "." ) and ends at the first colon.
bool has_scheme(std::string_view text) noexcept {
    auto const end = text.find_first_of(":/?#");
    return end != std::string_view::npos && end > 0 && text[end] == ':';
}

result<absolute_url> parse_absolute(std::string_view text) {
    auto const colon = text.find("://");
    if (colon == std::string_view::npos) return make_error(errc::bad_target, "no scheme");
    absolute_url url{};
    auto const scheme = text.substr(0, colon);
    if (iequals(scheme, "https")) {
        url.scheme = http::scheme::https;
    } else if (iequals(scheme, "http")) {
        url.scheme = http::scheme::http;
    } else {
        return make_error(errc::bad_target, "neither http nor https");
    }
    auto const rest = text.substr(colon + 3);
    auto const end = std::min(rest.find_first_of("/?#\\"), rest.size());
    auto authority = http::parse_authority(rest.substr(0, end), http::default_port(url.scheme));
    if (!authority) return authority.error();
    url.authority = std::move(*authority);
    url.rest = rest.substr(end);
    return url;
}

// What may stand in a request target: visible ASCII, nothing that ends the line or that some parsers turn into "/".
bool is_clean(std::string_view path) noexcept {
    return std::all_of(path.begin(), path.end(), [](char c) { return c > 0x20 && c < 0x7f && c != '\\'; });
}

error foreign(location const& where) {
    return make_error(errc::as_malformed, "the authorization server " + where.origin() +
                                              " names a URL that is not on its own origin; no token is sent there");
}

}  // namespace

bool is_loopback(http::authority const& a) noexcept {
    if (a.is_ip) return a.host == "::1" || a.host.starts_with("127.");
    return a.host == "localhost" || a.host.ends_with(".localhost");
}

result<location> parse_location(std::string_view url, std::string_view tenant, std::string_view org_id,
                                bool allow_plain_http) {
    auto parsed = parse_absolute(url);
    if (!parsed) {
        return make_error(errc::configuration, "the authorization server's url is not usable (" +
                                                   parsed.error().detail + "): it should read https://host[:port]");
    }
    if (parsed->rest.find_first_of("?#") != std::string_view::npos || !is_clean(parsed->rest)) {
        return make_error(errc::configuration, "the authorization server's url must have no query, fragment or blanks");
    }
    if (parsed->scheme == http::scheme::http && !allow_plain_http && !is_loopback(parsed->authority)) {
        return make_error(errc::configuration,
                          "the authorization server's url is plain http, which would show the "
                          "client secret to the network: use https");
    }
    if (tenant.empty() == org_id.empty()) {
        return make_error(errc::configuration, tenant.empty()
                                                   ? "neither tenant nor org_id is set: one of them is needed"
                                                   : "both tenant and org_id are set: only one may be");
    }
    auto const& id = tenant.empty() ? org_id : tenant;
    if (id == "." || id == "..") return make_error(errc::configuration, "tenant or org_id is not a name");
    location where;
    where.scheme = parsed->scheme;
    where.authority = parsed->authority;
    where.host_field = http::format_authority(where.authority, where.scheme);
    where.prefix = parsed->rest;
    while (where.prefix.ends_with('/')) where.prefix.pop_back();
    where.api_path = where.prefix + (tenant.empty() ? "/orgs/" : "/t/") + percent_encode(id) + "/api/v1";
    return where;
}

result<std::string> resolve_reference(location const& where, std::string_view reference) {
    auto text = reference.substr(0, reference.find('#'));  // RFC 9110 7.1: a fragment is never sent
    if (text.empty() || !is_clean(text)) {
        return make_error(errc::as_malformed,
                          "the authorization server " + where.origin() + " names a URL that is not one");
    }
    if (text.starts_with("//")) return foreign(where);  // RFC 3986 4.2: a network-path reference names another host
    if (has_scheme(text)) {
        auto url = parse_absolute(text);
        if (!url || url->scheme != where.scheme || url->authority != where.authority) return foreign(where);
        if (url->rest.starts_with('/')) return std::string{url->rest};
        return "/" + std::string{url->rest};
    }
    // The SDKs append it to the base URL, RFC 3986 would replace the base's path: the same where the base has none.
    // Where it has one, a reference that already starts with it is taken as it is.
    auto path = text.starts_with('/') ? std::string{text} : "/" + std::string{text};
    auto const has_prefix =
        path.starts_with(where.prefix) && (path.size() == where.prefix.size() || path[where.prefix.size()] == '/');
    return has_prefix ? path : where.prefix + path;
}

}  // namespace jitproxy::lumoauth
