#include "jitproxy/emulator/http_server.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <exception>
#include <memory>

#include "jitproxy/base/log.hpp"
#include "jitproxy/emulator/http_connection.hpp"

namespace jitproxy::emulator {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;

struct listener {
    tcp::acceptor acceptor;
    service& to;
    asio::ssl::context* tls;
    bool quiet;
};

std::uint64_t next_connection() {
    static std::uint64_t last = 0;
    return ++last;
}

asio::awaitable<void> serve_plain(tcp::socket socket, connection_context context) {
    beast::tcp_stream stream{std::move(socket)};
    co_await serve_connection(stream, std::move(context));
}

asio::awaitable<void> serve_tls(tcp::socket socket, asio::ssl::context& tls, connection_context context) {
    beast::ssl_stream<beast::tcp_stream> stream{std::move(socket), tls};
    beast::get_lowest_layer(stream).expires_after(handshake_time);
    auto [ec] = co_await stream.async_handshake(asio::ssl::stream_base::server, use_tuple);
    if (ec) {
        if (!context.quiet) log::info("TLS handshake failed", {{"why", ec.message()}});
        co_return;
    }
    if (auto const* name = SSL_get_servername(stream.native_handle(), TLSEXT_NAMETYPE_host_name)) context.sni = name;
    context.tls_resumed = SSL_session_reused(stream.native_handle()) == 1;
    co_await serve_connection(stream, std::move(context));
}

// What ends a connection's coroutine otherwise than by its return.
void log_failure(std::exception_ptr const& failure) {
    if (!failure) return;
    try {
        std::rethrow_exception(failure);
    } catch (std::exception const& e) {
        log::error("connection failed", {{"why", e.what()}});
    }
}

asio::awaitable<void> accept_all(std::shared_ptr<listener> self) {
    auto const executor = co_await asio::this_coro::executor;
    for (;;) {
        auto [ec, socket] = co_await self->acceptor.async_accept(use_tuple);
        if (ec == asio::error::operation_aborted) co_return;
        if (ec) continue;
        boost::system::error_code ignored;
        socket.set_option(tcp::no_delay{true}, ignored);
        connection_context context;
        context.to = &self->to;
        context.scheme = self->tls ? "https" : "http";
        context.number = next_connection();
        context.quiet = self->quiet;
        if (self->tls)
            asio::co_spawn(executor, serve_tls(std::move(socket), *self->tls, std::move(context)), log_failure);
        else
            asio::co_spawn(executor, serve_plain(std::move(socket), std::move(context)), log_failure);
    }
}

std::string url_of(tcp::endpoint const& at, bool tls) {
    auto const address = at.address().to_string();
    auto const host = at.address().is_v6() ? "[" + address + "]" : address;
    return (tls ? "https://" : "http://") + host + ":" + std::to_string(at.port());
}

}  // namespace

std::string listen(asio::io_context& io, endpoint_address const& where, char const* flag, service& to,
                   asio::ssl::context* tls, bool quiet) {
    tcp::resolver resolver{io};
    auto const found = resolver.resolve(where.host, std::to_string(where.port), tcp::resolver::passive);
    tcp::endpoint const at = *found.begin();
    auto self = std::make_shared<listener>(listener{tcp::acceptor{io}, to, tls, quiet});
    self->acceptor.open(at.protocol());
    self->acceptor.set_option(tcp::acceptor::reuse_address{true});
    try {
        self->acceptor.bind(at);
        self->acceptor.listen();
    } catch (boost::system::system_error const& e) {
        throw std::runtime_error("cannot listen on " + where.host + ":" + std::to_string(where.port) + " (" + flag +
                                 "): " + e.code().message() + "; see `ss -ltnp`, or give " + flag + " another address");
    }
    auto const url = url_of(self->acceptor.local_endpoint(), tls != nullptr);
    asio::co_spawn(io, accept_all(std::move(self)), log_failure);
    return url;
}

}  // namespace jitproxy::emulator
