#include "jitproxy/lumoauth/connection.hpp"

#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

namespace jitproxy::lumoauth {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace bhttp = boost::beast::http;
using boost::system::error_code;
using answer_parser = bhttp::response_parser<bhttp::string_body>;

constexpr std::size_t read_size = 8 * 1024;
constexpr int most_interim = 8;  // 1xx answers before the real one
constexpr milliseconds longest_attempt{2'000};

// RFC 9112 names no peer but the server itself: what cannot be read is the server's fault, what breaks off the way's.
bool is_protocol_error(error_code ec) {
    return ec.category() == bhttp::make_error_code(bhttp::error::bad_version).category() &&
           ec != bhttp::error::end_of_stream && ec != bhttp::error::partial_message;
}

std::string field(answer_parser const& parser, std::string_view name) {
    auto const value = parser.get()[beast::string_view{name.data(), name.size()}];
    return {value.data(), value.size()};
}

bool set_server_name(SSL* ssl, std::string const& host) {
    std::string name = host;  // the library's macro hides a C cast, which warnings forbid, so this is what it does
    return SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data()) == 1;
}

// The buffer held the answer, and with it perhaps a token.
void wipe_all(beast::flat_buffer& buffer) {
    buffer.consume(buffer.size());
    auto const all = buffer.prepare(buffer.capacity());
    OPENSSL_cleanse(all.data(), all.size());
    buffer.commit(0);
}

}  // namespace

asio::ssl::context make_tls_context(std::string const& ca_file) {
    asio::ssl::context tls{asio::ssl::context::tls_client};
    SSL_CTX_set_min_proto_version(tls.native_handle(), TLS1_2_VERSION);
    SSL_CTX_set_mode(tls.native_handle(), SSL_MODE_RELEASE_BUFFERS);
    tls.set_verify_mode(asio::ssl::verify_peer);
    error_code ec;
    tls.set_default_verify_paths(ec);
    if (ec) throw failure{make_error(errc::configuration, "the system's root certificates cannot be read")};
    if (!ca_file.empty()) {
        tls.load_verify_file(ca_file, ec);
        if (ec) {
            throw failure{make_error(errc::configuration, "authorization_server.ca_file " + ca_file +
                                                              " cannot be read as PEM certificates: " + ec.message())};
        }
    }
    return tls;
}

connection::connection(asio::any_io_executor const& executor, asio::ssl::context* tls)
    : socket_(executor), alarm_(executor) {
    if (tls != nullptr) tls_.emplace(socket_, *tls);
}

void connection::limit(steady_time deadline) {
    deadline_ = deadline;
    if (deadline == steady_time::max()) return;
    if (!*alarm_set_ || alarm_.expiry() > deadline) set_alarm();
}

void connection::set_alarm() {
    *alarm_set_ = true;
    alarm_.expires_at(deadline_);
    alarm_.async_wait([this, alive = std::weak_ptr{alarm_set_}](error_code ec) {
        if (ec || alive.expired()) return;
        *alarm_set_ = false;
        if (deadline_ == steady_time::max()) return;
        if (std::chrono::steady_clock::now() < deadline_) return set_alarm();
        timed_out_ = true;
        close();
    });
}

error connection::lost(location const& at, error_code ec, std::string_view doing, errc code) const {
    auto cause = timed_out_ ? std::string{"no answer in time"} : ec.message();
    if (ec == asio::ssl::error::stream_truncated || ec == asio::error::eof || ec == bhttp::error::end_of_stream ||
        ec == bhttp::error::partial_message) {
        cause = "the connection was closed before the whole answer came";
    }
    return make_error(code, "cannot " + std::string{doing} + " the authorization server " + at.origin() + ": " + cause);
}

asio::awaitable<result<void>> connection::open(location const& at, addresses const& to, steady_time deadline) {
    error_code last = asio::error::host_not_found;
    for (std::size_t i = 0; i < to.size(); ++i) {
        // One address that swallows packets must not use up the time of the others.
        auto const until =
            i + 1 == to.size() ? deadline : std::min(deadline, std::chrono::steady_clock::now() + longest_attempt);
        timed_out_ = false;
        limit(until);
        auto const [ec] = co_await socket_.async_connect(asio::ip::tcp::endpoint{to[i], at.authority.port}, use_tuple);
        // A connect may be done when the alarm has closed the socket under it.
        if (!ec && !timed_out_) {
            error_code ignored;
            socket_.set_option(asio::ip::tcp::no_delay{true}, ignored);
            socket_.non_blocking(true, ignored);  // for send()
            limit(deadline);
            if (tls_) co_return co_await handshake(at);
            co_return result<void>{};
        }
        last = ec;
        close();
    }
    co_return lost(at, last, "connect to", errc::as_unreachable);
}

