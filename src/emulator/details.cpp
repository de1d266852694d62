#include "jitproxy/emulator/details.hpp"

#include <algorithm>
#include <array>

namespace jitproxy::emulator {

namespace {

// RFC 9396 2.2: common members that are arrays of strings.
constexpr std::array<std::string_view, 4> list_members{"actions", "locations", "datatypes", "privileges"};

bool is_list_member(std::string_view name) {
    return std::find(list_members.begin(), list_members.end(), name) != list_members.end();
}

bool contains_all(json::value const& granted, json::value const& needed) {
    if (!granted.is_array() || !needed.is_array()) return false;
    auto const& have = granted.get_array();
    auto const& want = needed.get_array();
    return std::all_of(want.begin(), want.end(),
                       [&](json::value const& v) { return std::find(have.begin(), have.end(), v) != have.end(); });
}

}  // namespace

std::string check_details(json::value const& value) {
    if (!value.is_object()) return "authorization_details must be one object";
    auto const& o = value.get_object();
    auto const* type = o.if_contains("type");
    if (!type || !type->is_string() || type->get_string().empty()) return "authorization_details needs a type";
    for (auto const name : list_members) {
        auto const* list = o.if_contains(name);
        if (!list) continue;
        bool const good = list->is_array() && std::all_of(list->get_array().begin(), list->get_array().end(),
                                                          [](json::value const& v) { return v.is_string(); });
        if (!good) return std::string{name} + " must be an array of strings";
    }
    if (auto const* id = o.if_contains("identifier"); id && !id->is_string()) return "identifier must be a string";
    return {};
}

bool covers(json::object const& granted, json::object const& needed) {
    return std::all_of(needed.begin(), needed.end(), [&](json::key_value_pair const& member) {
        auto const* have = granted.if_contains(member.key());
        if (!have) return false;
        return is_list_member(member.key()) ? contains_all(*have, member.value()) : *have == member.value();
    });
}

}  // namespace jitproxy::emulator
