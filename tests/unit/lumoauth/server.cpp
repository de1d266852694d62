#include "server.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <optional>
#include <set>

namespace jitproxy::test {
namespace asio = boost::asio;
using asio::ip::tcp;
namespace {
constexpr auto use_tuple = asio::as_tuple(asio::use_awaitable);
using socket_ptr = std::shared_ptr<tcp::socket>;
}  // namespace

std::string reply(int status, std::string_view body, std::string_view fields) {
    return "HTTP/1.1 " + std::to_string(status) + " Some Reason\r\n" + std::string{fields} +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string{body};
}

struct server::impl {
    impl(asio::io_context& context, server& of, asio::ssl::context* t, bool silent)
        : io(context),
          acceptor(io, tcp::endpoint{asio::ip::address_v4::loopback(), 0}),
          owner(&of),
          tls(t),
          mute(silent) {}

    asio::io_context& io;
    tcp::acceptor acceptor;
    server* owner;  // null once it is gone
    asio::ssl::context* tls;
    bool mute;
    std::set<socket_ptr> open;

    template <class Stream>
    asio::awaitable<void> serve(Stream& stream, socket_ptr socket, int number) {
        std::string in;
        for (;;) {
            auto const [ec, end] =
                co_await asio::async_read_until(stream, asio::dynamic_buffer(in), "\r\n\r\n", use_tuple);
            if (ec || owner == nullptr) co_return;
            request r{in.substr(0, end), "", number};
            in.erase(0, end);
            std::size_t length = 0;
            if (auto const at = r.head.find("Content-Length: "); at != std::string::npos) {
                length = std::stoul(r.head.substr(at + 16));
            }
            while (in.size() < length) {
                std::string more(length - in.size(), '\0');
                auto const [failed, n] = co_await stream.async_read_some(asio::buffer(more), use_tuple);
                if (failed || owner == nullptr) co_return;
                in.append(more, 0, n);
            }
            r.body = in.substr(0, length);
            in.erase(0, length);
            owner->requests.push_back(std::move(r));
            if (owner->script.empty()) continue;  // nothing to say
            auto const now = std::move(owner->script.front());
            owner->script.pop_front();
            if (!now.bytes.empty()) co_await asio::async_write(stream, asio::buffer(now.bytes), use_tuple);
            if (now.after == step::then::keep) continue;
            if (now.after == step::then::reset) socket->set_option(asio::socket_base::linger{true, 0});
            if constexpr (!std::is_same_v<Stream, tcp::socket>) {
                if (now.after == step::then::close) co_await stream.async_shutdown(use_tuple);
            }
            co_return;
        }
    }

    static asio::awaitable<void> connected(std::shared_ptr<impl> self, socket_ptr socket, int number) {
        auto& me = *self;
        me.open.insert(socket);
        if (me.mute) co_return;
        if (me.tls == nullptr) {
            co_await me.serve(*socket, socket, number);
        } else {
            asio::ssl::stream<tcp::socket&> stream{*socket, *me.tls};
            auto const [ec] = co_await stream.async_handshake(asio::ssl::stream_base::server, use_tuple);
            if (!ec && me.owner != nullptr) {
                ++me.owner->handshakes;
                co_await me.serve(stream, socket, number);
            }
        }
        boost::system::error_code ignored;
        socket->close(ignored);
        me.open.erase(socket);
    }

    static asio::awaitable<void> listen(std::shared_ptr<impl> self) {
        for (;;) {
            auto [ec, socket] = co_await self->acceptor.async_accept(use_tuple);
            if (ec || self->owner == nullptr) co_return;
            auto const number = ++self->owner->connections;
            asio::co_spawn(self->io, connected(self, std::make_shared<tcp::socket>(std::move(socket)), number),
                           asio::detached);
        }
    }
};

server::server(asio::io_context& io, asio::ssl::context* tls, bool mute)
    : impl_(std::make_shared<impl>(io, *this, tls, mute)) {
    asio::co_spawn(io, impl::listen(impl_), asio::detached);
}

server::~server() {
    impl_->owner = nullptr;
    boost::system::error_code ignored;
    impl_->acceptor.close(ignored);
    hang_up();
}

std::uint16_t server::port() const {
    return impl_->acceptor.local_endpoint().port();
}

std::string server::url(std::string_view host) const {
    return (impl_->tls != nullptr ? "https://" : "http://") + std::string{host} + ":" + std::to_string(port());
}

std::size_t server::open() const {
    return impl_->open.size();
}

void server::hang_up() {
    boost::system::error_code ignored;
    for (auto const& s : impl_->open) s->close(ignored);
}

}  // namespace jitproxy::test
