#include "jitproxy/emulator/signal_writer.hpp"

#include <algorithm>
#include <array>

#include "jitproxy/base/encoding.hpp"
#include "jitproxy/base/id.hpp"

namespace jitproxy::emulator {

namespace {

struct dialect_name {
    std::string_view name;
    dialect form;
};
constexpr std::array dialect_names{
    dialect_name{"lumoauth", dialect::lumoauth},
    dialect_name{"lumoauth-array", dialect::lumoauth_array},
    dialect_name{"base64url", dialect::base64url},
    dialect_name{"nopad", dialect::nopad},
    dialect_name{"ietf-00", dialect::ietf_00},
    dialect_name{"ietf-01", dialect::ietf_01},
    dialect_name{"ietf-03", dialect::ietf_03},
    dialect_name{"ietf-05", dialect::ietf_05},
    dialect_name{"ietf-05-token", dialect::ietf_05_token},
    dialect_name{"disagree", dialect::disagree},
    dialect_name{"broken", dialect::broken},
};

constexpr std::string_view missing = "insufficient_authorization_details";
constexpr std::string_view description = "The token does not carry the permission that this request needs";

std::string url_safe(std::string padded) {
    std::replace(padded.begin(), padded.end(), '+', '-');
    std::replace(padded.begin(), padded.end(), '/', '_');
    return padded;
}

std::string unpadded(std::string padded) {
    padded.erase(padded.find_last_not_of('=') + 1);
    return padded;
}

reply refusal_with(unsigned status, std::string challenge, json::object body) {
    auto r = json_reply(status, body);
    r.fields.push_back({"WWW-Authenticate", std::move(challenge)});
    r.fields.push_back({"Cache-Control", "no-store"});
    return r;
}

reply write_ietf(json::object const& needed, dialect form) {
    json::array const list{needed};
    json::object body{{"error", missing}, {"error_description", description}};
    auto challenge = "Bearer error=\"" + std::string{missing} + "\"";
    switch (form) {
        case dialect::ietf_00:
            challenge += ", authorization_details=\"" + encode_base64url(json::serialize(list)) + "\"";
            return refusal_with(403, std::move(challenge), std::move(body));
        case dialect::ietf_01:
            body["authorization_details"] = list;
            return refusal_with(403, std::move(challenge), std::move(body));
        case dialect::ietf_03:
            body["authorization_details"] = list;
            body["authorization_hint"] = "ask for " + std::string{needed.at("type").as_string()};
            return refusal_with(403, std::move(challenge), std::move(body));
        default:
            break;
    }
    json::object const remediation{{"authorization_details", list}, {"authorization_reference", random_id("ref")}};
    auto const encoded = encode_base64url(json::serialize(remediation));
    auto const* quote = form == dialect::ietf_05 ? "\"" : "";
    body["error"] = "insufficient_authorization";
    return refusal_with(
        401, "Bearer error=\"insufficient_authorization\", authorization_remediation=" + (quote + encoded + quote),
        std::move(body));
}

}  // namespace

std::optional<dialect> dialect_named(std::string_view name) noexcept {
    auto const at =
        std::find_if(dialect_names.begin(), dialect_names.end(), [&](dialect_name const& d) { return d.name == name; });
    return at == dialect_names.end() ? std::nullopt : std::optional{at->form};
}

reply write_signal(json::object const& needed, dialect form) {
    auto const plain = encode_base64(json::serialize(needed));
    json::value hint = needed;
    std::string header;
    switch (form) {
        case dialect::lumoauth:
            header = plain;
            break;
        case dialect::lumoauth_array:
            hint = json::array{needed};
            header = encode_base64(json::serialize(hint));
            break;
        case dialect::base64url:
            header = url_safe(plain);
            break;
        case dialect::nopad:
            header = unpadded(plain);
            break;
        case dialect::disagree:
            hint = json::object{{"type", "something_else"}, {"actions", json::array{"admin"}}};
            header = plain;
            break;
        case dialect::broken:
            header = "%%% this is no base64 %%%";
            break;
        default:
            return write_ietf(needed, form);
    }
    auto r =
        refusal_with(403, "Bearer error=\"" + std::string{missing} + "\"",
                     {{"error", missing}, {"error_description", description}, {"authorization_details_hint", hint}});
    r.fields.push_back({"Insufficient-Authorization-Details", std::move(header)});
    return r;
}

}  // namespace jitproxy::emulator
