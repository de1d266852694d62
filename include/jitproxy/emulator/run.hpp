// jitproxy-emulator as a whole: options, listeners, signals.
#pragma once

namespace jitproxy::emulator {

[[nodiscard]] int run(int argc, char const* const* argv);

}  // namespace jitproxy::emulator
