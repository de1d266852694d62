#include "jitproxy/net/endpoint.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "jitproxy/base/log.hpp"

namespace jitproxy::net {

namespace {

bool would_block() noexcept {
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

using get_name = int(int, sockaddr*, socklen_t*);
std::optional<boost::asio::ip::tcp::endpoint> name_of(int socket, get_name* get) {
    boost::asio::ip::tcp::endpoint name;
    auto size = static_cast<socklen_t>(name.capacity());
    if (get(socket, name.data(), &size) != 0) return std::nullopt;
    name.resize(size);
    return name;
}

}  // namespace

endpoint::endpoint(boost::asio::io_context& io, int socket, buffer_pool& pool)
    : readiness_(readiness::of(io)), socket_(socket), buffer_(pool) {
    int const on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (auto watched = readiness_.add(socket_)) {
        watch_ = std::move(*watched);
    } else {
        log::warning("a connection is dropped", {{"why", watched.error().detail}});
        watch_.reset(new watch);
        watch_->ended = true;
        failed_ = true;
    }
}

endpoint::~endpoint() {
    close();
    if (counted_in_ != nullptr) --*counted_in_;
}

std::optional<boost::asio::ip::tcp::endpoint> endpoint::local_address() const {
    return name_of(socket_, &::getsockname);
}

std::optional<boost::asio::ip::tcp::endpoint> endpoint::remote_address() const {
    return name_of(socket_, &::getpeername);
}

io_result endpoint::try_read(std::span<char> into) {
    if (failed_) return {io_status::failed, 0};
    io_result done;
    if (ssl_)
        done = read_tls(into);
    else
        done = read_plain(into);
    bytes_in += done.bytes;
    if (done.status == io_status::failed) failed_ = true;
    return done;
}

io_result endpoint::read_plain(std::span<char> into) {
    if (!watch_->readable) return {io_status::blocked, 0};
    auto const n = ::recv(socket_, into.data(), into.size(), 0);
    if (n < 0) {
        if (!would_block()) return {io_status::failed, 0};
        if (errno != EINTR) watch_->drained();
        return {io_status::blocked, 0};
    }
    if (n == 0) return {io_status::eof, 0};
    // Less than there was room for: that was all. What comes later is told anew (epoll(7)).
    if (static_cast<std::size_t>(n) < into.size()) watch_->drained();
    return {io_status::ok, static_cast<std::size_t>(n)};
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
    auto const n = ::sendmsg(socket_, &message, MSG_NOSIGNAL);
    if (n >= 0) return {io_status::ok, static_cast<std::size_t>(n)};
    if (!would_block()) return {io_status::failed, 0};
    watch_->writable = errno == EINTR;
    return {io_status::blocked, 0};
}

io_result endpoint::flush() {
    if (cipher_out_.empty()) return {io_status::ok, 0};
    std::size_t sent = 0;
    io_status status = io_status::ok;
    while (sent < cipher_out_.size()) {
        auto const n = ::send(socket_, cipher_out_.data() + sent, cipher_out_.size() - sent, MSG_NOSIGNAL);
        if (n < 0) {
            if (errno == EINTR) continue;
            status = would_block() ? io_status::blocked : io_status::failed;
            watch_->writable = false;
            break;
        }
        sent += static_cast<std::size_t>(n);
    }
    cipher_out_.erase(0, sent);
    if (status == io_status::failed) failed_ = true;
    if (ending_ && (cipher_out_.empty() || failed_)) send_fin();
    return {status, sent};
}

void endpoint::wait_read() {
    watch_->waits_to_write = !cipher_out_.empty() || watch_->waits_to_write;
    watch_->wait_read();
}

endpoint::peer_state endpoint::look() {
    if (failed_ || !is_open()) return peer_state::gone;
    // What TLS has read ahead the socket knows nothing of.
    bool const empty = buffer_.empty();
    if (empty && (!ssl_ || SSL_has_pending(ssl_.get()) == 0)) {
        char byte = 0;
        auto const n = ::recv(socket_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        if (n < 0) {
            if (!would_block()) return peer_state::gone;
            if (errno != EINTR) watch_->drained();
            return peer_state::quiet;
        }
        watch_->readable = true;  // the edge may still be on its way
        if (n == 0) return peer_state::gone;
    }
    if (auto const seen = empty && ssl_ ? look_tls() : peer_state::has_data; seen != peer_state::has_data) return seen;
    return watch_->ended ? peer_state::gone : peer_state::has_data;  // its end may lie behind what it sent before
}

bool endpoint::seems_quiet() const noexcept {
    return !failed_ && is_open() && buffer_.empty() && (!ssl_ || SSL_has_pending(ssl_.get()) == 0) &&
           !watch_->readable && !watch_->ended;
}

void endpoint::shutdown_send() noexcept {
    if (!is_open() || ending_) return;
    if (ssl_ && !failed_ && SSL_is_init_finished(ssl_.get()) != 0) {
        SSL_shutdown(ssl_.get());
        (void)flush();
    }
    ending_ = true;
    if (cipher_out_.empty() || failed_) send_fin();  // else once the rest has left
}

void endpoint::send_fin() noexcept {
    ::shutdown(socket_, SHUT_WR);
}

// From here on the descriptor may be another's: nothing here, and nothing of TLS, touches it again.
void endpoint::close() noexcept {
    failed_ = true;
    if (!is_open()) return;
    ::close(std::exchange(socket_, -1));
    readiness_.forget(watch_);
}

void endpoint::reset() noexcept {
    linger const at_once{1, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close();
}

}  // namespace jitproxy::net
