#include "jitproxy/jit/text.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace jitproxy::jit {

namespace {

bool continues(char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

// "api.example:8443" of "https://api.example:8443".
std::string_view host_of(std::string_view origin) {
    auto const at = origin.find("://");
    return at == std::string_view::npos ? origin : origin.substr(at + 3);
}

}  // namespace

std::string one_line(std::string_view text, std::size_t longest) {
    if (text.size() > longest) {
        while (longest > 0 && continues(text[longest])) --longest;
        text = text.substr(0, longest);
    }
    std::string line(text);
    for (std::size_t i = 0; i < line.size(); ++i) {
        auto const c = static_cast<unsigned char>(line[i]);
        if (c < 0x20 || c == 0x7F) line[i] = ' ';
        // U+0080 to U+009F: two bytes, C2 80 to C2 9F.
        if (c == 0xC2 && i + 1 < line.size() && static_cast<unsigned char>(line[i + 1]) < 0xA0) line.replace(i, 2, " ");
    }
    auto const first = line.find_first_not_of(' ');
    if (first == std::string::npos) return {};
    return line.substr(first, line.find_last_not_of(' ') - first + 1);
}

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
