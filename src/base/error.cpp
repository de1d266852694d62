#include "jitproxy/base/error.hpp"

#include <boost/throw_exception.hpp>
#include <iterator>
#include <ostream>

namespace jitproxy {
namespace {

struct entry {
    errc code;
    std::string_view name;
    blame whose;
    bool retry;
};

using enum blame;
constexpr entry table[] = {
    {errc::malformed_request, "malformed_request", client, false},
    {errc::ambiguous_framing, "ambiguous_framing", client, false},
    {errc::bad_target, "bad_target", client, false},
    {errc::target_too_long, "target_too_long", client, false},
    {errc::head_too_large, "head_too_large", client, false},
    {errc::body_too_large, "body_too_large", client, false},
    {errc::unsupported_version, "unsupported_version", client, false},
    {errc::unsupported_expectation, "unsupported_expectation", client, false},
    {errc::client_timeout, "client_timeout", client, true},
    {errc::client_gone, "client_gone", client, false},
    {errc::misdirected, "misdirected", client, false},
    {errc::loop, "loop", client, false},
    {errc::session_required, "session_required", client, false},
    {errc::session_unknown, "session_unknown", client, false},
    {errc::bad_argument, "bad_argument", client, false},
    {errc::not_found, "not_found", client, false},
    {errc::host_denied, "host_denied", policy, false},
    {errc::port_denied, "port_denied", policy, false},
    {errc::address_denied, "address_denied", policy, false},
    {errc::plain_http_denied, "plain_http_denied", policy, false},
    {errc::permission_not_asked, "permission_not_asked", policy, false},
    {errc::dns_timeout, "dns_timeout", upstream, true},
    {errc::dns_error, "dns_error", upstream, false},
    {errc::connection_refused, "connection_refused", upstream, true},
    {errc::connection_timeout, "connection_timeout", upstream, true},
    {errc::unreachable, "unreachable", upstream, true},
    {errc::connection_closed, "connection_closed", upstream, true},
    {errc::read_timeout, "read_timeout", upstream, true},
    {errc::response_timeout, "response_timeout", upstream, true},
    {errc::write_timeout, "write_timeout", upstream, true},
    {errc::tls_failed, "tls_failed", upstream, false},
    {errc::tls_bad_certificate, "tls_bad_certificate", upstream, false},
    {errc::bad_response, "bad_response", upstream, false},
    {errc::response_head_too_large, "response_head_too_large", upstream, false},
    {errc::as_unreachable, "as_unreachable", authorization_server, true},
    {errc::as_unclear, "as_unclear", authorization_server, true},
    {errc::as_down, "as_down", authorization_server, true},
    {errc::as_rate_limited, "as_rate_limited", authorization_server, true},
    {errc::as_unauthorized, "as_unauthorized", authorization_server, false},
    {errc::as_rejected, "as_rejected", authorization_server, false},
    {errc::as_malformed, "as_malformed", authorization_server, false},
    {errc::as_inactive, "as_inactive", authorization_server, false},
    {errc::configuration, "configuration", ours, false},
    {errc::limit_reached, "limit_reached", ours, true},
    {errc::shutting_down, "shutting_down", ours, true},
    {errc::storage, "storage", ours, false},
    {errc::in_use, "in_use", ours, false},
    {errc::internal, "internal", ours, false},
};

constexpr bool in_order() {
    std::size_t at = 0;
    for (auto const& e : table)
        if (static_cast<std::size_t>(e.code) != at++) return false;
    return at == static_cast<std::size_t>(errc::internal) + 1;
}
static_assert(in_order(), "one entry for each errc, in its order");

entry const& entry_of(errc code) noexcept {
    auto const at = static_cast<std::size_t>(code);
    return table[at < std::size(table) ? at : static_cast<std::size_t>(errc::internal)];
}

std::string text_of(error const& e) {
    std::string text{name_of(e.code)};
    if (!e.detail.empty()) text.append(": ").append(e.detail);
    return text;
}

}  // namespace

blame blame_of(errc code) noexcept {
    return entry_of(code).whose;
}

bool retry_may_help(errc code) noexcept {
    return entry_of(code).retry;
}

std::string_view name_of(errc code) noexcept {
    return entry_of(code).name;
}

std::ostream& operator<<(std::ostream& out, error const& e) {
    return out << text_of(e);
}

failure::failure(error const& e) : std::runtime_error(text_of(e)), code(e.code) {}

void throw_exception_from_error(error const& e, boost::source_location const& where) {
    boost::throw_exception(failure(e), where);
}

}  // namespace jitproxy
