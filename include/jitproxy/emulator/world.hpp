// Everything the handlers share.
#pragma once
#include <chrono>

#include "jitproxy/emulator/faults.hpp"
#include "jitproxy/emulator/options.hpp"
#include "jitproxy/emulator/rate_limit.hpp"
#include "jitproxy/emulator/recorder.hpp"
#include "jitproxy/emulator/task_store.hpp"
#include "jitproxy/emulator/token_store.hpp"
#include "jitproxy/emulator/variants.hpp"

namespace jitproxy::emulator {

struct world {
    explicit world(options o, wall_clock real_clock = std::chrono::system_clock::now);
    world(world const&) = delete;
    world& operator=(world const&) = delete;

    [[nodiscard]] wall_time now() const { return real_clock_() + ahead; }
    // Back to the state after start; variants and faults too.
    void reset();

    options opts;
    seconds ahead{0};  // how far the clock was moved
    token_store tokens;
    task_store tasks;
    variants forms;
    fault_list faults;
    recorder record;
    rate_limit token_rate;
    rate_limit jit_rate;
    std::uint64_t insatiable = 0;                               // how often /v1/insatiable was asked
    std::map<std::string, std::string, std::less<>> documents;  // id → text
    std::string ca_pem;                                         // of the TLS listeners

  private:
    wall_clock real_clock_;
    void seed();
};

}  // namespace jitproxy::emulator
