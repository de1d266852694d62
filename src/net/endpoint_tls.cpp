// The TLS half of endpoint: OpenSSL over a BIO that reads the socket directly and collects what is written, so that
// several records leave in one send.
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "jitproxy/net/endpoint.hpp"

namespace jitproxy::net {

namespace {

constexpr std::size_t record_size = 16 * 1024;
constexpr std::size_t most_ciphertext = 512 * 1024;
// Of the socket, for one call of OpenSSL: a record that lies across two needs two. OpenSSL itself goes on as long as
// there are records without data (key updates), and a peer can send those without end.
constexpr int most_reads = 4;

// What the BIO works on. Its address is stable: the endpoint owns it and frees the SSL first.
struct bio_target {
    int fd;
    readiness* set;
    watch_ptr state;
    std::string* out;
    std::string early;  // ciphertext that was read before TLS began
    std::size_t early_used = 0;
    int reads = 0;  // since the last call of OpenSSL
};

bio_target* target_of(BIO* bio) {
    return static_cast<bio_target*>(BIO_get_data(bio));
}

int bio_write(BIO* bio, char const* data, std::size_t size, std::size_t* written) {
    target_of(bio)->out->append(data, size);
    *written = size;
    return 1;
}

int bio_read(BIO* bio, char* data, std::size_t size, std::size_t* got) {
    BIO_clear_retry_flags(bio);
    auto& target = *target_of(bio);
    if (target.early_used < target.early.size()) {
        *got = target.early.copy(data, size, target.early_used);
        target.early_used += *got;
        return 1;
    }
    *got = 0;
    if (target.state->readable && ++target.reads > most_reads) target.set->put_off(target.state);
    if (!target.state->readable) {
        BIO_set_retry_read(bio);
        return 0;
    }
    auto const n = ::recv(target.fd, data, size, 0);
    if (n > 0) {
        *got = static_cast<std::size_t>(n);
        if (*got < size) target.state->drained();
        return 1;
    }
    if (n == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
        if (errno != EINTR) target.state->drained();
        BIO_set_retry_read(bio);
    }
    return 0;
}

long bio_ctrl(BIO* bio, int command, long, void*) {
    if (command == BIO_CTRL_FLUSH) return 1;
    if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
    return 0;
}

int bio_destroy(BIO* bio) {
    delete target_of(bio);
    BIO_set_data(bio, nullptr);
    return 1;
}

BIO_METHOD* socket_method() {
    static BIO_METHOD* const method = [] {
        auto* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "jitproxy socket");
        BIO_meth_set_write_ex(m, bio_write);
        BIO_meth_set_read_ex(m, bio_read);
        BIO_meth_set_ctrl(m, bio_ctrl);
        BIO_meth_set_destroy(m, bio_destroy);
        return m;
    }();
    return method;
}

// Before each call that may read.
void begin_call(SSL* ssl) {
    ERR_clear_error();
    target_of(SSL_get_rbio(ssl))->reads = 0;
}

error tls_setup_failed() {
    return make_error(errc::internal, "TLS could not be set up");
}

}  // namespace

result<void> endpoint::attach_tls(SSL_CTX* context) {
    ssl_.reset(SSL_new(context));
    if (!ssl_) return tls_setup_failed();
    auto* bio = BIO_new(socket_method());
    if (bio == nullptr) return tls_setup_failed();
    BIO_set_data(bio, new bio_target{socket_, &readiness_, watch_, &cipher_out_, std::string(buffer_.data())});
    buffer_.consume(buffer_.size());
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_.get(), bio, bio);
    return {};
}

result<void> endpoint::start_tls_accept(SSL_CTX* context) {
    if (auto attached = attach_tls(context); !attached) return attached;
    SSL_set_accept_state(ssl_.get());
    return {};
}

result<void> endpoint::start_tls_connect(SSL_CTX* context, std::string const& host, bool host_is_ip,
                                         session_slot_ptr sessions) {
    if (auto attached = attach_tls(context); !attached) return attached;
    SSL_set_connect_state(ssl_.get());
    auto* parameters = SSL_get0_param(ssl_.get());
    X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (host_is_ip) {  // RFC 6066 3: no SNI for addresses
        if (X509_VERIFY_PARAM_set1_ip_asc(parameters, host.c_str()) != 1) return tls_setup_failed();
    } else {
        if (X509_VERIFY_PARAM_set1_host(parameters, host.data(), host.size()) != 1) return tls_setup_failed();
        // SSL_set_tlsext_host_name without its macro's cast
        if (SSL_ctrl(ssl_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                     const_cast<char*>(host.c_str())) != 1)
            return tls_setup_failed();
    }
    sessions_ = std::move(sessions);
    if (sessions_) {
        SSL_set_ex_data(ssl_.get(), 0, sessions_.get());
        if (sessions_->session) SSL_set_session(ssl_.get(), sessions_->session.get());
    }
    return {};
}

