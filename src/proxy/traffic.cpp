#include "jitproxy/proxy/traffic.hpp"

namespace jitproxy::proxy {

namespace {

constexpr std::array<std::string_view, outcome_count> outcome_names{"served",  "granted", "denied",  "pending",
                                                                    "expired", "refused", "error",   "rejected",
                                                                    "failed",  "aborted", "tunneled"};
constexpr std::array<std::string_view, escalation_count> escalation_names{"granted", "reused",  "denied", "pending",
                                                                          "expired", "refused", "error",  "abandoned"};

}  // namespace

std::string_view to_string(outcome o) noexcept {
    return outcome_names[static_cast<std::size_t>(o)];
}

std::string_view to_string(escalation e) noexcept {
    return escalation_names[static_cast<std::size_t>(e)];
}

escalation result_of(jit::permission_outcome const& decided) noexcept {
    using enum jit::permission_status;
    switch (decided.status) {
        case granted:
            return decided.cached ? escalation::reused : escalation::granted;
        case denied:
            return escalation::denied;
        case pending:
            return escalation::pending;
        case expired:
            return escalation::expired;
        case refused:
            return escalation::refused;
        case error:
            break;
    }
    return escalation::error;
}

outcome outcome_of(jit::permission_status status) noexcept {
    using enum jit::permission_status;
    switch (status) {
        case granted:
            return outcome::granted;
        case denied:
            return outcome::denied;
        case pending:
            return outcome::pending;
        case expired:
            return outcome::expired;
        case refused:
            return outcome::refused;
        case error:
            break;
    }
    return outcome::error;
}

api_traffic& traffic::of(std::string_view api) {
    if (auto const found = apis_.find(api); found != apis_.end()) return *found->second;
    std::lock_guard const lock(mutex_);
    return *apis_.emplace(api, std::make_unique<api_traffic>(api)).first->second;
}

void traffic::escalated(escalation how, std::chrono::microseconds waited) noexcept {
    add(escalation_results_[static_cast<std::size_t>(how)]);
    if (how != escalation::reused) approval_wait_.observe(waited);  // nobody was asked: that would hide the waits
}

void traffic::add_to(counters& sum) const {
    sum.connections += connections;
    sum.open_connections += open;
    sum.users_denied += users_denied;
    sum.requests += requests;
    sum.tunnels += tunnels;
    sum.escalations += escalations;
    sum.bytes_up += up;
    sum.bytes_down += down;
    sum.upstream_connects += connects;
    sum.upstream_failures += connect_failures;
    sum.upstream_reuses += reuses;
    auto const idle = upstream_idle.load();
    auto const all = upstream_open.load();
    sum.upstream_idle += idle;
    sum.upstream_busy += all > idle ? all - idle : 0;
    for (std::size_t i = 0; i != errors_.size(); ++i) {
        auto const n = errors_[i].load();
        if (n == 0) continue;
        sum.error_codes[static_cast<errc>(i)] += n;
        sum.errors += n;
    }
    for (std::size_t i = 0; i != escalation_count; ++i) sum.escalation_results[i] += escalation_results_[i];
    approval_wait_.add_to(sum.approval_wait);
    std::lock_guard const lock(mutex_);
    for (auto const& [name, row] : apis_) {
        auto& of = sum.apis[name];
        for (std::size_t i = 0; i != outcome_count; ++i) of.requests[i] += row->requests[i];
        row->duration.add_to(of.duration);
    }
}

}  // namespace jitproxy::proxy
