// Who is at the other end of a control connection.
#pragma once
#include <map>
#include <string>

#include "jitproxy/jit/actor.hpp"

namespace jitproxy::control {

class peer_names {
  public:
    // Of a connected Unix socket, as the kernel noted it when the peer connected (SO_PEERCRED, unix(7)). Where it does
    // not say, a peer without a user: uid -1.
    [[nodiscard]] jit::actor peer_of(int socket);

  private:
    std::map<std::uint32_t, std::string> names_;  // of uids seen
};

}  // namespace jitproxy::control
