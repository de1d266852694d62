// Answers that the proxy makes itself: problem+json (RFC 9457) with Proxy-Status (RFC 9209).
#pragma once
#include <span>
#include <string>
#include <string_view>

#include "jitproxy/base/error.hpp"
#include "jitproxy/http/forward.hpp"

namespace jitproxy::http {

// The one table from an error to the wire.
struct error_mapping {
    unsigned status;                // HTTP status code
    std::string_view proxy_status;  // RFC 9209 2.3 error type
    std::string_view title;         // what went wrong in a few words: the detail of an error that has none
};
[[nodiscard]] error_mapping mapping_of(errc code) noexcept;
[[nodiscard]] std::string_view reason_phrase(unsigned status) noexcept;
// Seconds for Retry-After: what the error says, else 5 for a 503 that goes away by itself, else 0: none.
[[nodiscard]] int retry_after_of(error const& e) noexcept;

struct reply_options {
    bool head_only = false;                // HEAD: no body, but its length
    bool keep_alive = false;               // else "Connection: close"
    std::string_view date;                 // http_date(); empty: no Date
    std::span<extra_field const> extra{};  // of an error reply: further fields
};
// A whole answer. Adds Proxy-Authenticate: Basic realm="jitproxy" to a 407, and Retry-After (retry_after_of).
void write_error_reply(std::string& out, error const& e, reply_options const& options);
// The answer to an OPTIONS or TRACE whose Max-Forwards is 0: the proxy is its final recipient (RFC 9110 7.6.2). A TRACE
// gets the request back, without what may hold credentials (RFC 9110 9.3.8).
void write_final_recipient_reply(std::string& out, request_head const& head, reply_options const& options);
// The Proxy-Status value: `jitproxy; error=dns_timeout; details="…"`. For answers that came from upstream: error
// optional. Details are cut to 512 bytes; what is no printable ASCII becomes "?".
[[nodiscard]] std::string proxy_status_value(std::string_view error_type, std::string_view details);
// The problem+json document of an error (also used by the control API): type, title (the status's phrase, RFC 9457
// 4.2.1), status, detail, code (name_of), and retry_after where it is known. The detail is cut to 512 bytes.
[[nodiscard]] std::string problem_json(error const& e);

}  // namespace jitproxy::http
