// WWW-Authenticate (RFC 9110 11.6.1), one challenge after the other. Private to this room.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace jitproxy::http::detail {

struct challenge {
    std::string_view scheme;
    std::vector<std::pair<std::string_view, std::string>> parameters;  // in order; values without quotes and escapes

    [[nodiscard]] bool is(std::string_view wanted) const noexcept;                // by scheme, case-insensitive
    [[nodiscard]] std::string const* find(std::string_view name) const noexcept;  // the first, case-insensitive
};

// The challenges of one field line. What cannot be read is skipped to the next comma.
[[nodiscard]] std::vector<challenge> parse_challenges(std::string_view value);

}  // namespace jitproxy::http::detail