io_status endpoint::tls_status(int returned) {
    switch (SSL_get_error(ssl_.get(), returned)) {
        case SSL_ERROR_NONE:
            return io_status::ok;
        case SSL_ERROR_WANT_READ:
        case SSL_ERROR_WANT_WRITE:
            return io_status::blocked;
        case SSL_ERROR_ZERO_RETURN:
            return io_status::eof;
        default:
            failed_ = true;
            return io_status::failed;  // also an end without close_notify: cut, not ended
    }
}

io_result endpoint::handshake() {
    if (failed_) return {io_status::failed, 0};
    begin_call(ssl_.get());
    auto const returned = SSL_do_handshake(ssl_.get());
    auto status = tls_status(returned);
    if (auto const sent = flush(); sent.status == io_status::failed && status != io_status::ok)
        status = io_status::failed;
    if (status == io_status::eof) status = io_status::failed;
    return {status, 0};  // ok: what the socket did not take yet leaves with the first write
}

error endpoint::handshake_error() const {
    auto const verified = SSL_get_verify_result(ssl_.get());
    if (verified != X509_V_OK)
        return make_error(errc::tls_bad_certificate,
                          std::string("the certificate did not verify: ") + X509_verify_cert_error_string(verified));
    auto const code = ERR_peek_last_error();
    char const* reason = code != 0 ? ERR_reason_error_string(code) : nullptr;
    return make_error(errc::tls_failed, reason != nullptr ? std::string("TLS handshake failed: ") + reason
                                                          : "TLS handshake failed: the peer closed the connection");
}

io_result endpoint::read_tls(std::span<char> into) {
    io_result done{io_status::blocked, 0};
    while (done.bytes < into.size()) {
        begin_call(ssl_.get());
        auto const n = SSL_read(ssl_.get(), into.data() + done.bytes,
                                static_cast<int>(std::min<std::size_t>(into.size() - done.bytes, 1 << 30)));
        if (n <= 0) {
            if (done.bytes != 0 && SSL_get_error(ssl_.get(), n) != SSL_ERROR_WANT_READ)
                break;  // reported by the next call
            if (done.bytes == 0) done.status = tls_status(n);
            break;
        }
        done.bytes += static_cast<std::size_t>(n);
    }
    if (done.bytes != 0) done.status = io_status::ok;
    if (!cipher_out_.empty()) (void)flush();  // key updates and alerts
    return done;
}

// Something is there, which may be no data at all: a session ticket, or the peer's close_notify.
endpoint::peer_state endpoint::look_tls() {
    begin_call(ssl_.get());
    char byte = 0;
    auto const peeked = SSL_peek(ssl_.get(), &byte, 1);
    if (peeked > 0) return peer_state::has_data;
    if (tls_status(peeked) != io_status::blocked) return peer_state::gone;
    if (!cipher_out_.empty()) (void)flush();
    return SSL_has_pending(ssl_.get()) != 0 ? peer_state::has_data : peer_state::quiet;  // part of a record, or none
}

io_result endpoint::write_tls(std::span<std::string_view const> pieces) {
    if (auto const earlier = flush(); earlier.status != io_status::ok) return {earlier.status, 0};
    static thread_local std::string spare;  // lends its capacity: an idle connection keeps none
    static thread_local char staging[record_size];
    cipher_out_.swap(spare);
    cipher_out_.clear();
    ERR_clear_error();
    std::size_t taken = 0;
    std::size_t staged = 0;
    auto put = [&](char const* data, std::size_t size) {
        std::size_t written = 0;
        if (size == 0) return true;
        if (SSL_write_ex(ssl_.get(), data, size, &written) != 1 || written != size) return false;
        taken += size;
        return true;
    };
    // Small pieces (head, chunk sizes) share a record; a large piece goes out as it lies.
    bool good = true;
    for (auto piece : pieces) {
        if (!good || cipher_out_.size() > most_ciphertext) break;
        if (piece.size() > record_size / 2 && staged == 0) {
            good = put(piece.data(), piece.size());
            continue;
        }
        while (good && !piece.empty()) {
            auto const n = std::min(piece.size(), record_size - staged);
            std::memcpy(staging + staged, piece.data(), n);
            staged += n;
            piece.remove_prefix(n);
            if (staged == record_size) {
                good = put(staging, staged);
                staged = 0;
                if (good && piece.size() > record_size / 2) {
                    good = put(piece.data(), piece.size());
                    piece = {};
                }
            }
        }
    }
    if (good) good = put(staging, staged);
    if (!good) {
        failed_ = true;
        return {io_status::failed, 0};
    }
    auto const sent = flush();
    if (cipher_out_.empty()) cipher_out_.swap(spare);
    if (sent.status == io_status::failed) return {io_status::failed, 0};
    return {io_status::ok, taken};
}

}  // namespace jitproxy::net
