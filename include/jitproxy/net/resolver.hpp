// Name resolution that holds nobody up: c-ares on an io_context, with a cache that respects TTLs.
#pragma once
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "jitproxy/base/clock.hpp"
#include "jitproxy/base/error.hpp"

namespace jitproxy::net {

struct resolver_options {
    milliseconds timeout{5000};  // whole lookup, all tries
    std::size_t cache_entries = 1024;
    seconds max_ttl{300};
    seconds negative_ttl{5};
    std::string servers;                 // "127.0.0.1:5353,…" in place of the system's; tests
    std::string configuration;           // in place of /etc/resolv.conf, which is read again when it has changed; tests
    std::function<steady_time()> clock;  // what the cache's TTLs are counted by; empty: the steady clock; tests
};

using addresses = std::vector<boost::asio::ip::address>;

inline constexpr milliseconds resolution_delay{50};  // RFC 8305 3, 8

struct found_addresses {
    addresses all;
    bool whole = true;  // false: one family has not answered yet
};

// One a worker; used on that worker's thread only. /etc/hosts is honoured; "localhost" and names below it are loopback
// (RFC 6761).
class resolver {
  public:
    resolver(boost::asio::io_context& io, resolver_options options);
    ~resolver();
    resolver(resolver const&) = delete;
    resolver& operator=(resolver const&) = delete;

    // Calls back once on the worker, never from within this call; addresses in RFC 6724 order. A literal address
    // answers with itself. Errors: dns_timeout, dns_error. Equal names asked for at the same time are asked once. Where
    // there is an IPv4 address and no word about IPv6 within the resolution delay, IPv4 is the answer.
    void resolve(std::string const& normalised_host, std::function<void(result<addresses>)> callback);
    // The same for who can use one family's addresses before the other's are known, as RFC 8305 3 has it: IPv6 at once,
    // IPv4 after the resolution delay. Where such a part was given, all that was found follows in a second call.
    void resolve_in_parts(std::string const& normalised_host, std::function<void(result<found_addresses>)> callback);

  private:
    struct impl;
    std::shared_ptr<impl> impl_;
};

}  // namespace jitproxy::net
