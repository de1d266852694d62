#include "jitproxy/lumoauth/trouble.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>

#include "jitproxy/base/encoding.hpp"
#include "jitproxy/base/json.hpp"
#include "jitproxy/base/one_line.hpp"

namespace jitproxy::lumoauth {
namespace {

constexpr seconds longest_wait{std::chrono::hours{24}};  // more than that is a mistake of the server's

constexpr seconds unsaid_wait{2};  // after a 429 that does not say how long

std::optional<std::int64_t> digits(std::string_view text) noexcept {
    std::int64_t n = 0;
    auto const [end, failed] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (failed != std::errc{} || end != text.data() + text.size() || n < 0) return std::nullopt;
    return n;
}

seconds until(wall_time then, wall_time now) noexcept {
    if (then <= now) return seconds{0};
    return std::min(std::chrono::ceil<seconds>(then - now), longest_wait);
}

bool contains(std::string_view text, std::string_view part) noexcept {
    return text.find(part) != std::string_view::npos;
}

void hide(std::string& text, std::string_view value) {
    if (value.size() < 4) return;  // would hide half the alphabet, and protects nothing
    for (auto at = text.find(value); at != std::string::npos; at = text.find(value, at)) {
        text.replace(at, value.size(), "[hidden]");
    }
}

bool concerns_task(endpoint e) noexcept {
    return e == endpoint::request || e == endpoint::status || e == endpoint::exchange || e == endpoint::complete ||
           e == endpoint::evaluate;
}

std::string_view phrase(unsigned status) noexcept {
    switch (status) {
        case 400:
            return " (bad request)";
        case 401:
            return " (unauthorized)";
        case 403:
            return " (forbidden)";
        case 404:
            return " (not found)";
        case 429:
            return " (too many requests)";
        default:
            return "";
    }
}

}  // namespace

std::optional<wall_time> parse_http_date(std::string_view text) {
    // Names of days say nothing that the rest does not, so they are only skipped.
    std::string const copy{text};
    char month[4] = {};
    int day = 0, year = 0, hour = 0, minute = 0, second = 0;
    int used = -1;
    auto const whole = [&] { return used >= 0 && static_cast<std::size_t>(used) == copy.size(); };
    bool ok = false;
    if (std::sscanf(copy.c_str(), "%*3[A-Za-z], %2d %3s %4d %2d:%2d:%2d GMT%n", &day, month, &year, &hour, &minute,
                    &second, &used) == 6 &&
        whole()) {
        ok = true;
    }
    if (!ok) used = -1;
    if (!ok &&
        std::sscanf(copy.c_str(), "%*9[A-Za-z], %2d-%3[A-Za-z]-%2d %2d:%2d:%2d GMT%n", &day, month, &year, &hour,
                    &minute, &second, &used) == 6 &&
        whole()) {
        year += year < 70 ? 2000 : 1900;
        ok = true;
    }
    if (!ok) used = -1;
    if (!ok &&
        std::sscanf(copy.c_str(), "%*3[A-Za-z] %3s %2d %2d:%2d:%2d %4d%n", month, &day, &hour, &minute, &second, &year,
                    &used) == 6 &&
        whole()) {
        ok = true;
    }
    if (!ok) return std::nullopt;
    constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    auto const* const m = std::find(months.begin(), months.end(), std::string_view{month});
    if (m == months.end()) return std::nullopt;
    std::chrono::year_month_day const date{std::chrono::year{year},
                                           std::chrono::month{static_cast<unsigned>(m - months.begin()) + 1},
                                           std::chrono::day{static_cast<unsigned>(day)}};
    if (!date.ok() || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) {
        return std::nullopt;
    }
    return std::chrono::sys_days{date} + std::chrono::hours{hour} + std::chrono::minutes{minute} + seconds{second};
}

std::optional<seconds> wait_wanted(wire_answer const& answer, wall_time now) {
    if (auto const n = digits(answer.retry_after)) return std::min(seconds{*n}, longest_wait);
    if (auto const date = parse_http_date(answer.retry_after)) return until(*date, now);
    if (answer.status != 429) return std::nullopt;  // on other answers it tells when the count starts anew
    if (auto const n = digits(answer.rate_limit_reset)) {
        // Some servers send the seconds that are left in place of an epoch: no epoch of today is that small.
        if (*n < 1'000'000'000) return std::min(seconds{*n}, longest_wait);
        if (*n > 100'000'000'000) return longest_wait;
        return until(wall_time{seconds{*n}}, now);
    }
    return std::nullopt;
}

std::optional<seconds> pause_wanted(wire_answer const& answer, wall_time now) {
    auto const said = wait_wanted(answer, now);
    if (said || answer.status != 429) return said;
    return unsaid_wait;
}

std::string message_of(wire_answer const& answer, answer_context const& context) {
    auto const body = parse_json_object(answer.body, errc::as_malformed);
    if (!body) return {};
    std::string text;
    // OAuth's shape first, then the API's, then RFC 9457, which its framework sends for faults of its own.
    auto const kind = string_member(*body, "error");
    if (kind) text = *kind;
    for (auto const* name : {"error_description", "message", "detail", "title"}) {
        if (auto const more = string_member(*body, name); more && !more->empty() && *more != text) {
            if (!text.empty()) text += ": ";
            text += *more;
            break;
        }
    }
    if (auto const code = string_member(*body, "code"); code && !code->empty() && code != kind) {
        text += text.empty() ? *code : " (" + *code + ")";
    }
    if (auto const details = string_member(*body, "details"); details && !details->empty()) text += "; " + *details;
    for (auto const& s : context.sent) {
        if (s) hide(text, s->reveal());
    }
    return one_line(text, longest_text);
}

bool says_inactive(std::string_view text, bool about_a_task) noexcept {
    for (auto const* word : {"inactive", "not active", "no longer active", "suspended"}) {
        if (contains(text, word)) return about_a_task || contains(text, "task");
    }
    if (!contains(text, "task")) return false;
    for (auto const* word :
         {"closed", "expired", "complete", "ended", "revoked", "cancelled", "not found", "unknown"}) {
        if (contains(text, word)) return true;
    }
    return false;
}

error trouble_of(wire_answer const& answer, answer_context const& context) {
    auto const status = answer.status;
    auto const message = message_of(answer, context);
    auto detail = "the authorization server answered " + std::to_string(status) + std::string{phrase(status)} + " to " +
                  std::string{name_of(context.endpoint)};
    if (!message.empty()) detail += ": " + message;
    error e{errc::as_malformed, std::move(detail), 0};
    if (status == 429 || status >= 500 || status == 408 || status == 425) {
        e.code = status == 429 ? errc::as_rate_limited : errc::as_unclear;
        if (auto const wait = pause_wanted(answer, context.now)) e.retry_after = static_cast<int>(wait->count());
    } else if (status >= 400) {
        auto const text = to_lower(message);
        auto const task_call = concerns_task(context.endpoint);
        auto const token_call = context.endpoint == endpoint::token || context.endpoint == endpoint::revoke;
        e.code = errc::as_rejected;
        // At the token endpoint there is no bearer that could be dead: a 401 means the client's credentials.
        if (status == 401) {
            if (!token_call) e.code = errc::as_unauthorized;
        } else if (!token_call && says_inactive(text, task_call && status == 400)) {
            e.code = errc::as_inactive;
        }
    } else if (status >= 300) {
        e.detail += "; redirects are not followed: check the authorization server's url";
    }
    return e;
}

}  // namespace jitproxy::lumoauth
