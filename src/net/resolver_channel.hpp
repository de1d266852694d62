// A c-ares channel driven by an io_context: its sockets watched, its timeouts kept. Used on the io_context's thread
// only.
#pragma once
#include <ares.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "jitproxy/net/resolver.hpp"

namespace jitproxy::net {

// What c-ares said: its status and, where that is ARES_SUCCESS, addresses in RFC 6724 order and the shortest TTL.
struct lookup_answer {
    int status = ARES_ECANCELLED;
    addresses found;
    seconds ttl{0};
};

class resolver_channel {
  public:
    using lookup_callback = std::function<void(lookup_answer)>;

    enum class source : std::uint8_t { hosts_file, name_servers };

    // Throws failure where c-ares can't be set up or the options' name servers can't be read.
    resolver_channel(boost::asio::io_context& io, resolver_options const& options, source from);
    ~resolver_channel();  // no callback runs any more, not even for lookups under way
    resolver_channel(resolver_channel const&) = delete;
    resolver_channel& operator=(resolver_channel const&) = delete;

    [[nodiscard]] bool idle() const noexcept { return pending_ == 0; }

    // Family: AF_INET, AF_INET6 or AF_UNSPEC. The callback may run within this call (always for the hosts file) or
    // within c-ares later: it must not destroy the channel.
    void lookup(std::string const& host, int family, lookup_callback callback);

  private:
    struct pending_lookup;
    struct watched_socket {
        explicit watched_socket(boost::asio::io_context& io) : descriptor(io) {}
        boost::asio::posix::stream_descriptor descriptor;  // c-ares owns the socket: released, never closed
        bool want_read = false;
        bool want_write = false;
        bool waiting_read = false;
        bool waiting_write = false;
    };
    using socket_ptr = std::shared_ptr<watched_socket>;

    static void on_socket_state(void* self, ares_socket_t fd, int readable, int writable);
    static void on_addrinfo(void* pending, int status, int timeouts, ares_addrinfo* info);
    void wait(socket_ptr const& s, ares_socket_t fd);
    void process(ares_socket_t readable, ares_socket_t writable);
    void arm_timer();

    boost::asio::io_context& io_;
    boost::asio::steady_timer timer_;
    std::unordered_map<ares_socket_t, socket_ptr> sockets_;
    ares_channel channel_ = nullptr;
    std::size_t pending_ = 0;  // lookups under way
    bool closing_ = false;
    std::shared_ptr<char const> alive_ = std::make_shared<char const>();  // for a timer that ran out before the end
};

}  // namespace jitproxy::net
