// Who brought something about. For the audit trail: nothing is decided by it.
#pragma once
#include <cstdint>
#include <string>

#include "jitproxy/base/json.hpp"

namespace jitproxy::jit {

struct actor {
    enum class kind : std::uint8_t {
        daemon,                // the proxy itself: a timer, a restart, its end
        session,               // a request of the session's agent
        peer,                  // a process on this machine, as the kernel says (SO_PEERCRED)
        control_token,         // whoever holds the control token
        authorization_server,  // its rules, or a human there
    };
    kind who = kind::daemon;
    // Of a peer only: when it connected.
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::int32_t pid = 0;
    std::string user;  // name; empty: not known
};
// {"kind": "peer", "uid": …, "gid": …, "pid": …, "user": …}
[[nodiscard]] json::object to_json(actor const& a);

}  // namespace jitproxy::jit
