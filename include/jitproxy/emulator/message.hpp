// HTTP messages as the emulator's handlers see them: whole, in memory, without a socket.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "jitproxy/base/json.hpp"

namespace jitproxy::emulator {

struct field {
    std::string name;  // as it was spelt
    std::string value;
};

using pairs = std::vector<std::pair<std::string, std::string>>;

struct request {
    std::string method;
    std::string target;  // as received
    std::string path;    // without query, still percent-encoded
    pairs query;         // decoded
    unsigned version = 11;
    std::vector<field> fields;  // in the order and spelling received
    std::string body;           // the first max_kept_body bytes of it
    std::uint64_t body_bytes = 0;
    std::string body_sha256;  // hex, of all of it
    bool expects_continue = false;
    bool has_body = false;  // framing announces one that is not empty

    std::string scheme = "http";  // of the listener
    std::uint64_t connection = 0;
    std::string sni;
    bool tls_resumed = false;

    // The first field of that name, or nullptr; and how many there are.
    [[nodiscard]] std::string const* header(std::string_view name) const noexcept;
    [[nodiscard]] std::size_t header_count(std::string_view name) const noexcept;
    [[nodiscard]] std::string query_value(std::string_view name) const;  // empty where absent
    [[nodiscard]] std::uint64_t query_number(std::string_view name, std::uint64_t otherwise) const;
    [[nodiscard]] std::string origin() const;  // scheme://Host in lower case; "" without exactly one Host
    // The media type of Content-Type in lower case without parameters; empty where absent.
    [[nodiscard]] std::string media_type() const;
};
inline constexpr std::size_t max_kept_body = 64UL * 1024 * 1024;

// Fills path and query from target; absolute-form is cut to its path.
void split_target(request& r);

// Server-sent events, one flush each.
struct event_stream {
    std::uint64_t count = 0;
    std::uint64_t interval_ms = 0;
};

enum class delivery : std::uint8_t {
    whole,      // as HTTP wants it
    reset,      // nothing is sent, the connection is reset
    truncated,  // half of the body that Content-Length announced, then close
    chunked,    // whole, in chunked framing
};

struct reply {
    unsigned status = 200;
    std::vector<field> fields;
    std::string body;
    std::optional<event_stream> events;  // instead of body
    delivery how = delivery::whole;
    std::optional<std::size_t> cut_at;  // truncated: after that many bytes of body
    std::uint64_t delay_ms = 0;         // waited before the first byte
    bool close = false;                 // the connection ends after this
};

[[nodiscard]] reply json_reply(unsigned status, json::value const& body);
// The OAuth shape: error, error_description (RFC 6749 5.2).
[[nodiscard]] reply oauth_error(unsigned status, std::string_view error, std::string_view description);
// The API's shape: error: true, message, status, code, details.
[[nodiscard]] reply api_error(unsigned status, std::string_view code, std::string_view message);

// application/x-www-form-urlencoded; nullopt where it is malformed or a name comes twice (RFC 6749 3.2).
[[nodiscard]] std::optional<pairs> parse_form(std::string_view text);
[[nodiscard]] std::string const* find(pairs const& p, std::string_view name) noexcept;

// Field values and targets may hold any byte; each becomes one code point (ISO 8859-1), so that JSON can hold it.
[[nodiscard]] std::string as_utf8(std::string_view bytes);
// Printable ASCII only, space included.
[[nodiscard]] bool is_printable(std::string_view text) noexcept;

// The bearer of the one Authorization field, or nullopt where there is none, several, or another scheme.
[[nodiscard]] std::optional<std::string> bearer_of(request const& r);

}  // namespace jitproxy::emulator
