// Field names to ids: length and first letter leave at most two candidates, one comparison decides.
#include "jitproxy/base/encoding.hpp"
#include "jitproxy/http/head.hpp"

namespace jitproxy::http {

field_id identify_field(std::string_view name) noexcept {
    auto const when = [name](std::string_view full, field_id id) { return iequals(name, full) ? id : field_id::other; };
    if (name.empty()) return field_id::other;
    char const first = static_cast<char>(name[0] | 0x20);
    switch (name.size()) {
        case 2:
            return when("te", field_id::te);
        case 3:
            return when("via", field_id::via);
        case 4:
            return first == 'h' ? when("host", field_id::host) : when("date", field_id::date);
        case 6:
            return first == 'e' ? when("expect", field_id::expect) : when("prefer", field_id::prefer);
        case 7:
            return first == 'u' ? when("upgrade", field_id::upgrade) : when("trailer", field_id::trailer);
        case 8:
            return when("location", field_id::location);
        case 10:
            return first == 'c' ? when("connection", field_id::connection) : when("keep-alive", field_id::keep_alive);
        case 11:
            return when("retry-after", field_id::retry_after);
        case 12:
            if (first == 'c') return when("content-type", field_id::content_type);
            if (first == 'm') return when("max-forwards", field_id::max_forwards);
            return when("proxy-status", field_id::proxy_status);
        case 13:
            return when("authorization", field_id::authorization);
        case 14:
            return first == 'c' ? when("content-length", field_id::content_length)
                                : when("jit-request-id", field_id::jit_request_id);
        case 16:
            return first == 'p' ? when("proxy-connection", field_id::proxy_connection)
                                : when("www-authenticate", field_id::www_authenticate);
        case 17:
            return first == 't' ? when("transfer-encoding", field_id::transfer_encoding)
                                : when("jit-justification", field_id::jit_justification);
        case 18:
            return first == 'p' ? when("proxy-authenticate", field_id::proxy_authenticate)
                                : when("jit-request-status", field_id::jit_request_status);
        case 19:
            return when("proxy-authorization", field_id::proxy_authorization);
        case 34:
            return when("insufficient-authorization-details", field_id::insufficient_authorization_details);
        default:
            return field_id::other;
    }
}

}  // namespace jitproxy::http
