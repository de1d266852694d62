#include "jitproxy/jit/text.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace jitproxy::jit {

namespace {

// "api.example:8443" of "https://api.example:8443".
std::string_view host_of(std::string_view origin) {
    auto const at = origin.find("://");
    return at == std::string_view::npos ? origin : origin.substr(at + 3);
}

}  // namespace

std::string justification_of(permission_need const& need, std::string_view session_pattern) {
    auto own = one_line(need.justification, longest_justification);
    if (!own.empty()) return own;
    std::string_view pattern = need.api ? std::string_view(need.api->justification) : "{method} {url}";
    if (!session_pattern.empty()) pattern = session_pattern;
    std::array<std::pair<std::string_view, std::string_view>, 4> const values{{
        {"{method}", need.method},
        {"{url}", need.url},
        {"{host}", host_of(need.origin)},
        {"{api}", need.api ? std::string_view(need.api->name) : ""},
    }};
    // One pass: what is filled in is not looked into again.
    std::string text;
    for (std::size_t i = 0; i < pattern.size();) {
        auto const rest = pattern.substr(i);
        auto const hit =
            std::find_if(values.begin(), values.end(), [&](auto const& v) { return rest.starts_with(v.first); });
        if (hit == values.end()) {
            text.push_back(pattern[i++]);
            continue;
        }
        text.append(hit->second);
        i += hit->first.size();
    }
    return one_line(text, longest_justification);
}

permission_outcome outcome_of(error const& what, std::string request_id) {
    permission_outcome outcome;
    outcome.status = what.code == errc::permission_not_asked ? permission_status::refused : permission_status::error;
    outcome.request_id = std::move(request_id);
    outcome.reason = one_line(what.detail.empty() ? name_of(what.code) : std::string_view(what.detail), longest_reason);
    if (what.code == errc::as_down || what.code == errc::as_inactive) outcome.instead = what.code;
    constexpr int soon = 5;
    outcome.retry_after = what.retry_after > 0 ? what.retry_after : retry_may_help(what.code) ? soon : 0;
    return outcome;
}

}  // namespace jitproxy::jit
