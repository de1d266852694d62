// One connection of the load: dials, asks for the tunnel, shakes hands, then sends the request as often as it is told
// to.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "response.hpp"
#include "wire.hpp"

namespace bench {

using instant = std::chrono::steady_clock::time_point;

inline instant now() {
    return std::chrono::steady_clock::now();
}

// The same for every connection of a run.
struct plan {
    std::uint16_t port = 0;  // dialled
    tls_context tls;         // none: plain
    std::string connect;     // the head of CONNECT; empty: none is sent
    std::string request;
    std::optional<std::size_t> expect;  // bytes of body that an answer must have
};

enum class outcome { waiting, answered, failed };

class connection {
  public:
    connection(plan const& p, int epoll) : plan_(p), epoll_(epoll) {}

    // The first request's time counts from here, with everything that comes before it.
    void dial();
    // The next request, on the connection that is there.
    void again();
    void close();
    // Goes on until it has to wait, an answer is whole, or something failed.
    outcome drive();

    [[nodiscard]] bool open() const { return wire_.has_value(); }
    [[nodiscard]] bool kept() const { return open() && answer_.keeps_connection(); }
    [[nodiscard]] instant begun() const { return begun_; }
    [[nodiscard]] instant first_byte() const { return first_byte_; }
    [[nodiscard]] std::size_t served() const { return served_; }
    [[nodiscard]] char const* trouble() const { return trouble_; }
    // A server may close a kept connection at any time: failed, but only to be tried again.
    [[nodiscard]] bool was_stale() const { return served_ > 0 && !answer_.begun(); }

  private:
    enum class phase { connecting, opening_tunnel, shaking_hands, writing, reading, resting };
    enum class step { on, wait, answered, failed };

    step advance();
    step dialled();
    step open_tunnel();
    step shake_hands();
    step write();
    step read();
    step resting();
    step fail(char const* why);
    step wait_for(std::uint32_t events);
    void send_request();

    plan const& plan_;
    int epoll_;
    std::optional<wire> wire_;
    phase phase_ = phase::connecting;
    std::uint32_t watched_ = 0;
    std::size_t sent_ = 0;
    std::size_t served_ = 0;  // on this connection
    response answer_;
    instant begun_;
    instant first_byte_;
    char const* trouble_ = "";
};

}  // namespace bench
