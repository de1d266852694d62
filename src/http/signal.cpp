#include "jitproxy/http/signal.hpp"

#include <algorithm>
#include <optional>

#include "challenge.hpp"
#include "jitproxy/base/encoding.hpp"

namespace jitproxy::http {
namespace {

using detail::challenge;

constexpr std::size_t most_details = 8;
constexpr std::size_t most_depth = 16;
constexpr std::size_t most_reference = 1024;

constexpr std::string_view insufficient_details = "insufficient_authorization_details";  // LumoAuth, -00 to -04
constexpr std::string_view insufficient = "insufficient_authorization";                  // -05 and later

error bad(std::string what) {
    return make_error(errc::bad_response, "permission signal: " + std::move(what));
}

// The first Bearer challenge that `wanted` says yes to, over all field lines.
template <class Wanted>
std::optional<challenge> find_bearer(response_head const& head, Wanted const& wanted) {
    for (auto const& f : head.fields) {
        if (f.id != field_id::www_authenticate) continue;
        for (auto& c : detail::parse_challenges(f.value))
            if (c.is("Bearer") && wanted(c)) return std::move(c);
    }
    return std::nullopt;
}

std::optional<challenge> find_error(response_head const& head, std::string_view error_code) {
    return find_bearer(head, [error_code](challenge const& c) {
        auto const* value = c.find("error");
        return value != nullptr && *value == error_code;
    });
}

// JSON by its media type (also "…+json"), or not said.
bool may_be_json(response_head const& head) {
    auto const* const f = head.find(field_id::content_type);
    if (f == nullptr) return true;
    auto type = f->value.substr(0, f->value.find(';'));
    while (!type.empty() && type.back() == ' ') type.remove_suffix(1);
    constexpr std::string_view suffix = "+json";
    return iequals(type, "application/json") ||
           (type.size() > suffix.size() && iequals(type.substr(type.size() - suffix.size()), suffix));
}

// Where a dialect carries its details. One place decides for both functions.
enum class dialect : std::uint8_t {
    none,
    header,       // LumoAuth: Insufficient-Authorization-Details
    parameter,    // -00: authorization_details="…"
    body,         // -01 to -04, and LumoAuth's hint
    remediation,  // -05 and later: authorization_remediation=…
};
struct finding {
    dialect form = dialect::none;
    std::string encoded;  // base64 of JSON; not of body
};

finding find_dialect(response_head const& head) {
    if (head.status != 401 && head.status != 403) return {};
    if (head.status == 403) {
        if (auto const* f = head.find(field_id::insufficient_authorization_details))
            return {dialect::header, std::string{f->value}};
        if (auto const found = find_error(head, insufficient_details)) {
            if (auto const* value = found->find("authorization_details")) return {dialect::parameter, *value};
            return {may_be_json(head) ? dialect::body : dialect::none, {}};
        }
        return {};
    }
    if (auto const found = find_error(head, insufficient))
        if (auto const* value = found->find("authorization_remediation")) return {dialect::remediation, *value};
    return {};
}

// An object or an array of them, each of them an RFC 9396 object.
result<std::vector<json::object>> take_details(json::value&& value) {
    std::vector<json::object> details;
    if (value.is_object()) {
        details.push_back(std::move(value.get_object()));
    } else if (value.is_array()) {
        auto& elements = value.get_array();
        if (elements.size() > most_details)
            return bad("more than " + std::to_string(most_details) + " authorization details");
        for (auto& element : elements) {
            if (!element.is_object()) return bad("authorization details that are no object");
            details.push_back(std::move(element.get_object()));
        }
    } else {
        return bad("authorization details that are neither an object nor an array");
    }
    if (details.empty()) return bad("no authorization details");
    for (auto const& d : details) {
        auto const type = string_member(d, "type");
        if (!type || type->empty()) return bad("authorization details without a \"type\"");
    }
    return details;
}

result<json::value> parse(std::string_view text) {
    auto value = parse_json(text, errc::bad_response, {.bytes = max_signal_bytes, .depth = most_depth});
    if (!value) return bad(value.error().detail);
    return value;
}

result<json::value> decode(std::string_view encoded) {
    if (encoded.empty()) return bad("empty");
    if (encoded.size() / 4 * 3 > max_signal_bytes) return bad("too long");
    auto const text = decode_base64(encoded);
    if (!text) return bad("not base64");
    return parse(*text);
}

result<permission_signal> with_details(result<json::value>&& value, std::string reference = {}) {
    if (!value) return value.error();
    auto details = take_details(std::move(*value));
    if (!details) return details.error();
    return permission_signal{std::move(*details), std::move(reference)};
}

result<permission_signal> read_remediation(std::string_view encoded) {
    auto value = decode(encoded);
    if (!value) return value.error();
    if (!value->is_object()) return bad("authorization_remediation that is no object");
    auto& document = value->get_object();
    auto* details = document.if_contains("authorization_details");
    if (details == nullptr) return bad("authorization_remediation without authorization_details");
    auto reference = string_member(document, "authorization_reference").value_or("");
    if (reference.size() > most_reference) return bad("authorization_reference too long");
    return with_details(std::move(*details), std::move(reference));
}

result<permission_signal> read_body(response_head const& head, std::string_view body) {
    for (auto const& f : head.fields)
        if (iequals(f.name, "Content-Encoding") && !iequals(f.value, "identity")) return bad("the body is compressed");
    if (body.size() > max_signal_bytes) return bad("body too long");
    auto value = parse(body);
    if (!value) return value.error();
    if (!value->is_object()) return bad("body that is no object");
    for (auto name : {"authorization_details", "authorization_details_hint"})
        if (auto* details = value->get_object().if_contains(name)) return with_details(std::move(*details));
    return bad("neither header nor body names what is missing");
}

}  // namespace

signal_presence find_signal(response_head const& head) noexcept {
    if (head.status != 401 && head.status != 403) return signal_presence::none;
    switch (find_dialect(head).form) {
        case dialect::none:
            return signal_presence::none;
        case dialect::body:
            return signal_presence::in_body;
        default:
            return signal_presence::in_head;
    }
}

result<permission_signal> read_signal(response_head const& head, std::string_view body) {
    auto const found = find_dialect(head);
    switch (found.form) {
        case dialect::none:
            return bad("none in this answer");
        case dialect::header:
            if (head.count(field_id::insufficient_authorization_details) > 1)
                return bad("Insufficient-Authorization-Details more than once");
            return with_details(decode(found.encoded));
        case dialect::parameter:
            return with_details(decode(found.encoded));
        case dialect::remediation:
            return read_remediation(found.encoded);
        case dialect::body:
            return read_body(head, body);
    }
    return bad("none in this answer");
}

std::string bearer_error(response_head const& head) {
    auto const found = find_bearer(head, [](challenge const& c) { return c.find("error") != nullptr; });
    return found ? *found->find("error") : std::string{};
}

std::string challenge_parameter(std::string_view www_authenticate, std::string_view scheme, std::string_view name) {
    for (auto const& c : detail::parse_challenges(www_authenticate)) {
        if (!c.is(scheme)) continue;
        auto const* value = c.find(name);
        return value != nullptr ? *value : std::string{};
    }
    return {};
}

}  // namespace jitproxy::http
