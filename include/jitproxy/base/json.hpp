// JSON at the edges: bounded parsing, tolerant member access, canonical form.
#pragma once
#include <boost/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "jitproxy/base/error.hpp"

namespace jitproxy {

namespace json = boost::json;

struct json_limits {
    std::size_t bytes = 256 * 1024;
    std::size_t depth = 32;
};

// Errors carry `code`, with what and at which byte in the detail (never the text itself: it may hold a secret).
[[nodiscard]] result<json::value> parse_json(std::string_view text, errc code, json_limits limits = {});
[[nodiscard]] result<json::object> parse_json_object(std::string_view text, errc code, json_limits limits = {});

// Members by name; nullopt where absent, null or of another type. Numbers also from integral doubles and digit strings.
[[nodiscard]] std::optional<std::string> string_member(json::object const& o, std::string_view name);
[[nodiscard]] std::optional<std::int64_t> int_member(json::object const& o, std::string_view name);

// RFC 8785 (JSON Canonicalization Scheme).
[[nodiscard]] std::string canonical_json(json::value const& v);

}  // namespace jitproxy
