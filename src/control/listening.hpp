// How the sockets of this room come to be, and who is let in.
#pragma once
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <memory>

#include "jitproxy/base/secret.hpp"
#include "jitproxy/control/address.hpp"

namespace jitproxy::control {

// Errors are values in this room: co_await gives them beside the result.
inline constexpr auto use_tuple = boost::asio::as_tuple(boost::asio::use_awaitable);

using any_acceptor = boost::asio::basic_socket_acceptor<boost::asio::generic::stream_protocol>;

// Listens on the address and answers with what it became (port 0: any). A Unix socket is for its owner alone from its
// first moment; one that was left behind is replaced, one that somebody answers on is not. TCP needs a token. Errors:
// configuration.
[[nodiscard]] result<address> listen_on(any_acceptor& acceptor, address const& where, secret_ptr const& token);

// The same for anybody who can reach the address; TCP only.
[[nodiscard]] result<address> listen_openly(any_acceptor& acceptor, address const& where);

// Serves each connection, until the acceptor is closed; those beyond `most` at a time are closed at once. `owner` is
// kept alive for as long as one of them is served.
using any_socket = boost::asio::generic::stream_protocol::socket;
using serve_function = std::function<boost::asio::awaitable<void>(any_socket)>;
void accept_all(any_acceptor& acceptor, std::size_t most, std::shared_ptr<void> owner, serve_function serve);

}  // namespace jitproxy::control
