// While one of these lives, the process's random ids repeat: a sequence that is run again meets the same ids, and with
// them the same order in every map. The test program has its own getrandom(2) for it; the product has no such thing.
#pragma once
#include <cstdint>

namespace jitproxy::jit::model {

class repeatable_ids {
  public:
    explicit repeatable_ids(std::uint64_t seed);
    ~repeatable_ids();
    repeatable_ids(repeatable_ids const&) = delete;
    repeatable_ids& operator=(repeatable_ids const&) = delete;
};

}  // namespace jitproxy::jit::model
