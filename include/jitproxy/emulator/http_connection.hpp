// One connection: requests in, replies out, until either side ends it. For http_server.cpp and
// http_connection.cpp only: the streams' headers are heavy.
#pragma once
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <chrono>
#include <string>

#include "jitproxy/emulator/handlers.hpp"

namespace jitproxy::emulator {

// Errors as values: a failed read or write is no exception here.
inline constexpr auto use_tuple = boost::asio::as_tuple(boost::asio::use_awaitable);

inline constexpr std::chrono::seconds handshake_time{10};

struct connection_context {
    service* to = nullptr;
    std::string scheme;
    std::uint64_t number = 0;
    std::string sni;
    bool tls_resumed = false;
    bool quiet = false;
};

// Defined for beast::tcp_stream and beast::ssl_stream<beast::tcp_stream>.
template <class Stream>
boost::asio::awaitable<void> serve_connection(Stream& stream, connection_context context);

}  // namespace jitproxy::emulator
