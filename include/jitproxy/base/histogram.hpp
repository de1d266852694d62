// Counts durations by size, as Prometheus' histograms do. Written by one thread, read by any, without a lock.
#pragma once
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "jitproxy/base/counting.hpp"

namespace jitproxy {

// What a histogram has seen so far, or the sum of several.
struct distribution {
    std::span<double const> bounds;     // seconds, rising; each is the largest that its bucket holds. Static storage.
    std::vector<std::uint64_t> counts;  // one a bound and one for what is larger than all; not cumulated
    std::uint64_t sum = 0;              // microseconds

    explicit distribution(std::span<double const> upper) : bounds(upper), counts(upper.size() + 1) {}
    [[nodiscard]] std::uint64_t total() const noexcept {
        std::uint64_t all = 0;
        for (auto const n : counts) all += n;
        return all;
    }
};

template <std::size_t N>
class histogram {
  public:
    // `bounds` as distribution has them.
    explicit histogram(std::array<double, N> const& bounds) : bounds_(bounds) {}

    // Only ever on one thread.
    void observe(std::chrono::microseconds duration) noexcept {
        auto const us = duration.count() > 0 ? static_cast<std::uint64_t>(duration.count()) : 0;
        auto const size = static_cast<double>(us) / 1e6;
        std::size_t bucket = 0;
        while (bucket != N && size > bounds_[bucket]) ++bucket;
        add(counts_[bucket]);
        add(sum_, us);
    }
    // `sum` has the same bounds.
    void add_to(distribution& sum) const {
        for (std::size_t i = 0; i != counts_.size(); ++i) sum.counts[i] += counts_[i].load(std::memory_order_relaxed);
        sum.sum += sum_.load(std::memory_order_relaxed);
    }

  private:
    std::array<double, N> const& bounds_;
    std::array<std::atomic<std::uint64_t>, N + 1> counts_{};
    std::atomic<std::uint64_t> sum_{0};
};

}  // namespace jitproxy
