// The control API's sockets: HTTP/1.1 on a Unix socket, or on TCP with a token.
#pragma once
#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <memory>
#include <optional>
#include <string>

#include "jitproxy/control/address.hpp"
#include "jitproxy/control/api.hpp"

namespace jitproxy::control {

struct server_options {
    control::address address;
    secret_ptr token;            // wanted as bearer on TCP; must not be null there
    std::optional<gid_t> group;  // may use a Unix socket beside its owner
    milliseconds idle{60'000};
    milliseconds event_keep_alive{15'000};
    std::size_t connections = 128;
    std::size_t head_bytes = 16 * 1024;
    std::size_t body_bytes = 64 * 1024;
};

// Made and used on the control thread. `a` and `events` must outlive it.
class server {
  public:
    server(boost::asio::io_context& io, api& a, event_hub& events, server_options options);
    ~server();
    server(server const&) = delete;
    server& operator=(server const&) = delete;

    // A Unix socket is mode 0600, or 0660 with options.group; one that is there already is replaced only if nobody
    // answers on it. Errors: configuration (in use, cannot be listened on).
    [[nodiscard]] result<void> start();
    [[nodiscard]] control::address listener() const;  // with the real port
    // Stops accepting and ends every connection. Sessions attached to one are not closed by this.
    void stop();

  private:
    struct impl;
    std::shared_ptr<impl> impl_;
};

}  // namespace jitproxy::control
