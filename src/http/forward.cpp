#include "jitproxy/http/forward.hpp"

#include <algorithm>
#include <charconv>

#include "characters.hpp"
#include "jitproxy/base/encoding.hpp"

namespace jitproxy::http {
namespace {

void append_field(std::string& out, std::string_view name, std::string_view value) {
    out.append(name).append(": ").append(value).append("\r\n");
}

void append_number(std::string& out, std::string_view name, std::uint64_t number) {
    char text[20];
    auto const* const end = std::to_chars(text, text + sizeof text, number).ptr;
    append_field(out, name, {text, static_cast<std::size_t>(end - text)});
}

void append_via(std::string& out, version received, std::string_view pseudonym) {
    out.append("Via: ").append(received == version::http_1_1 ? "1.1 " : "1.0 ").append(pseudonym).append("\r\n");
}

// Names that are for one connection only, whoever nominates them (RFC 9110 7.6.1, and what clients make of it).
bool is_hop_by_hop(field const& f) noexcept {
    switch (f.id) {
        case field_id::connection:
        case field_id::keep_alive:
        case field_id::proxy_connection:
        case field_id::proxy_authenticate:
        case field_id::proxy_authorization:
        case field_id::te:
        case field_id::transfer_encoding:
        case field_id::upgrade:
            return true;
        default:
            return false;
    }
}

// Fields that Connection cannot take away: without them the message would mean something else, and a sender could have
// an intermediary drop what its own checks rely on.
bool survives_nomination(field const& f) noexcept {
    switch (f.id) {
        case field_id::host:
        case field_id::content_length:
        case field_id::content_type:
        case field_id::authorization:
        case field_id::expect:
        case field_id::via:
            return true;
        default:
            return false;
    }
}

// What the Connection fields of a message say. Members are looked up again for each field, but only where there are
// members besides the usual ones: then nothing needs to be stored.
class connection_options {
  public:
    explicit connection_options(std::vector<field> const& fields) noexcept : fields_(fields) {
        std::string_view member;
        for (auto const& f : fields_) {
            if (f.id != field_id::connection) continue;
            for (auto rest = f.value; next_list_member(rest, member);)
                if (iequals(member, "close"))
                    closes_ = true;
                else if (identify_field(member) != field_id::keep_alive)
                    nominates_ = true;
        }
    }
    [[nodiscard]] bool remove(field const& f) const noexcept {
        if (!nominates_ && !(closes_ && iequals(f.name, "close"))) return false;
        if (survives_nomination(f)) return false;
        return std::any_of(fields_.begin(), fields_.end(), [&f](field const& c) {
            return c.id == field_id::connection && list_contains(c.value, f.name);
        });
    }

