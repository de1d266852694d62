#include "jitproxy/http/framing.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

#include "jitproxy/base/encoding.hpp"
#include "jitproxy/http/target.hpp"

namespace jitproxy::http {
namespace {

// The framing fields of either kind of message; nullptr where all is well.
struct framing_fields {
    bool chunked = false;
    bool has_length = false;
    std::uint64_t length = 0;
};

char const* read_fields(std::vector<field> const& fields, version v, framing_fields& out) noexcept {
    for (auto const& f : fields) {
        if (f.id == field_id::transfer_encoding) {
            // RFC 9112 6.1: HTTP/1.0 knows no transfer codings; what a 1.0 recipient before us made of it is unknown.
            if (v == version::http_1_0) return "Transfer-Encoding with HTTP/1.0";
            if (out.chunked) return "Transfer-Encoding more than once";
            if (!iequals(f.value, "chunked")) return "Transfer-Encoding other than chunked";
            out.chunked = true;
        } else if (f.id == field_id::content_length) {
            if (out.has_length) return "Content-Length more than once";
            auto const* const end = f.value.data() + f.value.size();
            auto const [stop, status] = std::from_chars(f.value.data(), end, out.length);
            // from_chars takes neither sign nor white space for an unsigned number.
            if (status == std::errc::result_out_of_range || out.length > std::numeric_limits<std::int64_t>::max())
                return "Content-Length too large";
            if (status != std::errc{} || stop != end) return "Content-Length that is no number";
            out.has_length = true;
        }
    }
    if (out.chunked && out.has_length) return "both Transfer-Encoding and Content-Length";
    return nullptr;
}

// Letters, digits, dots and hyphens need no closer look, unless the last label may be a number (0x7f is one): then the
// whole has to be an address. Anything else gets one.
bool is_plain_host(std::string_view host) noexcept {
    bool const letters = std::any_of(host.begin(), host.end(), [](char c) { return c >= 'a' && c <= 'z'; });
    if (!letters || host.size() > 63 || host.front() == '.' || host.find("..") != host.npos) return false;
    auto const plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-'; };
    auto const last = host.substr(host.rfind('.') + 1);
    return std::all_of(host.begin(), host.end(), plain) && !last.empty() &&
           !(last.front() >= '0' && last.front() <= '9');
}

char const* check_host(request_head const& head) {
    field const* host = nullptr;
    for (auto const& f : head.fields) {
        if (f.id != field_id::host) continue;
        if (host != nullptr) return "Host more than once";
        host = &f;
    }
    if (host == nullptr) return head.version == version::http_1_1 ? "no Host" : nullptr;
    // An empty Host is valid: it stands beside a target without an authority (RFC 9110 7.2).
    if (host->value.empty() || is_plain_host(host->value)) return nullptr;
    return parse_authority(host->value, 80).has_value() ? nullptr : "bad Host";
}

template <class Head>
bool connection_says(Head const& head, std::string_view option) noexcept {
    return std::any_of(head.fields.begin(), head.fields.end(), [option](field const& f) {
        return f.id == field_id::connection && list_contains(f.value, option);
    });
}

template <class Head>
bool wants_to_stay(Head const& head) noexcept {
    if (connection_says(head, "close")) return false;
    return head.version == version::http_1_1 || connection_says(head, "keep-alive");
}

bool status_without_body(unsigned status) noexcept {
    return status < 200 || status == 204 || status == 304;
}

}  // namespace

result<body_framing> request_framing(request_head const& head) {
    framing_fields fields;
    if (auto const* wrong = read_fields(head.fields, head.version, fields))
        return make_error(errc::ambiguous_framing, wrong);
    if (auto const* wrong = check_host(head)) return make_error(errc::malformed_request, wrong);
    if (head.method == "CONNECT" && (fields.chunked || fields.length > 0))
        return make_error(errc::ambiguous_framing, "CONNECT with a body");
    if (fields.chunked) return body_framing{body_kind::chunked, 0};
    if (fields.length > 0) return body_framing{body_kind::length, fields.length};
    return body_framing{};
}

result<body_framing> response_framing(response_head const& head, std::string_view method) {
    // RFC 9110 9.3.6: a client ignores both fields in a 2xx answer to CONNECT.
    if (method == "CONNECT" && head.status / 100 == 2) return body_framing{};
    framing_fields fields;
    if (auto const* wrong = read_fields(head.fields, head.version, fields))
        return make_error(errc::bad_response, wrong);
    if (fields.chunked && (head.status < 200 || head.status == 204))
        return make_error(errc::bad_response, "Transfer-Encoding in an answer without a body");
    if (method == "HEAD" || status_without_body(head.status)) return body_framing{};
    if (fields.chunked) return body_framing{body_kind::chunked, 0};
    if (!fields.has_length) return body_framing{body_kind::until_close, 0};
    if (fields.length > 0) return body_framing{body_kind::length, fields.length};
    return body_framing{};
}

bool keeps_alive(request_head const& head) noexcept {
    return wants_to_stay(head);
}

bool keeps_alive(response_head const& head, body_framing const& framing) noexcept {
    if (framing.kind == body_kind::until_close) return false;
    if (head.status < 200 || head.status == 204) {
        auto const* length = head.find(field_id::content_length);
        if (length != nullptr && length->value.find_first_not_of('0') != std::string_view::npos) return false;
    }
    return wants_to_stay(head);
}

}  // namespace jitproxy::http
