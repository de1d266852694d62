#include "jitproxy/http/reply.hpp"

#include <iterator>

#include "jitproxy/base/encoding.hpp"
#include "jitproxy/base/json.hpp"

namespace jitproxy::http {
namespace {

constexpr std::size_t most_detail = 512;  // a detail may quote what a client or server sent

struct entry {
    errc code;
    error_mapping mapping;
};

// RFC 9209 2.3 names the types; where it recommends a status, that is the one here, but for what policy forbids: 403.
constexpr entry table[] = {
    {errc::malformed_request, {400, "http_request_error", "The request is not valid HTTP/1.1"}},
    {errc::ambiguous_framing, {400, "http_request_error", "The end of the request could be read in two ways"}},
    {errc::bad_target, {400, "http_request_error", "The request target cannot be used"}},
    {errc::target_too_long, {414, "http_request_error", "The request target is too long"}},
    {errc::head_too_large, {431, "http_request_error", "The request's header fields are too large"}},
    {errc::body_too_large, {413, "http_request_error", "The request's body is too large"}},
    {errc::unsupported_version, {505, "http_request_error", "HTTP/1.1 is spoken here"}},
    {errc::unsupported_expectation, {417, "http_request_error", "The expectation cannot be met"}},
    {errc::client_timeout, {408, "http_request_error", "The request took too long to arrive"}},
    {errc::client_gone, {400, "http_request_error", "The client closed its connection"}},
    {errc::misdirected, {421, "http_request_error", "The request names another host than its connection"}},
    {errc::loop, {502, "proxy_loop_detected", "The request came through this proxy before"}},
    {errc::session_required, {407, "http_request_denied", "A session is required"}},
    {errc::session_unknown, {407, "http_request_denied", "The session is not known, or closed"}},
    {errc::bad_argument, {400, "http_request_error", "An argument cannot be used"}},
    {errc::not_found, {404, "http_request_error", "There is no such thing here"}},
    {errc::host_denied, {403, "http_request_denied", "This host is not allowed"}},
    {errc::port_denied, {403, "http_request_denied", "This port is not allowed"}},
    {errc::address_denied, {403, "destination_ip_prohibited", "The host's address is not allowed"}},
    {errc::plain_http_denied, {403, "http_request_denied", "This API is not reached over plain HTTP"}},
    {errc::user_denied, {403, "http_request_denied", "This user may not use the proxy"}},
    {errc::permission_not_asked, {403, "http_request_denied", "This permission may not be asked for"}},
    {errc::dns_timeout, {504, "dns_timeout", "The name server did not answer"}},
    {errc::dns_error, {502, "dns_error", "The host's name could not be resolved"}},
    {errc::connection_refused, {502, "connection_refused", "The server refused the connection"}},
    {errc::connection_timeout, {504, "connection_timeout", "The server could not be connected to in time"}},
    {errc::unreachable, {502, "destination_ip_unroutable", "There is no route to the server"}},
    {errc::connection_closed, {502, "connection_terminated", "The server closed the connection too early"}},
    {errc::read_timeout, {504, "connection_read_timeout", "The server stopped sending"}},
    {errc::response_timeout, {504, "http_response_timeout", "The server did not answer in time"}},
    {errc::write_timeout, {504, "connection_write_timeout", "The server stopped reading"}},
    {errc::tls_failed, {502, "tls_protocol_error", "The TLS handshake with the server failed"}},
    {errc::tls_bad_certificate, {502, "tls_certificate_error", "The server's certificate could not be verified"}},
    {errc::bad_response, {502, "http_protocol_error", "The server's answer cannot be understood"}},
    {errc::response_head_too_large,
     {502, "http_response_header_section_size", "The answer's header fields are too large"}},
    {errc::as_unreachable, {503, "proxy_internal_error", "The authorization server cannot be reached"}},
    {errc::as_unclear, {503, "proxy_internal_error", "The authorization server gave no clear answer"}},
    {errc::as_down, {503, "proxy_internal_error", "The authorization server is down"}},
    {errc::as_rate_limited, {503, "proxy_internal_error", "The authorization server asks for patience"}},
    {errc::as_unauthorized, {502, "proxy_internal_error", "The authorization server refused the agent's token"}},
    {errc::as_rejected, {502, "proxy_internal_error", "The authorization server refused"}},
    {errc::as_malformed, {502, "proxy_internal_error", "The authorization server's answer cannot be understood"}},
    {errc::as_inactive, {403, "http_request_denied", "The session's task is not active any more"}},
    {errc::configuration, {503, "proxy_configuration_error", "The proxy's configuration cannot be used"}},
    {errc::limit_reached, {503, "connection_limit_reached", "The proxy is at one of its limits"}},
    {errc::shutting_down, {503, "proxy_internal_response", "The proxy or the session is closing"}},
    {errc::storage, {503, "proxy_internal_error", "The proxy's state cannot be written"}},
    {errc::in_use, {503, "proxy_internal_error", "The proxy's state belongs to another process"}},
    {errc::internal, {500, "proxy_internal_error", "A defect in the proxy"}},
};

constexpr bool in_order() {
    std::size_t at = 0;
    for (auto const& e : table)
        if (static_cast<std::size_t>(e.code) != at++) return false;
    return at == static_cast<std::size_t>(errc::internal) + 1;
}
static_assert(in_order(), "one entry for each errc, in its order");

void append_field(std::string& out, std::string_view name, std::string_view value) {
    out.append(name).append(": ").append(value).append("\r\n");
}

void begin(std::string& out, unsigned status, reply_options const& options) {
    out.append("HTTP/1.1 ").append(std::to_string(status)).append(1, ' ').append(reason_phrase(status)).append("\r\n");
    if (!options.date.empty()) append_field(out, "Date", options.date);
}

void finish(std::string& out, std::string_view content_type, std::string_view body, reply_options const& options) {
    if (!content_type.empty()) append_field(out, "Content-Type", content_type);
    append_field(out, "Content-Length", std::to_string(body.size()));
    // Said either way: a client of HTTP/1.0 takes silence for the other answer than one of 1.1.
    append_field(out, "Connection", options.keep_alive ? "keep-alive" : "close");
    out.append("\r\n");
    if (!options.head_only) out.append(body);
}

}  // namespace

error_mapping mapping_of(errc code) noexcept {
    auto const at = static_cast<std::size_t>(code);
    return table[at < std::size(table) ? at : static_cast<std::size_t>(errc::internal)].mapping;
}

int retry_after_of(error const& e) noexcept {
    constexpr int usual = 5;
    if (e.retry_after > 0) return e.retry_after;
    return mapping_of(e.code).status == 503 && retry_may_help(e.code) ? usual : 0;
}

std::string proxy_status_value(std::string_view error_type, std::string_view details) {
    std::string value = "jitproxy";
    if (!error_type.empty()) value.append("; error=").append(error_type);
    if (details.empty()) return value;
    // An sf-string holds printable ASCII only (RFC 8941 3.3.3).
    value.append("; details=\"");
    bool const cut = details.size() > most_detail;
    for (char const c : cut ? details.substr(0, most_detail - 3) : details) {
        if (c == '"' || c == '\\') value += '\\';
        value += c >= 0x20 && c < 0x7F ? c : '?';
    }
    return value.append(cut ? "...\"" : "\"");
}

std::string problem_json(error const& e) {
    auto const mapping = mapping_of(e.code);
    json::object document;
    document["type"] = "about:blank";
    document["title"] = reason_phrase(mapping.status);  // RFC 9457 4.2.1
    document["status"] = mapping.status;
    document["detail"] = e.detail.empty() ? std::string{mapping.title} : to_utf8(e.detail, most_detail);
    document["code"] = name_of(e.code);
    if (auto const wait = retry_after_of(e); wait > 0) document["retry_after"] = wait;
    return json::serialize(document);
}

void write_error_reply(std::string& out, error const& e, reply_options const& options) {
    auto const mapping = mapping_of(e.code);
    begin(out, mapping.status, options);
    append_field(out, "Cache-Control", "no-store");
    append_field(out, "Proxy-Status",
                 proxy_status_value(mapping.proxy_status, e.detail.empty() ? mapping.title : e.detail));
    if (mapping.status == 407) append_field(out, "Proxy-Authenticate", "Basic realm=\"jitproxy\"");
    if (auto const wait = retry_after_of(e); wait > 0) append_field(out, "Retry-After", std::to_string(wait));
    for (auto const& [name, value] : options.extra) append_field(out, name, value);
    finish(out, "application/problem+json", problem_json(e), options);
}

void write_final_recipient_reply(std::string& out, request_head const& head, reply_options const& options) {
    begin(out, 200, options);
    if (head.method != "TRACE") return finish(out, {}, {}, options);
    std::string request;
    request.append(head.method).append(1, ' ').append(head.target);
    request.append(head.version == version::http_1_1 ? " HTTP/1.1\r\n" : " HTTP/1.0\r\n");
    for (auto const& f : head.fields) {
        bool const secret = f.id == field_id::authorization || f.id == field_id::proxy_authorization ||
                            iequals(f.name, "Cookie");  // RFC 9110 9.3.8
        if (!secret) append_field(request, f.name, f.value);
    }
    finish(out, "message/http", request + "\r\n", options);
}

}  // namespace jitproxy::http
