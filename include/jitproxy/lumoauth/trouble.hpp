// What an answer that is no success means: status codes, both error shapes, rate limits (protocol.md section 2).
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "jitproxy/base/clock.hpp"
#include "jitproxy/base/error.hpp"
#include "jitproxy/lumoauth/wire.hpp"

namespace jitproxy::lumoauth {

// How long the server wants to be left alone: Retry-After in seconds or as a date (RFC 9110 10.2.3), else
// X-RateLimit-Reset in epoch seconds. nullopt where it did not say, 0 where the moment has passed.
[[nodiscard]] std::optional<seconds> wait_wanted(wire_answer const& answer, wall_time now);
// The same, but a 429 always wants a pause.
[[nodiscard]] std::optional<seconds> pause_wanted(wire_answer const& answer, wall_time now);
// The three date forms of RFC 9110 5.6.7.
[[nodiscard]] std::optional<wall_time> parse_http_date(std::string_view text);

// "error: description" from either error shape, in one line and bounded, with everything in `context.sent` hidden;
// empty where the body says nothing.
[[nodiscard]] std::string message_of(wire_answer const& answer, answer_context const& context);
constexpr std::size_t longest_text = 300;  // of the server's own words, in bytes

// Whether the text of an error (lower case) says that the task is closed, expired or suspended.
[[nodiscard]] bool says_inactive(std::string_view lower_text, bool about_a_task) noexcept;

// The error that an answer without success stands for.
[[nodiscard]] error trouble_of(wire_answer const& answer, answer_context const& context);

}  // namespace jitproxy::lumoauth
