// One TCP connection to a port of this machine, in TLS where asked for.
#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace bench {

struct tls_delete {
    void operator()(SSL_CTX* c) const { SSL_CTX_free(c); }
    void operator()(SSL* s) const { SSL_free(s); }
};
using tls_context = std::unique_ptr<SSL_CTX, tls_delete>;

// Trusts the CA of that file alone, resumes nothing: every handshake is a whole one. Exits where the file is no good.
tls_context make_tls(std::string const& ca_file);

enum class io {
    moved,       // some bytes, or the handshake is done
    wait_read,   // nothing to be had now
    wait_write,  // no room now
    closed,      // the other side ended it
    failed,      // reset, or not what was expected
};

class wire {
  public:
    enum class kind { blocking, non_blocking };
    wire(std::uint16_t port, kind k);
    ~wire();
    wire(wire&& other) noexcept;
    wire& operator=(wire&&) = delete;

    [[nodiscard]] int fd() const { return fd_; }
    // Once it is writable: did the connection come about?
    [[nodiscard]] bool connected() const;
    // The certificate must be good for localhost, whatever was dialled.
    void start_tls(SSL_CTX* context);
    [[nodiscard]] bool secure() const { return tls_ != nullptr; }
    io handshake();
    io read(std::span<char> into, std::size_t& moved);
    io write(std::string_view bytes, std::size_t& moved);

  private:
    io why(int returned) const;

    int fd_ = -1;
    std::unique_ptr<SSL, tls_delete> tls_;
};

}  // namespace bench
