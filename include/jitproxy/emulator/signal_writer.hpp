// The 403 (or 401) that names what is missing, in each dialect of protocol.md, sections 3 and 6.
#pragma once
#include <optional>
#include <string_view>

#include "jitproxy/emulator/message.hpp"

namespace jitproxy::emulator {

enum class dialect : std::uint8_t {
    lumoauth,        // header with padded standard base64 of one object
    lumoauth_array,  // likewise of an array
    base64url,       // URL-safe alphabet, padded
    nopad,           // standard alphabet without padding
    ietf_00,         // 403, authorization_details parameter of WWW-Authenticate
    ietf_01,         // 403, authorization_details in the body
    ietf_03,         // likewise, with authorization_hint
    ietf_05,         // 401, authorization_remediation parameter, quoted
    ietf_05_token,   // likewise, not quoted
    disagree,        // lumoauth, but the body's hint names something else: the header wins
    broken,          // lumoauth's header with something that is no base64
};
[[nodiscard]] std::optional<dialect> dialect_named(std::string_view name) noexcept;  // "ietf-00" …

[[nodiscard]] reply write_signal(json::object const& needed, dialect form);

}  // namespace jitproxy::emulator
