// One TCP connection, with TLS on it or not, as a pair of non-blocking calls and a pair of waits. The flow above it
// does not know which of the two it is, nor what waits behind (net/readiness).
#pragma once
#include <openssl/ssl.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "jitproxy/base/error.hpp"
#include "jitproxy/net/buffer.hpp"
#include "jitproxy/net/readiness.hpp"
#include "jitproxy/net/waker.hpp"

namespace jitproxy::net {

enum class io_status : std::uint8_t {
    ok,       // `bytes` were moved, at least one
    blocked,  // wait for it and call again
    eof,      // reads: the peer has ended its side properly
    failed,   // reset, cut within TLS, or broken; the connection is of no more use
};
struct io_result {
    io_status status = io_status::blocked;
    std::size_t bytes = 0;
};

struct ssl_free {
    void operator()(SSL* p) const noexcept { SSL_free(p); }
};
struct ssl_ctx_free {
    void operator()(SSL_CTX* p) const noexcept { SSL_CTX_free(p); }
};
struct ssl_session_free {
    void operator()(SSL_SESSION* p) const noexcept { SSL_SESSION_free(p); }
};
using ssl_ptr = std::unique_ptr<SSL, ssl_free>;
using ssl_session_ptr = std::unique_ptr<SSL_SESSION, ssl_session_free>;
using ssl_ctx_ptr = std::shared_ptr<SSL_CTX>;
// The TLS session last received from one origin, to be resumed by the next connection to it.
struct session_slot {
    ssl_session_ptr session;
};
using session_slot_ptr = std::shared_ptr<session_slot>;

// Used on its worker's thread only.
class endpoint {
  public:
    // Owns the TCP socket from now on, connected or about to be, and non-blocking; makes it TCP_NODELAY. Where it
    // cannot be watched nothing works but close().
    endpoint(boost::asio::io_context& io, int socket, buffer_pool& pool);
    ~endpoint();
    endpoint(endpoint const&) = delete;
    endpoint& operator=(endpoint const&) = delete;

    // Who is woken when a wait is over; nullptr: nobody (while it rests in a pool).
    void set_waker(waker* target) noexcept { watch_->target = target; }

    [[nodiscard]] io_result try_read(std::span<char> into);
    // Sends the pieces in order as one write; `bytes` counts over all of them.
    [[nodiscard]] io_result try_write(std::span<std::string_view const> pieces);
    // TLS keeps what the socket did not take; true once nothing of it is left. Plain connections: always true.
    [[nodiscard]] bool flushed() const noexcept { return cipher_out_.empty(); }
    [[nodiscard]] io_result flush();
    // Arms a wait for what the last blocked call of that kind needs; the waker is called once when it is over.
    void wait_read();
    void wait_write() { watch_->wait_write(); }

    // What is known of the peer's end without a look, whatever is still to be read before it.
    enum class end_state : std::uint8_t { none, ended, broken };
    [[nodiscard]] end_state end_seen() const noexcept {
        if (failed_ || watch_->broken) return end_state::broken;
        return watch_->ended ? end_state::ended : end_state::none;
    }
    void wait_end() { watch_->wait_end(); }

    // Has the peer gone? Looks without taking anything: it may have sent something before.
    enum class peer_state : std::uint8_t { quiet, has_data, gone };
    [[nodiscard]] peer_state look();
    // The same without a system call: as far as the kernel has told. False also where only looking can tell.
    [[nodiscard]] bool seems_quiet() const noexcept;

    // TLS from now on. accept: the context's certificate is shown; connect: verified by the context, for `host`.
    // Handshake by repeated calls until it is not `blocked`.
    [[nodiscard]] result<void> start_tls_accept(SSL_CTX* context);
    // `sessions` lends a session to resume and receives new ones; may be null.
    [[nodiscard]] result<void> start_tls_connect(SSL_CTX* context, std::string const& host, bool host_is_ip,
                                                 session_slot_ptr sessions);
    [[nodiscard]] io_result handshake();
    [[nodiscard]] SSL* tls() const noexcept { return ssl_.get(); }
    [[nodiscard]] error handshake_error() const;  // after handshake() failed

    // Ends our side (FIN; close_notify before it with TLS); reading goes on. What TLS has kept leaves before it, with
    // later reads and flushes.
    void shutdown_send() noexcept;
    void close() noexcept;
    void reset() noexcept;  // RST: the peer sees a broken connection
    [[nodiscard]] bool is_open() const noexcept { return socket_ >= 0; }
    [[nodiscard]] int native_handle() const noexcept { return socket_; }
    // Nothing where the socket is not connected any more.
    [[nodiscard]] std::optional<boost::asio::ip::tcp::endpoint> local_address() const;
    [[nodiscard]] std::optional<boost::asio::ip::tcp::endpoint> remote_address() const;
    [[nodiscard]] read_buffer& buffer() noexcept { return buffer_; }

    // From now until it is destroyed it counts in `open`, which outlives it.
    void count_in(std::uint64_t& open) noexcept {
        counted_in_ = &open;
        ++open;
    }

    std::uint64_t bytes_in = 0;  // payload
    std::uint64_t bytes_out = 0;
    std::uint64_t generation = 0;  // of what its owner made it by

  private:
    [[nodiscard]] io_result read_plain(std::span<char> into);
    [[nodiscard]] io_result write_plain(std::span<std::string_view const> pieces);
    [[nodiscard]] io_result write_tls(std::span<std::string_view const> pieces);
    [[nodiscard]] io_result read_tls(std::span<char> into);
    [[nodiscard]] io_status tls_status(int returned);
    [[nodiscard]] peer_state look_tls();
    void send_fin() noexcept;
    [[nodiscard]] result<void> attach_tls(SSL_CTX* context);

    readiness& readiness_;
    int socket_;
    watch_ptr watch_;
    read_buffer buffer_;
    ssl_ptr ssl_;
    std::string cipher_out_;  // TLS records that the socket did not take yet
    session_slot_ptr sessions_;
    std::uint64_t* counted_in_ = nullptr;
    bool failed_ = false;
    bool ending_ = false;  // our side has ended, or will once everything has left
};
using endpoint_ptr = std::unique_ptr<endpoint>;

}  // namespace jitproxy::net
