// Reaches one of a host's addresses: the sockets of RFC 8305's attempts. When which begins stands in net/attempts.
#pragma once
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <optional>
#include <vector>

#include "jitproxy/net/attempts.hpp"
#include "jitproxy/net/deadline.hpp"
#include "jitproxy/net/endpoint.hpp"
#include "jitproxy/policy/address_guard.hpp"

namespace jitproxy::net {

class dialer {
  public:
    // `user` is woken when it is time to look again; `limit` is the time of the whole, set by the caller. Every address
    // is judged by the guard, and the address that was judged is the one that is dialled.
    dialer(boost::asio::io_context& io, buffer_pool& buffers, policy::address_guard const& guard, std::uint16_t port,
           waker& user, deadline& limit);

    void found(addresses const& more, bool whole) { schedule_.found(more, whole); }
    // Looks at the attempts under way and begins what is due. A connection: the others are closed with this. Empty:
    // call again after the next wake-up. Errors: address_denied, connection_*, unreachable, dns_*, limit_reached.
    [[nodiscard]] std::optional<result<endpoint_ptr>> advance();

  private:
    struct attempt {
        std::size_t number;
        endpoint_ptr stream;
    };
    [[nodiscard]] endpoint_ptr established();
    [[nodiscard]] result<endpoint_ptr> begin(boost::asio::ip::address const& to);

    boost::asio::io_context& io_;
    buffer_pool& buffers_;
    policy::address_guard const& guard_;
    std::uint16_t port_;
    waker& user_;
    deadline& limit_;
    deadline pause_;  // as coarse as its ticks: 250 ms are between 200 and 300
    attempt_schedule schedule_;
    std::vector<attempt> under_way_;
};

}  // namespace jitproxy::net
