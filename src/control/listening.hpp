// How the control API's socket comes to be.
#pragma once
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>

#include "jitproxy/base/secret.hpp"
#include "jitproxy/control/address.hpp"

namespace jitproxy::control {

using any_acceptor = boost::asio::basic_socket_acceptor<boost::asio::generic::stream_protocol>;

// Listens on the address and answers with what it became (port 0: any). A Unix socket is for its owner alone from its
// first moment; one that was left behind is replaced, one that somebody answers on is not. TCP needs a token. Errors:
// configuration.
[[nodiscard]] result<address> listen_on(any_acceptor& acceptor, address const& where, secret_ptr const& token);

// The same for anybody who can reach the address; TCP only.
[[nodiscard]] result<address> listen_openly(any_acceptor& acceptor, address const& where);

}  // namespace jitproxy::control
