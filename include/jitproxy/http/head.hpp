// Message heads: strict parsing of RFC 9112 start lines and fields into views of the connection's read buffer.
// Nothing is forwarded that these functions have not accepted.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "jitproxy/base/error.hpp"

namespace jitproxy::http {

// Field names that the proxy acts on; everything else is `other`.
enum class field_id : std::uint8_t {
    other,
    host,
    connection,
    keep_alive,
    proxy_connection,
    proxy_authorization,
    proxy_authenticate,
    proxy_status,
    te,
    trailer,
    transfer_encoding,
    content_length,
    content_type,
    upgrade,
    via,
    expect,
    authorization,
    www_authenticate,
    location,
    date,
    max_forwards,
    prefer,
    retry_after,
    jit_justification,
    jit_request_id,
    jit_request_status,
    insufficient_authorization_details,
};
[[nodiscard]] field_id identify_field(std::string_view name) noexcept;  // case-insensitive

struct field {
    std::string_view name;
    std::string_view value;  // without surrounding white space
    field_id id = field_id::other;
};

enum class version : std::uint8_t { http_1_0, http_1_1 };

struct head_limits {
    std::size_t start_line = 8 * 1024;
    std::size_t bytes = 64 * 1024;
    std::size_t fields = 128;
};

// Views are valid while the bytes they were parsed from stay where they are.
struct request_head {
    std::string_view method;
    std::string_view target;
    http::version version = version::http_1_1;
    std::vector<field> fields;  // in order, duplicates kept

    [[nodiscard]] field const* find(field_id id) const noexcept;  // the first, or nullptr
    [[nodiscard]] std::size_t count(field_id id) const noexcept;
};

struct response_head {
    http::version version = version::http_1_1;
    unsigned status = 0;  // 100..999
    std::string_view reason;
    std::vector<field> fields;

    [[nodiscard]] field const* find(field_id id) const noexcept;
    [[nodiscard]] std::size_t count(field_id id) const noexcept;
};

// Offset just past the empty line that ends the head, or 0 where it is not there yet. `from`: how far an earlier
// call has looked (it backs up the few bytes it needs). Leading empty lines (RFC 9112 2.2) are the caller's to skip.
[[nodiscard]] std::size_t find_head_end(std::string_view bytes, std::size_t from) noexcept;

// The same for a head that arrives in pieces, however small they are: each byte is looked at once, but for the few that
// an end may lie across.
class head_search {
  public:
    // `bytes`: all of the head that has come so far. As find_head_end().
    [[nodiscard]] std::size_t find(std::string_view bytes) noexcept;
    void restart() noexcept { seen_ = 0; }                               // the next call looks at another head
    [[nodiscard]] std::size_t seen() const noexcept { return seen_; }    // bytes that hold no end
    [[nodiscard]] std::uint64_t work() const noexcept { return work_; }  // bytes looked at, in all calls together

  private:
    std::size_t seen_ = 0;
    std::uint64_t work_ = 0;
};

// `head` is exactly the head with its final CRLF CRLF. Refuses: bare CR or LF, NUL and other control characters,
// obs-fold, space before the colon, names and methods that are no tokens, versions but HTTP/1.0 and 1.1, too many
// fields. `out` is reused: its vector keeps its capacity. Errors: malformed_request, unsupported_version,
// target_too_long, head_too_large.
[[nodiscard]] result<void> parse_request_head(std::string_view head, head_limits const& limits, request_head& out);
// Errors: bad_response, response_head_too_large.
[[nodiscard]] result<void> parse_response_head(std::string_view head, head_limits const& limits, response_head& out);

// RFC 9110 5.6.2, 5.6.1: the members of a comma-separated list, quoted strings respected, empty members skipped.
template <class Visit>
void for_each_list_member(std::string_view value, Visit&& visit);
[[nodiscard]] bool list_contains(std::string_view value, std::string_view member) noexcept;  // case-insensitive tokens
[[nodiscard]] bool is_token(std::string_view text) noexcept;

// Cuts the next member off `rest`, trimmed; false at the end. What for_each_list_member is made of.
[[nodiscard]] bool next_list_member(std::string_view& rest, std::string_view& member) noexcept;

template <class Visit>
void for_each_list_member(std::string_view value, Visit&& visit) {
    std::string_view member;
    while (next_list_member(value, member)) visit(member);
}

}  // namespace jitproxy::http
