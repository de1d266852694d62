// What an API may name in a permission signal. The signal is the API's own text: it is judged, never trusted.
#include <algorithm>
#include <optional>
#include <string>

#include "jitproxy/policy/rules.hpp"

namespace jitproxy::policy {
namespace {

error refused(std::string why) {
    return make_error(errc::permission_not_asked, std::move(why));
}

// What the API sent, fit for a message: bounded, and without bytes that could forge one.
std::string quoted(std::string_view text) {
    constexpr std::size_t most = 100;
    std::string out = "\"";
    for (char const c : text.substr(0, most)) out += c > 0x20 && c < 0x7f && c != '"' ? c : '?';
    if (text.size() > most) out += "...";
    return out + '"';
}

// RFC 3986 has no other bytes in a URI. Backslashes and spaces are what parsers disagree about.
bool is_uri_byte(char c) noexcept {
    return c > 0x20 && c < 0x7f && std::string_view("\"<>\\^`{|}").find(c) == std::string_view::npos;
}

// Is it an absolute URI with exactly this scheme, host and port?
bool lies_within(std::string_view location, std::string_view origin) {
    if (!std::all_of(location.begin(), location.end(), is_uri_byte)) return false;
    auto const target = http::parse_request_target("GET", location);
    return target && target->form == http::target_form::absolute &&
           http::origin_of(target->scheme, target->authority) == origin;
}

result<void> check_location(std::string_view location, std::string_view origin) {
    if (lies_within(location, origin)) return {};
    return refused("the API named the location " + quoted(location) + ", which is not a URI within its own origin " +
                   std::string(origin));
}

}  // namespace

result<void> may_ask(api const& a, std::string_view origin, json::object const& details) {
    auto const* type = details.if_contains("type");  // RFC 9396 2: required
    if (type == nullptr || !type->is_string() || type->get_string().empty())
        return refused("the API named authorization details without a type");
    std::string_view const type_name = type->get_string();
    if (!a.types.empty() && std::find(a.types.begin(), a.types.end(), type_name) == a.types.end())
        return refused("the type " + quoted(type_name) + " is not among the types of the API \"" + a.name +
                       "\"; where it may be asked for, add it to [[api]] types");

    auto const* locations = details.if_contains("locations");
    if (locations == nullptr || locations->is_null()) return {};  // null: how some encoders write an absent array
    if (locations->is_string()) return check_location(locations->get_string(), origin);
    if (!locations->is_array()) return refused("the API named locations that are no array of strings");
    for (auto const& location : locations->get_array()) {
        if (!location.is_string()) return refused("the API named a location that is no string");
        if (auto const checked = check_location(location.get_string(), origin); !checked) return checked;
    }
    return {};
}

}  // namespace jitproxy::policy
