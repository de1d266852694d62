// Bytes both ways, uninterpreted: CONNECT tunnels and upgraded connections.
#pragma once
#include "jitproxy/net/task.hpp"
#include "jitproxy/proxy/client_connection.hpp"

namespace jitproxy::proxy {

// Until both sides have ended, one has failed, or nothing moved for timeouts.tunnel_idle. Each side's end is passed on
// to the other (half-close). What the endpoints' buffers hold goes first.
[[nodiscard]] net::task<> run_tunnel(client_side client, net::endpoint& upstream);

}  // namespace jitproxy::proxy
