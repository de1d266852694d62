#include "jitproxy/lumoauth/patience.hpp"

#include "jitproxy/base/log.hpp"
#include "jitproxy/lumoauth/trouble.hpp"

namespace jitproxy::lumoauth {
namespace {

constexpr unsigned service_unavailable = 503;
constexpr unsigned too_many_requests = 429;

bool closes_things(endpoint e) noexcept {
    return e == endpoint::complete || e == endpoint::revoke;
}

error not_now(errc code, std::string detail, seconds left) {
    return {code, std::move(detail) + " for " + std::to_string(left.count()) + " s", static_cast<int>(left.count())};
}

}  // namespace

bool is_trouble(errc code) noexcept {
    return code == errc::as_unreachable || code == errc::as_unclear || code == errc::as_malformed;
}

std::optional<error> patience::refuses(endpoint e, steady_time now) {
    if (auto const left = rates_.left(e, now))
        return not_now(errc::as_rate_limited, "the authorization server wants no " + std::string{name_of(e)}, *left);
    if (closes_things(e)) return std::nullopt;
    if (auto const left = circuit_.refuses(now))
        return not_now(errc::as_down, "the authorization server is down (" + last_failure_ + ") and is left alone",
                       *left);
    return std::nullopt;
}

void patience::heard(endpoint e, wire_answer const& answer, wall_time wall_now, steady_time now) {
    if (answer.status != too_many_requests && answer.status != service_unavailable) return;
    if (auto const wait = pause_wanted(answer, wall_now)) rates_.refused(e, *wait, now);
}

void patience::ended(std::optional<error> const& failed, steady_time now) {
    if (failed && blame_of(failed->code) != blame::authorization_server) return circuit_.undecided();  // was not asked
    bool const trouble = failed && is_trouble(failed->code);
    if (trouble) last_failure_ = failed->detail;
    // One that refuses answers: it is up.
    auto const change = trouble ? circuit_.failed(now, seconds{failed->retry_after}) : circuit_.succeeded();
    if (change == circuit::change::none) return;
    bool const down = change == circuit::change::opened;
    if (down)
        log::warning("the authorization server is down: it is left alone for a while", {{"error", last_failure_}});
    else
        log::info("the authorization server answers again");
    if (changed_) changed_(down, down ? last_failure_ : std::string{});
}

}  // namespace jitproxy::lumoauth
