// Makes a sequence that breaks an invariant as short and as simple as it gets.
#pragma once
#include <cstddef>
#include <functional>
#include <optional>
#include <string>

#include "commands.hpp"

namespace jitproxy::jit::model {

struct violation {
    std::string invariant;  // which; what is shrunk breaks the same
    std::string detail;
    std::size_t step = 0;  // after which command; beyond the last: when everything was closed
};
using trial = std::function<std::optional<violation>(sequence const&)>;

struct shrunk {
    sequence commands;
    violation found;
    std::size_t runs = 0;
};
// `failing` breaks what `found` says. Each pass removes chunks, then single commands, then makes parameters smaller,
// until nothing changes or `most_runs` are spent.
[[nodiscard]] shrunk shrink(sequence failing, violation found, trial const& run, std::size_t most_runs = 20'000);

// For a human: what is broken, and the call that shows it again.
[[nodiscard]] std::string report(std::uint64_t seed, std::size_t length, shrunk const& s);

}  // namespace jitproxy::jit::model
