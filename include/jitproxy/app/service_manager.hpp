// systemd's side of a daemon, without libsystemd: sd_notify(3), sd_watchdog_enabled(3), sd_listen_fds(3).
#pragma once
#include <string>
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

// Listening sockets that were passed ($LISTEN_FDS), by their FileDescriptorName=. The caller owns them.
struct passed_socket {
    int descriptor = -1;
    std::string name;
};
// Takes them once: the variables are unset, so that no child takes them for its own. Errors: configuration (a name that
// is none of ours, or no listening TCP socket).
[[nodiscard]] result<std::vector<passed_socket>> take_passed_sockets();

}  // namespace jitproxy::app
