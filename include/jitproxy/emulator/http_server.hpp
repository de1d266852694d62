// HTTP/1.1 listeners on Asio and Beast: sockets on one side, a service on the other.
#pragma once
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <string>

#include "jitproxy/emulator/handlers.hpp"

namespace jitproxy::emulator {

// Binds, listens and serves until the io_context stops; with `tls` in TLS. Returns the URL with the real port.
// The service and the context must outlive the io_context. `flag`: what the address was given with. Throws
// std::runtime_error when binding fails, with the address and the flag.
[[nodiscard]] std::string listen(boost::asio::io_context& io, endpoint_address const& where, char const* flag,
                                 service& to, boost::asio::ssl::context* tls, bool quiet);

}  // namespace jitproxy::emulator
