#include "jitproxy/control/server.hpp"

#include <unistd.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <list>

#include "jitproxy/http/reply.hpp"
#include "listening.hpp"

namespace jitproxy::control {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace bhttp = boost::beast::http;

namespace {

using any_stream = beast::basic_stream<asio::generic::stream_protocol>;
using message = bhttp::request<bhttp::string_body>;

response plain_problem(unsigned status, std::string_view title) {
    response out;
    out.status = status;
    out.content_type = "application/problem+json";
    out.body = json::serialize(json::object{{"title", title}, {"status", status}}) + "\n";
    return out;
}

}  // namespace

struct server::impl : std::enable_shared_from_this<impl> {
    asio::io_context& io;
    api& routes;
    event_hub& events;
    server_options options;
    any_acceptor acceptor;
    control::address bound;
    std::list<std::weak_ptr<any_stream>> streams;
    bool stopped = false;

    impl(asio::io_context& i, api& a, event_hub& e, server_options o)
        : io(i), routes(a), events(e), options(std::move(o)), acceptor(i), bound(options.address) {}

    asio::awaitable<void> serve_socket(any_socket socket);
    asio::awaitable<void> serve(std::shared_ptr<any_stream> stream);
    asio::awaitable<response> ask(request r);
    asio::awaitable<bool> send(any_stream& stream, message const& m, response r);
    asio::awaitable<void> stream_events(std::shared_ptr<any_stream> stream, std::string first);
    [[nodiscard]] bool authorised(message const& m) const;
    void stop();
};

asio::awaitable<void> server::impl::serve_socket(any_socket socket) {
    auto stream = std::make_shared<any_stream>(std::move(socket));
    streams.remove_if([](auto const& s) { return s.expired(); });
    streams.push_back(stream);
    return serve(std::move(stream));
}

bool server::impl::authorised(message const& m) const {
    if (options.address.is_unix()) return true;  // the file's mode has decided
    auto const path = m.target().substr(0, m.target().find('?'));
    if (path == "/healthz" || path == "/readyz") return true;  // probes have no token, and learn nothing
    static constexpr std::string_view scheme = "bearer ";
    std::string_view const value(m[bhttp::field::authorization].data(), m[bhttp::field::authorization].size());
    if (value.size() <= scheme.size() || !beast::iequals(value.substr(0, scheme.size()), scheme)) return false;
    return constant_time_equal(value.substr(scheme.size()), options.token->reveal());
}

// The API answers by callback, now or later, on this thread.
asio::awaitable<response> server::impl::ask(request r) {
    struct slot {
        asio::steady_timer answered;
        std::optional<response> value;
    };
    auto const state = std::make_shared<slot>(slot{asio::steady_timer(io, asio::steady_timer::time_point::max()), {}});
    routes.handle(std::move(r), [state](response answer) {
        state->value = std::move(answer);
        state->answered.cancel();
    });
    while (!state->value) co_await state->answered.async_wait(use_tuple);
    co_return std::move(*state->value);
}

asio::awaitable<bool> server::impl::send(any_stream& stream, message const& m, response r) {
    bhttp::response<bhttp::string_body> out;
    out.version(m.version());
    out.result(r.status);
    out.reason(http::reason_phrase(r.status));
    out.set(bhttp::field::content_type, r.content_type);
    out.set(bhttp::field::cache_control, "no-store");
    for (auto const& [name, value] : r.fields) out.set(name, value);
    out.keep_alive(m.keep_alive());
    out.body() = std::move(r.body);
    out.prepare_payload();
    stream.expires_after(options.idle);
    if (m.method() == bhttp::verb::head) {
        bhttp::response_serializer<bhttp::string_body> head(out);
        auto const [ec, n] = co_await bhttp::async_write_header(stream, head, use_tuple);
        co_return !ec;
    }
    auto const [ec, n] = co_await bhttp::async_write(stream, out, use_tuple);
    wipe(out.body());  // a session's proxy URL
    co_return !ec;
}

asio::awaitable<void> server::impl::serve(std::shared_ptr<any_stream> stream) {
    beast::flat_buffer buffer(options.head_bytes + options.body_bytes);
    std::vector<std::string> attached;
    while (!stopped) {
        bhttp::request_parser<bhttp::string_body> parser;
        parser.header_limit(static_cast<std::uint32_t>(options.head_bytes));
        parser.body_limit(options.body_bytes);
        if (attached.empty())
            stream->expires_after(options.idle);
        else
            stream->expires_never();  // whoever holds a session may be silent for as long as it lives
        auto const [ec, n] = co_await bhttp::async_read(*stream, buffer, parser, use_tuple);
        if (ec) {
            message const m;
            if (ec == bhttp::error::body_limit)
                co_await send(*stream, m, plain_problem(413, "Content too large"));
            else if (ec == bhttp::error::header_limit || ec == bhttp::error::buffer_overflow)
                co_await send(*stream, m, plain_problem(431, "Head too large"));
            else if (ec.category() == make_error_code(bhttp::error::bad_method).category() &&
                     ec != bhttp::error::end_of_stream && ec != bhttp::error::partial_message)
                co_await send(*stream, m, plain_problem(400, "Malformed request"));
            break;
        }
        auto m = parser.release();
        if (!authorised(m)) {
            auto refused = plain_problem(401, "A control token is needed");
            refused.fields.emplace_back("WWW-Authenticate", "Bearer realm=\"jitproxy control\"");
            if (!co_await send(*stream, m, std::move(refused)) || !m.keep_alive()) break;
            continue;
        }
        stream->expires_never();
        request r{std::string(m.method_string()), std::string(m.target()), std::move(m.body())};
        auto answer = co_await ask(std::move(r));
        if (answer.event_stream) {
            co_await stream_events(stream, std::move(answer.body));
            break;
        }
        auto const opened = answer.opened_session;
        if (!answer.attached_session.empty()) attached.push_back(answer.attached_session);
        if (!co_await send(*stream, m, std::move(answer))) {
            if (!opened.empty() && attached.empty()) routes.abandon(opened);  // nobody knows of it
            break;
        }
        if (!m.keep_alive()) break;
    }
    if (!stopped)
        for (auto const& session : attached) routes.abandon(session);
    beast::error_code ignored;
    stream->socket().shutdown(asio::socket_base::shutdown_both, ignored);
    stream->close();
}

// Server-sent events, `first` and then the hub's, until either side ends.
asio::awaitable<void> server::impl::stream_events(std::shared_ptr<any_stream> stream, std::string first) {
    auto const timer = std::make_shared<asio::steady_timer>(io);
    auto const gone = std::make_shared<bool>(false);
    auto const listener = events.subscribe([timer] { timer->cancel(); });
    // A listener sends nothing more: what can be read is its end.
    asio::co_spawn(
        io,
        [stream, timer, gone]() -> asio::awaitable<void> {
            char byte = 0;
            while (true) {
                auto const [ec, n] = co_await stream->socket().async_read_some(asio::buffer(&byte, 1), use_tuple);
                if (ec) break;
            }
            *gone = true;
            timer->cancel();
        },
        asio::detached);
    std::string out =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
        ": jitproxy\n\n" +
        first;
    while (!*gone && !stopped) {
        stream->expires_after(options.idle);
        auto const [ec, n] = co_await asio::async_write(*stream, asio::buffer(out), use_tuple);
        if (ec) break;
        out = listener->next();
        if (!out.empty()) continue;
        if (listener->ended()) break;
        timer->expires_after(options.event_keep_alive);
        co_await timer->async_wait(use_tuple);
        out = listener->next();
        if (out.empty() && !listener->ended()) out = ": alive\n\n";
        if (out.empty()) break;
    }
}

void server::impl::stop() {
    stopped = true;
    boost::system::error_code ignored;
    bool const listening = acceptor.is_open();
    acceptor.close(ignored);
    if (listening && options.address.is_unix()) unlink(options.address.path.c_str());
    for (auto const& weak : streams)
        if (auto const stream = weak.lock()) stream->close();
}

server::server(asio::io_context& io, api& a, event_hub& events, server_options options)
    : impl_(std::make_shared<impl>(io, a, events, std::move(options))) {}

server::~server() {
    impl_->stop();
}

result<void> server::start() {
    auto const bound = listen_on(impl_->acceptor, impl_->options.address, impl_->options.token);
    if (!bound) return bound.error();
    impl_->bound = *bound;
    accept_all(impl_->acceptor, impl_->options.connections, impl_,
               [self = impl_.get()](any_socket socket) { return self->serve_socket(std::move(socket)); });
    return {};
}

control::address server::listener() const {
    return impl_->bound;
}

void server::stop() {
    impl_->stop();
}

}  // namespace jitproxy::control
