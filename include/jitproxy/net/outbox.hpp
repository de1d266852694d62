// The sending half of a relay: passes pieces on at once and keeps only what the socket did not take. Whoever feeds it stops while
// anything is kept; that is the backpressure.
#pragma once
#include <span>
#include <string>
#include <string_view>

#include "jitproxy/net/endpoint.hpp"

namespace jitproxy::net {

class outbox {
  public:
    // Nothing waits to be sent, here or in the endpoint's TLS.
    [[nodiscard]] bool empty(endpoint const& to) const noexcept { return sent_ == kept_.size() && to.flushed(); }
    // ok: all is on its way; blocked: something is kept, wait for writability and flush; failed.
    [[nodiscard]] io_status send(endpoint& to, std::span<std::string_view const> pieces);
    [[nodiscard]] io_status flush(endpoint& to);
    // Forgets what is kept and wipes it: it may hold a bearer.
    void clear() noexcept;

  private:
    std::string kept_;
    std::size_t sent_ = 0;
};

}  // namespace jitproxy::net
