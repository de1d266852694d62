#include "jitproxy/control/callback_listener.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include "jitproxy/base/id.hpp"
#include "jitproxy/base/secret.hpp"
#include "listening.hpp"

namespace jitproxy::control {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace bhttp = boost::beast::http;
using tcp_stream = beast::basic_stream<asio::generic::stream_protocol>;

namespace {

constexpr std::size_t secret_bytes = 24;

}  // namespace

struct callback_listener::impl {
    impl(asio::io_context& context, callback_options o, hint_function h)
        : options(std::move(o)), hint(std::move(h)), acceptor(context), bound(options.address) {}

    callback_options options;
    hint_function hint;
    any_acceptor acceptor;
    control::address bound;
    std::string secret = random_token(secret_bytes);
    bool stopped = false;

    // The id of a target that ends with "/SECRET/ID": a gateway before us may have cut or added what comes first.
    std::string id_in(std::string_view target) const {
        target = target.substr(0, target.find('?'));
        auto const last = target.rfind('/');
        if (last == std::string_view::npos) return {};
        auto const rest = target.substr(0, last);
        auto const before = rest.rfind('/');
        if (before == std::string_view::npos || !constant_time_equal(rest.substr(before + 1), secret)) return {};
        return std::string(target.substr(last + 1));
    }

    asio::awaitable<void> serve(tcp_stream stream) {
        beast::flat_buffer buffer(options.message_limit);
        bhttp::request_parser<bhttp::string_body> parser;
        parser.body_limit(options.message_limit);
        stream.expires_after(options.patience);
        auto const [failed, n] = co_await bhttp::async_read(stream, buffer, parser, use_tuple);
        if (failed || stopped) co_return;
        auto const target = parser.get().target();
        auto const id = id_in({target.data(), target.size()});
        bhttp::response<bhttp::empty_body> answer(id.empty() ? bhttp::status::not_found : bhttp::status::no_content,
                                                  parser.get().version());
        answer.prepare_payload();
        answer.keep_alive(false);
        co_await bhttp::async_write(stream, answer, use_tuple);
        beast::error_code ignored;
        stream.socket().shutdown(asio::socket_base::shutdown_send, ignored);
        if (!id.empty() && !stopped) hint(id);
    }
};

callback_listener::callback_listener(asio::io_context& io, callback_options options, hint_function hint)
    : impl_(std::make_shared<impl>(io, std::move(options), std::move(hint))) {}

callback_listener::~callback_listener() {
    stop();
}

result<void> callback_listener::start() {
    auto const bound = listen_openly(impl_->acceptor, impl_->options.address);
    if (!bound) return bound.error();
    impl_->bound = *bound;
    accept_all(impl_->acceptor, impl_->options.connections, impl_,
               [self = impl_.get()](any_socket socket) { return self->serve(tcp_stream(std::move(socket))); });
    return {};
}

control::address callback_listener::listener() const {
    return impl_->bound;
}

std::string callback_listener::url_of(std::string const& id) const {
    auto base = impl_->options.url.empty() ? "http://" + impl_->bound.text() : impl_->options.url;
    if (base.ends_with('/')) base.pop_back();
    return base + "/" + impl_->secret + "/" + id;
}

void callback_listener::stop() {
    impl_->stopped = true;
    boost::system::error_code ignored;
    impl_->acceptor.close(ignored);
}

}  // namespace jitproxy::control
