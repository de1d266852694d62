#include "jitproxy/emulator/http_connection.hpp"

#include <openssl/evp.h>

#include <array>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http.hpp>
#include <memory>

#include "jitproxy/base/encoding.hpp"
#include "jitproxy/base/log.hpp"
#include "jitproxy/emulator/wire.hpp"

namespace jitproxy::emulator {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;

constexpr std::chrono::seconds idle_time{300};
constexpr std::chrono::seconds drain_time{5};
constexpr std::size_t max_head = 128UL * 1024;
constexpr std::size_t piece = 64UL * 1024;

class body_hash {
  public:
    body_hash() : context_(EVP_MD_CTX_new()) { EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr); }
    void add(char const* data, std::size_t size) { EVP_DigestUpdate(context_.get(), data, size); }
    std::string finish() {
        std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
        unsigned size = 0;
        EVP_DigestFinal_ex(context_.get(), out.data(), &size);
        return hex({reinterpret_cast<char const*>(out.data()), size});
    }

  private:
    struct freed {
        void operator()(EVP_MD_CTX* c) const { EVP_MD_CTX_free(c); }
    };
    std::unique_ptr<EVP_MD_CTX, freed> context_;
};

using parser = http::request_parser<http::buffer_body>;

template <class Stream>
class connection {
  public:
    connection(Stream& stream, connection_context context) : stream_(stream), context_(std::move(context)) {}

    asio::awaitable<void> run() {
        // g++ 12 miscompiles `while (co_await exchange()) {}`.
        for (bool more = true; more;) more = co_await exchange();
        co_await close();
    }

  private:
    // One request and its reply; false where the connection is to end.
    asio::awaitable<bool> exchange() {
        request r;
        parser p;
        p.header_limit(max_head);
        p.body_limit(boost::none);
        if (!co_await read_head(r, p)) co_return false;
        if (auto early = context_.to->before_body(r)) {
            early->close = true;
            co_await send(r, *early);
            co_return false;
        }
        if (r.expects_continue && !p.is_done()) {
            if (!co_await write("HTTP/1.1 100 Continue\r\n\r\n")) co_return false;
        }
        if (!co_await read_body(r, p)) co_return false;
        auto answer = co_await work(r);
        if (!p.keep_alive()) answer.close = true;
        co_return co_await send(r, answer);
    }

    asio::awaitable<reply> work(request const& r) {
        auto const f = context_.to->take_fault(r);
        if (f && f->kind == fault_kind::delay) co_await pause(f->delay_ms);
        if (f) {
            if (auto instead = answer_instead(*f)) {
                context_.to->not_handled(r, instead->how == delivery::reset ? 0 : instead->status);
                co_return std::move(*instead);
            }
        }
        auto answer = context_.to->handle(r);
        if (f) spoil(*f, answer);
        if (answer.delay_ms > 0) co_await pause(answer.delay_ms);
        co_return answer;
    }

    asio::awaitable<bool> read_head(request& r, parser& p) {
        expires(idle_time);
        auto const [ec, size] =
            co_await asio::async_read_until(stream_, asio::dynamic_buffer(inbox_, max_head), "\r\n\r\n", use_tuple);
        if (ec) co_return false;
        error_code bad;
        p.put(asio::buffer(inbox_.data(), size), bad);
        read_raw_head(std::string_view{inbox_}.substr(0, size), r);
        inbox_.erase(0, size);
        r.scheme = context_.scheme;
        r.connection = context_.number;
        r.sni = context_.sni;
        r.tls_resumed = context_.tls_resumed;
        if (bad && bad != http::error::need_buffer) {
            context_.to->not_handled(r, 400);
            auto answer = api_error(400, "malformed", "Not HTTP as RFC 9112 wants it");
            answer.close = true;
            co_await send(r, answer);
            co_return false;
        }
        r.version = p.get().version();
        auto const* expect = r.header("Expect");
        r.has_body = !p.is_done();
        r.expects_continue = r.has_body && r.version >= 11 && expect && iequals(*expect, "100-continue");
        co_return true;
    }

    asio::awaitable<bool> read_body(request& r, parser& p) {
        body_hash hash;
        std::vector<char> buffer(p.is_done() ? 0 : piece);
        while (!p.is_done()) {
            if (inbox_.empty() || starved_) {
                if (!co_await read_more()) co_return false;
                starved_ = false;
            }
            auto& body = p.get().body();
            body.data = buffer.data();
            body.size = buffer.size();
            body.more = true;
            error_code ec;
            auto const used = p.put(asio::buffer(inbox_), ec);
            auto const got = buffer.size() - body.size;
            inbox_.erase(0, used);
            if (ec == http::error::need_more || (!ec && used == 0 && got == 0))
                starved_ = true;
            else if (ec && ec != http::error::need_buffer)
                co_return false;
            hash.add(buffer.data(), got);
            r.body_bytes += got;
            r.body.append(buffer.data(), std::min(got, max_kept_body - r.body.size()));
        }
        r.body_sha256 = hash.finish();
        co_return true;
    }