asio::awaitable<result<void>> connection::handshake(location const& at) {
    auto* const ssl = tls_->native_handle();
    auto const& host = at.authority.host;
    bool prepared = false;
    if (at.authority.is_ip) {  // RFC 6066 3: no SNI for addresses; the certificate has to name the address
        prepared = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str()) == 1;
    } else {
        SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        prepared = set_server_name(ssl, host) && SSL_set1_host(ssl, host.c_str()) == 1;
    }
    if (!prepared) co_return make_error(errc::internal, "the TLS library refuses the name " + host);
    auto const [ec] = co_await tls_->async_handshake(asio::ssl::stream_base::client, use_tuple);
    if (!ec) co_return result<void>{};
    auto const verdict = SSL_get_verify_result(ssl);
    if (verdict != X509_V_OK) {
        co_return make_error(errc::as_unreachable, "the certificate of the authorization server " + at.origin() +
                                                       " is not accepted: " + X509_verify_cert_error_string(verdict));
    }
    co_return lost(at, ec, "agree on TLS with", errc::as_unreachable);
}

// What fits the socket's buffer goes out at once.
asio::awaitable<error_code> connection::send(std::string const& message) {
    error_code ec;
    std::size_t n = 0;
    if (tls_) {
        std::tie(ec, n) = co_await asio::async_write(*tls_, asio::buffer(message), use_tuple);
        co_return ec;
    }
    n = socket_.write_some(asio::buffer(message), ec);
    if (ec == asio::error::would_block) ec = {};
    if (ec || n == message.size()) co_return ec;
    std::tie(ec, n) = co_await asio::async_write(socket_, asio::buffer(message) + n, use_tuple);
    co_return ec;
}

asio::awaitable<result<wire_answer>> connection::exchange(location const& at, std::string const& message, limits bounds,
                                                          steady_time deadline) {
    answered_ = timed_out_ = keep_ = false;
    limit(deadline);
    error_code ec = co_await send(message);
    if (ec) co_return lost(at, ec, "send to");
    std::size_t n = 0;

    std::optional<answer_parser> parser;
    auto const begin = [&] {
        parser.emplace();
        parser->eager(true);
        parser->header_limit(static_cast<std::uint32_t>(bounds.head));
        parser->body_limit(bounds.answer);
    };
    begin();
    for (int interim = 0;;) {
        if (buffer_.size() > 0) {
            auto const used = parser->put(buffer_.data(), ec);
            buffer_.consume(used);
            if (ec == bhttp::error::need_more) ec = {};
            if (ec) break;
        }
        if (parser->is_done()) {
            auto const status = parser->get().result_int();
            if (status >= 200) break;
            // RFC 9110 15.2: interim answers are passed over; a change of protocol was not asked for.
            if (status == 101 || ++interim > most_interim) {
                ec = bhttp::error::bad_status;
                break;
            }
            begin();
            if (buffer_.size() > 0) continue;
        }
        auto const space = buffer_.prepare(read_size);
        if (tls_) {
            std::tie(ec, n) = co_await tls_->async_read_some(space, use_tuple);
        } else {
            std::tie(ec, n) = co_await socket_.async_read_some(space, use_tuple);
        }
        buffer_.commit(n);
        if (n > 0) answered_ = true;
        if (ec == asio::error::eof && n == 0) {
            // RFC 9112 6.3: a body without a length ends where the connection does. TLS reports such an end only where
            // the server has said so (close_notify); a cut one is an error.
            ec = {};
            if (parser->got_some())
                parser->put_eof(ec);
            else
                ec = bhttp::error::end_of_stream;
            break;
        }
        if (ec) break;
    }
    if (ec) {
        wipe(parser->get().body());
        wipe_all(buffer_);
        if (ec == bhttp::error::body_limit || ec == bhttp::error::header_limit) {
            co_return make_error(errc::as_malformed,
                                 "the answer of the authorization server " + at.origin() + " is too large");
        }
        if (is_protocol_error(ec)) {
            co_return make_error(errc::as_malformed, "the authorization server " + at.origin() +
                                                         " does not answer in HTTP/1.1: " + ec.message());
        }
        co_return lost(at, ec, "read from");
    }
    wire_answer answer;
    answer.status = parser->get().result_int();
    answer.retry_after = field(*parser, "Retry-After");
    answer.rate_limit_reset = field(*parser, "X-RateLimit-Reset");
    answer.date = field(*parser, "Date");
    answer.body = std::move(parser->get().body());
    keep_ = parser->keep_alive() && buffer_.size() == 0;
    wipe_all(buffer_);
    limit(steady_time::max());
    co_return answer;
}

bool connection::reusable() {
    if (!keep_ || !socket_.is_open()) return false;
    // At rest the server has nothing to say but goodbye.
    char byte = 0;
    auto const n = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

void connection::close() noexcept {
    error_code ignored;
    socket_.close(ignored);
}

}  // namespace jitproxy::lumoauth
