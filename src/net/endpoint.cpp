#include "jitproxy/net/endpoint.hpp"

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace jitproxy::net {

endpoint::endpoint(tcp_socket socket, buffer_pool& pool)
    : socket_(std::move(socket)), waits_(new waits), buffer_(pool) {
    boost::system::error_code ignored;
    socket_.native_non_blocking(true, ignored);
    socket_.set_option(boost::asio::ip::tcp::no_delay(true), ignored);
}

endpoint::~endpoint() {
    waits_->target = nullptr;
    close();
}

io_result endpoint::try_read(std::span<char> into) {
    if (failed_) return {io_status::failed, 0};
    io_result done;
    if (ssl_) {
        done = read_tls(into);
    } else {
        auto const n = ::recv(socket_.native_handle(), into.data(), into.size(), 0);
        if (n > 0)
            done = {io_status::ok, static_cast<std::size_t>(n)};
        else if (n == 0)
            done = {io_status::eof, 0};
        else if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
            done = {io_status::blocked, 0};
        else
            done = {io_status::failed, 0};
    }
    bytes_in += done.bytes;
    if (done.status == io_status::failed) failed_ = true;
    return done;
}

io_result endpoint::try_write(std::span<std::string_view const> pieces) {
    if (failed_) return {io_status::failed, 0};
    auto const done = ssl_ ? write_tls(pieces) : write_plain(pieces);
    bytes_out += done.bytes;
    if (done.status == io_status::failed) failed_ = true;
    return done;
}

io_result endpoint::write_plain(std::span<std::string_view const> pieces) {
    constexpr std::size_t most = 64;
    std::array<iovec, most> vectors;  // NOLINT: filled below as far as used
    std::size_t count = 0;
    for (auto piece : pieces) {
        if (piece.empty()) continue;
        if (count == most) break;
        vectors[count++] = {const_cast<char*>(piece.data()), piece.size()};
    }
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = count;
    auto const n = ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL);
    if (n >= 0) return {io_status::ok, static_cast<std::size_t>(n)};
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return {io_status::blocked, 0};
    return {io_status::failed, 0};
}

io_result endpoint::flush() {
    if (cipher_out_.empty()) return {io_status::ok, 0};
    std::size_t sent = 0;
    io_status status = io_status::ok;
    while (sent < cipher_out_.size()) {
        auto const n =
            ::send(socket_.native_handle(), cipher_out_.data() + sent, cipher_out_.size() - sent, MSG_NOSIGNAL);
        if (n < 0) {
            auto const again = errno == EAGAIN || errno == EWOULDBLOCK;
            if (errno == EINTR) continue;
            status = again ? io_status::blocked : io_status::failed;
            break;
        }
        sent += static_cast<std::size_t>(n);
    }
    cipher_out_.erase(0, sent);
    if (status == io_status::failed) failed_ = true;
    if (ending_ && (cipher_out_.empty() || failed_)) send_fin();
    return {status, sent};
}

void endpoint::arm(boost::asio::socket_base::wait_type type) {
    auto& armed = type == boost::asio::socket_base::wait_read ? waits_->reading : waits_->writing;
    if (armed || !socket_.is_open()) return;
    armed = true;
    socket_.async_wait(type, [w = waits_, type](boost::system::error_code) {
        (type == boost::asio::socket_base::wait_read ? w->reading : w->writing) = false;
        if (w->target) w->target->wake();
    });
}

void endpoint::wait_read() {
    arm(boost::asio::socket_base::wait_read);
    if (!cipher_out_.empty()) arm(boost::asio::socket_base::wait_write);
}

void endpoint::wait_write() {
    arm(boost::asio::socket_base::wait_write);
}

endpoint::peer_state endpoint::look() {
    if (failed_ || !socket_.is_open()) return peer_state::gone;
    if (!buffer_.empty()) return peer_state::has_data;
    // What TLS has read ahead the socket knows nothing of.
    if (!ssl_ || SSL_has_pending(ssl_.get()) == 0) {
        char byte = 0;
        auto const n = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        if (n < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? peer_state::quiet : peer_state::gone;
        if (n == 0) return peer_state::gone;
    }
    return ssl_ ? look_tls() : peer_state::has_data;
}

void endpoint::shutdown_send() noexcept {
    if (!socket_.is_open() || ending_) return;
    if (ssl_ && !failed_ && SSL_is_init_finished(ssl_.get()) != 0) {
        SSL_shutdown(ssl_.get());
        (void)flush();
    }
    ending_ = true;
    if (cipher_out_.empty() || failed_) send_fin();  // else once the rest has left
}

void endpoint::send_fin() noexcept {
    boost::system::error_code ignored;
    socket_.shutdown(boost::asio::ip::tcp::socket::shutdown_send, ignored);
}

// From here on the descriptor may be another's: nothing here, and nothing of TLS, touches it again.
void endpoint::close() noexcept {
    failed_ = true;
    boost::system::error_code ignored;
    socket_.close(ignored);
}

void endpoint::reset() noexcept {
    boost::system::error_code ignored;
    socket_.set_option(boost::asio::socket_base::linger(true, 0), ignored);
    close();
}

}  // namespace jitproxy::net
