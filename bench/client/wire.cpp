#include "wire.hpp"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace bench {

tls_context make_tls(std::string const& ca_file) {
    tls_context c{SSL_CTX_new(TLS_client_method())};
    SSL_CTX_set_mode(c.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(c.get(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify(c.get(), SSL_VERIFY_PEER, nullptr);
    if (SSL_CTX_load_verify_file(c.get(), ca_file.c_str()) != 1) {
        std::fprintf(stderr, "no certificate in '%s'\n", ca_file.c_str());
        std::exit(2);
    }
    return c;
}

wire::wire(std::uint16_t port, kind k) {
    int const flags = SOCK_STREAM | SOCK_CLOEXEC | (k == kind::non_blocking ? SOCK_NONBLOCK : 0);
    fd_ = ::socket(AF_INET, flags, 0);
    if (fd_ < 0) {
        std::perror("socket");
        std::exit(2);
    }
    int const on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    // What goes wrong here shows at the first use.
    (void)::connect(fd_, reinterpret_cast<sockaddr const*>(&to), sizeof to);
}

wire::~wire() {
    tls_.reset();
    if (fd_ >= 0) ::close(fd_);
}

wire::wire(wire&& other) noexcept : fd_(std::exchange(other.fd_, -1)), tls_(std::move(other.tls_)) {}

bool wire::connected() const {
    int error = 0;
    socklen_t size = sizeof error;
    return ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
}

void wire::start_tls(SSL_CTX* context) {
    tls_.reset(SSL_new(context));
    SSL_set_fd(tls_.get(), fd_);
    std::string name = "localhost";
    // SSL_set_tlsext_host_name without its macro's cast
    SSL_ctrl(tls_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data());
    SSL_set1_host(tls_.get(), name.c_str());
}

io wire::handshake() {
    ERR_clear_error();
    int const r = SSL_connect(tls_.get());
    return r == 1 ? io::moved : why(r);
}

io wire::read(std::span<char> into, std::size_t& moved) {
    moved = 0;
    if (tls_) {
        ERR_clear_error();
        int const r = SSL_read_ex(tls_.get(), into.data(), into.size(), &moved);
        return r == 1 ? io::moved : why(r);
    }
    auto const r = ::recv(fd_, into.data(), into.size(), 0);
    if (r == 0) return io::closed;
    if (r < 0) return errno == EAGAIN ? io::wait_read : io::failed;
    moved = static_cast<std::size_t>(r);
    return io::moved;
}

io wire::write(std::string_view bytes, std::size_t& moved) {
    moved = 0;
    if (tls_) {
        ERR_clear_error();
        int const r = SSL_write_ex(tls_.get(), bytes.data(), std::min<std::size_t>(bytes.size(), 1UL << 16), &moved);
        return r == 1 ? io::moved : why(r);
    }
    auto const r = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (r < 0) return errno == EAGAIN ? io::wait_write : io::failed;
    moved = static_cast<std::size_t>(r);
    return io::moved;
}

io wire::why(int returned) const {
    switch (SSL_get_error(tls_.get(), returned)) {
        case SSL_ERROR_WANT_READ:
            return io::wait_read;
        case SSL_ERROR_WANT_WRITE:
            return io::wait_write;
        case SSL_ERROR_ZERO_RETURN:
            return io::closed;
        case SSL_ERROR_SSL:  // an end without close_notify
            return ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING ? io::closed : io::failed;
        default:
            return io::failed;
    }
}

}  // namespace bench