    asio::awaitable<bool> read_more() {
        expires(idle_time);
        auto const old = inbox_.size();
        inbox_.resize(old + piece);
        auto const [ec, size] = co_await stream_.async_read_some(asio::buffer(inbox_.data() + old, piece), use_tuple);
        inbox_.resize(old + size);
        co_return !ec;
    }

    asio::awaitable<bool> send(request const& r, reply const& answer) {
        if (!context_.quiet) log::info("request", {{"method", r.method}, {"path", r.path}, {"status", answer.status}});
        if (answer.how == delivery::reset) {
            reset();
            co_return false;
        }
        auto const head = write_head(r, answer);
        if (answer.events) {
            bool const sent = co_await write(head);
            if (!sent) co_return false;
            bool const kept = co_await send_events(r, answer);
            co_return kept && !answer.close;
        }
        bool const bodiless = r.method == "HEAD";
        if (answer.how == delivery::truncated && !bodiless) {
            co_await write(head + answer.body.substr(0, answer.cut_at.value_or(answer.body.size() / 2)));
            co_return false;
        }
        if (answer.how == delivery::chunked && !bodiless) {
            bool const sent = co_await write(head + chunked(r.version, answer.body));
            co_return sent && !answer.close && r.version >= 11;
        }
        // Not as one sequence of two buffers: over TLS a large second one then never leaves (seen with Boost 1.81).
        bool const head_sent = co_await write(head);
        if (!head_sent || bodiless) co_return head_sent && !answer.close;
        bool const body_sent = co_await write(answer.body);
        co_return body_sent && !answer.close;
    }

    asio::awaitable<bool> send_events(request const& r, reply const& answer) {
        if (r.method == "HEAD") co_return true;
        for (std::uint64_t i = 1; i <= answer.events->count; ++i) {
            if (i > 1) co_await pause(answer.events->interval_ms);
            auto const number = std::to_string(i);
            if (!co_await write(chunk(r.version, "id: " + number + "\ndata: {\"n\": " + number + "}\n\n")))
                co_return false;
        }
        bool const sent = co_await write(last_chunk(r.version));
        co_return sent&& r.version >= 11;
    }

    asio::awaitable<bool> write(std::string_view text) {
        if (text.empty()) co_return true;
        expires(idle_time);
        auto const [ec, n] = co_await asio::async_write(stream_, asio::buffer(text), use_tuple);
        co_return !ec;
    }

    asio::awaitable<void> pause(std::uint64_t ms) {
        if (ms == 0) co_return;
        asio::steady_timer timer{co_await asio::this_coro::executor, std::chrono::milliseconds{ms}};
        co_await timer.async_wait(use_tuple);
    }

    // What is still on its way is read and dropped for a while: closing over unread bytes would reset the
    // connection, and the reset could overtake our answer (RFC 9112 9.6).
    asio::awaitable<void> close() {
        auto& tcp = beast::get_lowest_layer(stream_);
        error_code ignored;
        if constexpr (!std::is_same_v<Stream, beast::tcp_stream>) {
            expires(drain_time);
            // Only our close_notify: waiting for the peer's is what the loop below does.
            SSL_set_shutdown(stream_.native_handle(), SSL_RECEIVED_SHUTDOWN);
            co_await stream_.async_shutdown(use_tuple);
        }
        tcp.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
        std::vector<char> sink(piece);
        tcp.expires_after(drain_time);
        for (bool open = tcp.socket().is_open(); open;) {
            auto const [ec, n] = co_await tcp.async_read_some(asio::buffer(sink), use_tuple);
            open = !ec && n > 0;
        }
        tcp.socket().close(ignored);
    }

    void reset() {
        auto& socket = beast::get_lowest_layer(stream_).socket();
        error_code ignored;
        socket.set_option(asio::socket_base::linger{true, 0}, ignored);
        socket.close(ignored);
    }

    void expires(std::chrono::seconds after) { beast::get_lowest_layer(stream_).expires_after(after); }

    Stream& stream_;
    connection_context context_;
    std::string inbox_;
    bool starved_ = false;  // what the inbox holds is not enough for the parser to go on
};

}  // namespace

template <class Stream>
asio::awaitable<void> serve_connection(Stream& stream, connection_context context) {
    connection<Stream> c{stream, std::move(context)};
    co_await c.run();
}

template asio::awaitable<void> serve_connection(beast::tcp_stream&, connection_context);
template asio::awaitable<void> serve_connection(beast::ssl_stream<beast::tcp_stream>&, connection_context);

}  // namespace jitproxy::emulator
