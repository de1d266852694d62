// Counters that one thread writes and any thread reads, without a lock.
#pragma once
#include <atomic>
#include <cstdint>

namespace jitproxy {

// Only ever on the thread that owns the counter: no locked instruction is needed then.
inline void add(std::atomic<std::uint64_t>& to, std::uint64_t n = 1) noexcept {
    to.store(to.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
}

}  // namespace jitproxy