  private:
    std::vector<field> const& fields_;
    bool nominates_ = false;
    bool closes_ = false;  // a word for the connection, but no field should be called so: one that is goes too
};

bool is_proxy_field(std::string_view name) noexcept {
    constexpr std::string_view prefix = "proxy-";
    return name.size() > prefix.size() && iequals(name.substr(0, prefix.size()), prefix);
}

bool is_field_value(std::string_view text) noexcept {
    return std::all_of(text.begin(), text.end(), [](char c) { return detail::is(c, detail::value_char); });
}

bool is_zero(std::string_view digits) noexcept {
    return digits.find_first_not_of('0') == digits.npos;
}

// Bytes of all fields, for one reservation.
std::size_t size_of(std::vector<field> const& fields) noexcept {
    std::size_t size = 0;
    for (auto const& f : fields) size += f.name.size() + f.value.size() + 4;
    return size;
}

}  // namespace

void write_request_head(std::string& out, request_head const& head, outgoing_request const& options) {
    bool const keeps_own = options.keep_agent_authorization && head.find(field_id::authorization) != nullptr;
    // A bearer that cannot be sent must not let the agent's own credentials through in its place.
    bool const replace_authorization = !options.bearer.empty() && !keeps_own;
    connection_options const connection{head.fields};
    bool const takes_trailers = accepts_trailers(head);
    bool trailers = false;
    bool length_written = false;

    out.reserve(out.size() + head.method.size() + options.path.size() + options.host.size() + options.bearer.size() +
                options.via.size() + size_of(head.fields) + 160);
    out.append(head.method).append(1, ' ').append(options.path).append(" HTTP/1.1\r\n");
    append_field(out, "Host", options.host);
    for (auto const& f : head.fields) {
        switch (f.id) {
            case field_id::host:
            case field_id::jit_justification:
                continue;
            case field_id::content_length:
                if (options.framing.kind == body_kind::length && !length_written)
                    append_number(out, f.name, options.framing.length);
                else if (options.framing.kind == body_kind::none && !length_written && is_zero(f.value))
                    append_field(out, f.name, "0");
                length_written = true;
                continue;
            case field_id::authorization:
                if (replace_authorization) continue;
                break;
            case field_id::max_forwards:
                if (auto const left = max_forwards(head)) {
                    append_number(out, f.name, *left > 0 ? *left - 1 : 0);
                    continue;
                }
                break;
            case field_id::te:
                if (!trailers && takes_trailers && list_contains(f.value, "trailers")) {
                    append_field(out, f.name, "trailers");
                    trailers = true;
                }
                continue;
            case field_id::upgrade:
                if (options.upgrade) append_field(out, f.name, f.value);
                continue;
            case field_id::trailer:
                if (options.framing.kind != body_kind::chunked) continue;
                break;
            case field_id::expect:  // RFC 9110 10.1.1: not of HTTP/1.0
                if (head.version == version::http_1_0) continue;
                break;
            default:
                if (is_hop_by_hop(f) || is_proxy_field(f.name)) continue;
        }
        if (!connection.remove(f)) append_field(out, f.name, f.value);
    }
    if (options.framing.kind == body_kind::length && !length_written)
        append_number(out, "Content-Length", options.framing.length);
    if (options.framing.kind == body_kind::chunked) append_field(out, "Transfer-Encoding", "chunked");
    if (replace_authorization && is_field_value(options.bearer))
        out.append("Authorization: Bearer ").append(options.bearer).append("\r\n");
    if (!options.via.empty()) append_via(out, head.version, options.via);
    // RFC 9110 10.1.4 and 7.8: who sends TE or Upgrade names it in Connection.
    if (options.upgrade || trailers) {
        append_field(out, "Connection", !trailers ? "upgrade" : options.upgrade ? "upgrade, TE" : "TE");
    }
    out.append("\r\n");
}

void write_response_head(std::string& out, response_head const& head, outgoing_response const& options) {
    connection_options const connection{head.fields};
    bool const interim = head.status < 200;
    bool const upgrade = options.upgrade || head.status == 426;  // RFC 9110 15.5.22: a 426 says to what
    bool const no_length = interim || head.status == 204;        // RFC 9110 8.6
    bool length_written = false;
    bool upgrade_written = false;
    bool date_seen = false;
    std::size_t extra_size = 0;
    for (auto const& [name, value] : options.extra) extra_size += name.size() + value.size() + 4;

    out.reserve(out.size() + head.reason.size() + options.via.size() + size_of(head.fields) + extra_size + 160);
    char const status[] = {static_cast<char>('0' + head.status / 100), static_cast<char>('0' + head.status / 10 % 10),
                           static_cast<char>('0' + head.status % 10), ' '};
    out.append("HTTP/1.1 ").append(status, sizeof status).append(head.reason).append("\r\n");
    for (auto const& f : head.fields) {
        if (std::any_of(options.extra.begin(), options.extra.end(),
                        [&f](extra_field const& e) { return iequals(e.first, f.name); }))
            continue;
        if (f.id == field_id::content_length) {
            if (options.framing.kind == body_kind::length && !length_written)
                append_number(out, f.name, options.framing.length);
            else if (options.framing.kind == body_kind::none && !no_length && !length_written)
                append_field(out, f.name, f.value);
            length_written = true;
            continue;
        }
        if (f.id == field_id::upgrade && upgrade) {
            append_field(out, f.name, f.value);
            upgrade_written = true;
            continue;
        }
        if (f.id == field_id::trailer && !options.trailers) continue;
        if (is_hop_by_hop(f) || iequals(f.name, "Proxy-Authentication-Info") || connection.remove(f)) continue;
        if (f.id == field_id::date) date_seen = true;
        append_field(out, f.name, f.value);
    }
    if (options.framing.kind == body_kind::length && !length_written)
        append_number(out, "Content-Length", options.framing.length);
    if (options.framing.kind == body_kind::chunked) append_field(out, "Transfer-Encoding", "chunked");
    if (!options.via.empty()) append_via(out, head.version, options.via);
    if (!date_seen && !interim && !options.date.empty()) append_field(out, "Date", options.date);
    for (auto const& [name, value] : options.extra) append_field(out, name, value);

    bool const close = !interim && (!options.keep_alive || options.framing.kind == body_kind::until_close);
    if (upgrade_written)
        append_field(out, "Connection", close ? "close, upgrade" : "upgrade");
    else if (close)
        append_field(out, "Connection", "close");
    else if (!interim && options.client_version == version::http_1_0)
        append_field(out, "Connection", "keep-alive");
    out.append("\r\n");
}

}  // namespace jitproxy::http
