#include "jitproxy/proxy/traffic.hpp"

namespace jitproxy::proxy {

namespace {

using namespace std::string_view_literals;

constexpr std::array outcome_names{"served"sv, "granted"sv,  "denied"sv, "pending"sv, "expired"sv, "refused"sv,
                                   "error"sv,  "rejected"sv, "failed"sv, "aborted"sv, "tunneled"sv};
static_assert(outcome_names.size() == outcome_count);
constexpr std::array escalation_names{"granted"sv, "reused"sv,  "denied"sv, "pending"sv,
                                      "expired"sv, "refused"sv, "error"sv,  "abandoned"sv};
static_assert(escalation_names.size() == escalation_count);

// What a permission's status makes of the asking, and of a request that ends with it.
struct ending {
    jit::permission_status status;
    escalation asking;
    outcome request;
};
constexpr std::array endings{
    ending{jit::permission_status::granted, escalation::granted, outcome::granted},
    ending{jit::permission_status::denied, escalation::denied, outcome::denied},
    ending{jit::permission_status::pending, escalation::pending, outcome::pending},
    ending{jit::permission_status::expired, escalation::expired, outcome::expired},
    ending{jit::permission_status::refused, escalation::refused, outcome::refused},
    ending{jit::permission_status::error, escalation::error, outcome::error},
};

constexpr ending const& ending_of(jit::permission_status status) noexcept {
    for (auto const& row : endings)
        if (row.status == status) return row;
    return endings.back();
}

}  // namespace

std::string_view to_string(outcome o) noexcept {
    return outcome_names[static_cast<std::size_t>(o)];
}

std::string_view to_string(escalation e) noexcept {
    return escalation_names[static_cast<std::size_t>(e)];
}

escalation result_of(jit::permission_outcome const& decided) noexcept {
    auto const asking = ending_of(decided.status).asking;
    return asking == escalation::granted && decided.cached ? escalation::reused : asking;
}

outcome outcome_of(jit::permission_status status) noexcept {
    return ending_of(status).request;
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
