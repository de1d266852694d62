// What one worker counts. Written by its thread alone and read by others, without a lock or a shared cache line on the
// way of a request.
#pragma once
#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "jitproxy/base/counting.hpp"
#include "jitproxy/jit/permission.hpp"
#include "jitproxy/jit/snapshot.hpp"
#include "jitproxy/proxy/counters.hpp"

namespace jitproxy::proxy {

// Of one API, or of what is for none.
struct alignas(64) api_traffic {
    explicit api_traffic(std::string_view api) : name(api) {}
    std::string const name;
    std::array<std::atomic<std::uint64_t>, outcome_count> requests{};
    histogram<request_bounds.size()> duration{request_bounds};
};

class alignas(64) traffic {
  public:
    traffic() : none_(of(no_api)) {}

    using counter = std::atomic<std::uint64_t>;
    counter connections{0}, open{0}, users_denied{0}, tunnels{0}, escalations{0}, up{0}, down{0};
    counter connects{0}, connect_failures{0}, reuses{0}, upstream_open{0}, upstream_idle{0};

    // The worker's thread. An API's row, made at its first use; it stays where it is for good. Names come from the
    // configuration only, so there are few.
    api_traffic& of(std::string_view api);
    api_traffic& of_none() noexcept { return none_; }
    void escalated(escalation how, std::chrono::microseconds waited) noexcept;
    void failed(errc code) noexcept { add(errors_[static_cast<std::size_t>(code)]); }

    void add_to(counters& sum) const;  // any thread

  private:
    std::array<counter, static_cast<std::size_t>(errc::internal) + 1> errors_{};
    std::array<counter, escalation_count> escalation_results_{};
    histogram<approval_bounds.size()> approval_wait_{approval_bounds};
    // Held where rows are added, and where other threads read them; the worker itself looks without.
    mutable std::mutex mutex_;
    std::unordered_map<std::string, std::unique_ptr<api_traffic>, jit::string_hash, std::equal_to<>> apis_;
    api_traffic& none_;
};

[[nodiscard]] escalation result_of(jit::permission_outcome const& decided) noexcept;
[[nodiscard]] outcome outcome_of(jit::permission_status status) noexcept;  // of a request whose answer is the API's 403

}  // namespace jitproxy::proxy
