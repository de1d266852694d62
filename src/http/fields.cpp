// Fields that the proxy itself reads or makes: Via, Date, Proxy-Authorization, Prefer.
#include <charconv>
#include <cstdio>

#include "characters.hpp"
#include "jitproxy/base/encoding.hpp"
#include "jitproxy/base/id.hpp"
#include "jitproxy/base/secret.hpp"
#include "jitproxy/http/forward.hpp"

namespace jitproxy::http {
namespace {

// Cuts the text up to the next white space off `rest`.
std::string_view next_word(std::string_view& rest) noexcept {
    auto const end = rest.find_first_of(" \t");
    auto const word = rest.substr(0, end);
    rest = end == rest.npos ? std::string_view{} : detail::trim(rest.substr(end));
    return word;
}

std::optional<std::uint32_t> parse_number(std::string_view digits) noexcept {
    std::uint32_t value = 0;
    auto const [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (status != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
    return value;
}

}  // namespace

std::string http_date(wall_time t) {
    using namespace std::chrono;
    static constexpr char const* days_of_week[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr char const* months_of_year[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    auto const whole = floor<std::chrono::seconds>(t);
    auto const day_start = floor<days>(whole);
    year_month_day const date{day_start};
    hh_mm_ss const time{whole - day_start};
    char text[64];
    std::snprintf(text, sizeof text, "%s, %02u %s %04d %02d:%02d:%02d GMT",
                  days_of_week[weekday{day_start}.c_encoding()], static_cast<unsigned>(date.day()),
                  months_of_year[static_cast<unsigned>(date.month()) - 1], static_cast<int>(date.year()),
                  static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                  static_cast<int>(time.seconds().count()));
    return text;
}

bool via_contains(request_head const& head, std::string_view pseudonym) noexcept {
    for (auto const& f : head.fields) {
        if (f.id != field_id::via) continue;
        std::string_view member;
        for (auto rest = f.value; next_list_member(rest, member);) {
            next_word(member);  // received-protocol
            if (iequals(next_word(member), pseudonym)) return true;
        }
    }
    return false;
}

std::string make_via_pseudonym() {
    return "jitproxy-" + random_id("").substr(1);
}

std::optional<basic_credentials> proxy_credentials(request_head const& head) {
    auto const* const f = head.find(field_id::proxy_authorization);
    // Twice could be read in two ways: the first, or the last.
    if (f == nullptr || head.count(field_id::proxy_authorization) > 1) return std::nullopt;
    auto rest = f->value;
    if (!iequals(next_word(rest), "basic")) return std::nullopt;
    auto decoded = decode_base64(rest);
    if (!decoded) return std::nullopt;
    std::optional<basic_credentials> credentials;
    if (auto const colon = decoded->find(':'); colon != std::string::npos)
        credentials = basic_credentials{decoded->substr(0, colon), decoded->substr(colon + 1)};
    wipe(*decoded);
    return credentials;
}

std::optional<std::uint32_t> max_forwards(request_head const& head) noexcept {
    if (head.method != "OPTIONS" && head.method != "TRACE") return std::nullopt;
    auto const* const f = head.find(field_id::max_forwards);
    return f == nullptr ? std::nullopt : parse_number(f->value);
}

bool accepts_trailers(request_head const& head) noexcept {
    if (head.version == version::http_1_0) return false;
    return std::any_of(head.fields.begin(), head.fields.end(), [](field const& f) {
        return f.id == field_id::te && list_contains(f.value, "trailers");  // with a parameter it is another member
    });
}

bool wants_upgrade(request_head const& head) noexcept {
    bool named = false;
    bool to_something = false;
    for (auto const& f : head.fields) {
        if (f.id == field_id::connection && list_contains(f.value, "upgrade")) named = true;
        if (f.id != field_id::upgrade) continue;
        if (list_contains(f.value, "h2c")) return false;
        to_something = true;
    }
    return named && to_something && head.version == version::http_1_1;
}

bool authenticates_connection(request_head const& head) noexcept {
    return std::any_of(head.fields.begin(), head.fields.end(), [](field const& f) {
        if (f.id != field_id::authorization) return false;
        auto rest = f.value;
        auto const scheme = next_word(rest);
        return iequals(scheme, "ntlm") || iequals(scheme, "negotiate") || iequals(scheme, "kerberos") ||
               iequals(scheme, "nego2");
    });
}

std::optional<std::uint32_t> prefer_wait(request_head const& head) noexcept {
    for (auto const& f : head.fields) {
        if (f.id != field_id::prefer) continue;
        std::string_view member;
        for (auto rest = f.value; next_list_member(rest, member);) {
            // RFC 7240 2: token [ BWS "=" BWS word ] and parameters behind ";", which "wait" has none of.
            auto const preference = member.substr(0, member.find(';'));
            auto const equals = preference.find('=');
            if (equals == preference.npos || !iequals(detail::trim(preference.substr(0, equals)), "wait")) continue;
            auto number = detail::trim(preference.substr(equals + 1));
            if (number.size() >= 2 && number.front() == '"' && number.back() == '"')
                number = number.substr(1, number.size() - 2);
            return parse_number(number);  // the first one counts (RFC 7240 2)
        }
    }
    return std::nullopt;
}

}  // namespace jitproxy::http
