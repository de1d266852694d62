#include "jitproxy/http/target.hpp"

#include <algorithm>

#include "characters.hpp"
#include "jitproxy/base/encoding.hpp"

namespace jitproxy::http {
namespace {

error bad(char const* what) {
    return make_error(errc::bad_target, what);
}

result<request_target> parse_absolute(std::string_view method, std::string_view text) {
    request_target out;
    out.form = target_form::absolute;
    auto const colon = text.find(':');
    if (colon == text.npos) return bad("neither a path nor a URL");
    auto const name = text.substr(0, colon);
    if (iequals(name, "http"))
        out.scheme = scheme::http;
    else if (iequals(name, "https"))
        out.scheme = scheme::https;
    else
        return bad("URL of another scheme than http and https");
    text.remove_prefix(colon + 1);
    if (!text.starts_with("//")) return bad("URL without an authority");
    text.remove_prefix(2);

    auto const end = std::min(text.find_first_of("/?"), text.size());
    auto parsed = parse_authority(text.substr(0, end), default_port(out.scheme));
    if (!parsed) return parsed.error();
    out.authority = std::move(*parsed);
    out.path = text.substr(end);
    if (out.path.empty()) {
        out.path = method == "OPTIONS" ? "*" : "/";
    } else if (out.path.front() == '?') {
        out.rewritten = std::make_shared<std::string const>(std::string("/").append(out.path));
        out.path = *out.rewritten;
    }
    return out;
}

}  // namespace

std::string_view to_string(scheme s) noexcept {
    return s == scheme::https ? "https" : "http";
}

std::uint16_t default_port(scheme s) noexcept {
    return s == scheme::https ? 443 : 80;
}

result<request_target> parse_request_target(std::string_view method, std::string_view target) {
    for (char const c : target) {
        if (!detail::is(c, detail::target_char)) return bad("space or control character in the target");
        if (c == '#') return bad("fragment in the target");
    }
    if (method == "CONNECT") {
        auto parsed = parse_authority(target, 0);
        if (!parsed) return parsed.error();
        request_target out;
        out.form = target_form::authority;
        out.authority = std::move(*parsed);
        return out;
    }
    if (target.starts_with('/')) {
        request_target out;
        out.path = target;
        return out;
    }
    if (target == "*") {
        if (method != "OPTIONS") return bad("\"*\" with another method than OPTIONS");
        request_target out;
        out.form = target_form::asterisk;
        out.path = target;
        return out;
    }
    return parse_absolute(method, target);
}

std::string_view without_query(std::string_view path) noexcept {
    return path.substr(0, path.find('?'));
}

}  // namespace jitproxy::http
