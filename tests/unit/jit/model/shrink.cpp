#include "shrink.hpp"

#include <algorithm>
#include <utility>

namespace jitproxy::jit::model {

namespace {

class shrinker {
  public:
    shrinker(shrunk start, trial const& run, std::size_t most_runs)
        : best_(std::move(start)), run_(run), most_runs_(most_runs) {}

    shrunk finish() {
        // What comes after the breach has no part in it.
        if (best_.found.step + 1 < best_.commands.size()) {
            auto head = best_.commands;
            head.resize(best_.found.step + 1);
            (void)better(std::move(head));
        }
        for (bool changed = true; changed && left();) {
            changed = remove_chunks();
            changed = simplify() || changed;
        }
        return best_;
    }

  private:
    [[nodiscard]] bool left() const { return best_.runs < most_runs_; }

    bool better(sequence candidate) {
        if (!left()) return false;
        ++best_.runs;
        auto found = run_(candidate);
        if (!found || found->invariant != best_.found.invariant) return false;
        best_.commands = std::move(candidate);
        best_.found = std::move(*found);
        return true;
    }

    bool remove_chunks() {
        bool changed = false;
        for (auto size = std::max<std::size_t>(best_.commands.size() / 2, 1);; size /= 2) {
            // From the end: what happens later depends on what came before, seldom the other way round.
            for (auto end = best_.commands.size(); end > 0;) {
                auto const begin = end > size ? end - size : 0;
                if (better(without(best_.commands, begin, end))) changed = true;
                end = std::min(begin, best_.commands.size());
            }
            if (size <= 1) return changed;
        }
    }

    bool simplify() {
        bool changed = false;
        for (std::size_t i = 0; i < best_.commands.size(); ++i)
            for (auto const parameter : {&command::a, &command::b, &command::c})
                for (int value = 0; value < best_.commands[i].*parameter; ++value) {
                    auto candidate = best_.commands;
                    candidate[i].*parameter = value;
                    if (better(std::move(candidate))) {
                        changed = true;
                        break;
                    }
                }
        return changed;
    }

    shrunk best_;
    trial const& run_;
    std::size_t most_runs_;
};

}  // namespace

shrunk shrink(sequence failing, violation found, trial const& run, std::size_t most_runs) {
    return shrinker({std::move(failing), std::move(found), 0}, run, most_runs).finish();
}

std::string report(std::uint64_t seed, std::size_t length, shrunk const& s) {
    auto const where = s.found.step < s.commands.size() ? "after command " + std::to_string(s.found.step)
                                                        : std::string("when everything was closed");
    return "invariant: " + s.found.invariant + "\n" + s.found.detail + "\n" + where + ", seed " + std::to_string(seed) +
           ", " + std::to_string(s.commands.size()) + " of " + std::to_string(length) + " commands left after " +
           std::to_string(s.runs) + " runs:\n\n" + print(s.commands);
}

}  // namespace jitproxy::jit::model
