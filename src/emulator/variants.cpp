#include "jitproxy/emulator/variants.hpp"

#include <algorithm>
#include <array>

namespace jitproxy::emulator {

namespace {

struct choice {
    std::string_view name;
    std::string_view values;  // separated by '|', the default first; "*": any text, default ""
};

constexpr std::array choices{
    choice{"status_url", "relative|absolute|absent|foreign"},
    choice{"token_url", "relative|absolute|absent|foreign"},
    choice{"foreign_origin", "*"},  // where foreign URLs point; http://foreign.invalid when empty
    choice{"token_answer", "full|short"},
    choice{"complete", "200|204"},
    choice{"complete_again", "400|404|409|200"},
    choice{"details", "object|array"},  // authorization_details in answers; the token answer is an array always
    choice{"token_details", "array|object"},
    choice{"task_status", "201|200"},
    choice{"request_status", "auto|200|201|202"},  // auto: 201 approved, 202 pending, 200 denied
    choice{"deny_field", "deny_reason|review_notes|none"},
    choice{"pending_list", "forbidden|pending_requests|requests|array"},  // what the agent gets
    choice{"error_body", "api|oauth|html|empty"},
    choice{"on_behalf_of", "allowed|forbidden"},
    choice{"second_exchange", "refused|same|new"},
    choice{"agent_object", "no|yes"},
    choice{"extra_members", "no|yes"},
    choice{"default_ttl", "300|600"},
    choice{"decision", "rules|approve|deny|pending"},
    choice{"status_retry_after", "absent|1|2|7"},
    choice{"content_type", "application/json|application/json; charset=utf-8|application/problem+json"},
    choice{"dialect",
           "lumoauth|lumoauth-array|base64url|nopad|ietf-00|ietf-01|ietf-03|ietf-05|ietf-05-token|disagree|"
           "broken"},
};

choice const* choice_named(std::string_view name) {
    auto const at = std::find_if(choices.begin(), choices.end(), [&](choice const& c) { return c.name == name; });
    return at == choices.end() ? nullptr : &*at;
}

bool allows(choice const& c, std::string_view value) {
    if (c.values == "*") return true;
    for (auto rest = c.values; !rest.empty();) {
        auto const end = rest.find('|');
        if (rest.substr(0, end) == value) return true;
        rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    }
    return false;
}

}  // namespace

std::string variants::set(json::object const& wanted) {
    auto next = values_;
    for (auto const& member : wanted) {
        auto const* c = choice_named(member.key());
        if (!c) return "no variant named " + std::string{member.key()};
        std::string value;
        if (member.value().is_string())
            value = member.value().get_string().c_str();
        else if (member.value().is_int64())
            value = std::to_string(member.value().get_int64());
        else
            return std::string{member.key()} + " must be a string";
        if (!allows(*c, value)) return std::string{member.key()} + " must be one of " + std::string{c->values};
        next[std::string{c->name}] = value;
    }
    values_ = std::move(next);
    return {};
}

std::string const& variants::get(std::string_view name) const {
    return values_.find(name)->second;
}

json::object variants::to_json() const {
    json::object o;
    for (auto const& [name, value] : values_) o.emplace(name, value);
    return o;
}

void variants::reset() {
    values_.clear();
    for (auto const& c : choices)
        values_.emplace(c.name, c.values == "*" ? std::string_view{} : c.values.substr(0, c.values.find('|')));
}

}  // namespace jitproxy::emulator
