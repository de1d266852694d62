// Whose process is at the other end of a loopback connection: what the kernel's socket table says (sock_diag(7)).
#pragma once
#include <sys/types.h>

#include "jitproxy/base/error.hpp"

namespace jitproxy::net {

// The user id of the socket that `socket`, an accepted TCP connection, is connected to. One question to the kernel,
// answered at once; any thread. Errors: user_denied, with the reason (the other end is not on this machine, or has
// gone; the kernel cannot be asked).
[[nodiscard]] result<uid_t> owner_of_peer(int socket);

}  // namespace jitproxy::net
