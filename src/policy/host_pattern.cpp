#include "jitproxy/policy/rules.hpp"
#include "one_spelling.hpp"

namespace jitproxy::policy {
namespace {

error bad_pattern(std::string_view text, std::string_view why) {
    return make_error(errc::configuration, "\"" + std::string(text) + "\" is no host pattern: " + std::string(why) +
                                               "; write a host such as \"api.example.com\" or \"*.example.com\"");
}

}  // namespace

result<host_pattern> host_pattern::parse(std::string_view text) {
    host_pattern pattern;
    auto name = text;
    if (name.starts_with("*.")) {
        pattern.suffix_ = true;
        name.remove_prefix(2);
    }
    if (name.find('*') != std::string_view::npos)
        return bad_pattern(text, "\"*\" stands for whole labels at the beginning only");
    if (name.find('/') != std::string_view::npos) return bad_pattern(text, "it is a URL or has a path");
    auto const host = http::normalise_host(name);
    if (!host) {
        // The most common mistake: a port, which has its own key.
        if (auto const with_port = http::parse_authority(name, 0); with_port)
            return bad_pattern(text, "ports are listed under \"ports\"");
        return bad_pattern(text, host.error().detail);
    }
    if (pattern.suffix_ && host->is_ip) return bad_pattern(text, "an address has no names below it");
    pattern.name_ = one_spelling(host->host);
    return pattern;
}

bool host_pattern::matches(std::string_view normalised_host) const noexcept {
    if (!suffix_) return normalised_host == name_;
    return normalised_host.size() > name_.size() + 1 && normalised_host.ends_with(name_) &&
           normalised_host[normalised_host.size() - name_.size() - 1] == '.';
}

std::string host_pattern::text() const {
    return suffix_ ? "*." + name_ : name_;
}

}  // namespace jitproxy::policy
