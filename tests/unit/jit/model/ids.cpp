#include "ids.hpp"

#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <optional>
#include <random>

namespace jitproxy::jit::model {

namespace {

thread_local std::optional<std::mt19937_64> repeatable;

}  // namespace

repeatable_ids::repeatable_ids(std::uint64_t seed) {
    repeatable.emplace(seed);
}

repeatable_ids::~repeatable_ids() {
    repeatable.reset();
}

bool fill(void* buffer, std::size_t length) {
    if (!repeatable) return false;
    auto* const bytes = static_cast<unsigned char*>(buffer);
    for (std::size_t i = 0; i != length; ++i) bytes[i] = static_cast<unsigned char>((*repeatable)());
    return true;
}

}  // namespace jitproxy::jit::model

// The system's, but for the model.
extern "C" ssize_t getrandom(void* buffer, std::size_t length, unsigned flags) {
    if (jitproxy::jit::model::fill(buffer, length)) return static_cast<ssize_t>(length);
    return ::syscall(SYS_getrandom, buffer, length, flags);
}
