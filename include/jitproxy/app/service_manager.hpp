// systemd's side of a daemon, without libsystemd: sd_notify(3), sd_watchdog_enabled(3), sd_listen_fds(3).
#pragma once
#include <string_view>
#include <vector>

#include "jitproxy/base/clock.hpp"
#include "jitproxy/base/error.hpp"

namespace jitproxy::app {

// Nothing where $NOTIFY_SOCKET is not set.
void notify_service_manager(std::string_view state);
// "RELOADING=1" with the time it needs; "READY=1" follows when it is over.
void notify_reloading();
// WATCHDOG=1 is expected within this time, again and again; 0: it is not.
[[nodiscard]] milliseconds watchdog_time();

// The proxy's listening sockets that were passed ($LISTEN_FDS), at most 64; the caller owns them. Once: the variables
// are unset, so that no child takes them for its own. Errors: configuration (a FileDescriptorName= other than "proxy",
// or no listening TCP socket).
[[nodiscard]] result<std::vector<int>> take_passed_sockets();

}  // namespace jitproxy::app
