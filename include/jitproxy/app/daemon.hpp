// A daemon's life around a composition: limits of the process, signals, the end.
#pragma once
#include <filesystem>
#include <functional>
#include <string>

#include "jitproxy/app/commands.hpp"
#include "jitproxy/app/composition.hpp"

namespace jitproxy::app {

struct daemon_options {
    composition_options parts;
    // Configuration to go on with at SIGHUP; null: there is no reload.
    std::function<loaded_config()> reload;
    // Called once everything listens.
    std::function<void(std::vector<control::listener_info> const&)> ready;
    int lifeline = -1;  // a descriptor whose end of file means: stop
};
// Runs until a signal or the lifeline's end, then closes every session. Exit code: 0, also where a completion is left
// to the journal; `unconfirmed` in place of it where that matters to the caller. Throws failure.
int run_daemon(config const& c, std::vector<agent> const& agents, daemon_options options, int unconfirmed = exit_done);

// No core dumps (they would hold tokens), no /proc/PID/environ for others of the same user.
void forbid_dumps();
void raise_limits();  // as many descriptors as the hard limit allows

}  // namespace jitproxy::app
