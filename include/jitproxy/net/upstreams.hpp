// A worker's connections to origins: a pool of idle ones, and the way to new ones (resolve, guard, connect, TLS).
#pragma once
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "jitproxy/base/clock.hpp"
#include "jitproxy/net/deadline.hpp"
#include "jitproxy/net/endpoint.hpp"
#include "jitproxy/net/resolver.hpp"
#include "jitproxy/net/task.hpp"
#include "jitproxy/net/tls.hpp"

namespace jitproxy::net {

struct destination {
    http::scheme scheme = http::scheme::http;  // https: TLS to the origin
    http::authority authority;
    policy::api_ptr api;  // null: no protected API
    std::string origin;   // http::origin_of(scheme, authority)
};

struct upstream_options {
    milliseconds connect{10'000};
    milliseconds tls_handshake{10'000};
    milliseconds pool_idle{60'000};
    std::size_t pool_per_origin = 64;
};

// What decides whether and how an origin may be reached; replaced as a whole at a reload.
struct reach {
    policy::rules_ptr rules;
    std::shared_ptr<upstream_tls const> tls;
};

class upstreams {
  public:
    upstreams(boost::asio::io_context& io, buffer_pool& buffers, upstream_options options, resolver_options names);

    void set_reach(reach r);  // idle connections made under the old one are closed
    // Ports that this proxy itself listens on: a connection to itself there is a loop.
    void set_own_ports(std::vector<std::uint16_t> ports) { own_ports_ = std::move(ports); }
    // Counts for connections that are given back from now on.
    void set_pool_per_origin(std::size_t most) noexcept { options_.pool_per_origin = most; }

    struct connection {
        endpoint_ptr stream;
        bool reused = false;
    };
    // What is done about a connection that the origin is closing this very moment.
    enum class stale : std::uint8_t {
        looked_for,  // with a system call: what is sent on it may not be sent twice
        risked,      // the request is sent again, on a new one
    };
    // An idle connection to that origin that is still quiet, or null.
    [[nodiscard]] endpoint_ptr take_idle(destination const& to, waker& user, stale one = stale::looked_for);
    // A new one; `limit` is set for each step (reaching an address, TLS) and left at never. TLS only where `to.scheme`
    // is https and `with_tls`. Errors: dns_*, address_denied, connection_*, unreachable, limit_reached, tls_*, loop.
    [[nodiscard]] task<result<endpoint_ptr>> connect(destination const& to, bool with_tls, waker& user,
                                                     deadline& limit);
    // Nothing is left unread or unsent on it, and it was made under the reach that holds now.
    [[nodiscard]] bool is_reusable(endpoint& stream) const;
    // Keeps it for the next request to that origin, whoever's that is; closes it where it is not reusable.
    void give_back(destination const& to, endpoint_ptr stream);
    // Closes connections that were idle too long. Called at every tick.
    void tick(steady_time now);

    std::uint64_t connects = 0;  // made, with TLS where it was wanted
    std::uint64_t connect_failures = 0;
    std::uint64_t reuses = 0;
    std::uint64_t idle_now = 0;  // in the pool
    std::uint64_t open_now = 0;  // in the pool or in use

  private:
    struct idle {
        endpoint_ptr stream;
        steady_time since;
    };
    [[nodiscard]] task<result<endpoint_ptr>> make(destination const& to, bool with_tls, waker& user, deadline& limit);
    [[nodiscard]] task<result<endpoint_ptr>> dial(destination const& to, policy::address_guard const& guard,
                                                  waker& user, deadline& limit);
    [[nodiscard]] task<result<void>> start_tls(endpoint& stream, destination const& to, deadline& limit, waker& user);
    [[nodiscard]] bool is_loop(endpoint const& stream) const;
    [[nodiscard]] session_slot_ptr slot_of(destination const& to);

    boost::asio::io_context& io_;
    buffer_pool& buffers_;
    upstream_options options_;
    resolver resolver_;
    reach reach_;
    std::uint64_t generation_ = 0;  // how many times it was replaced
    std::vector<std::uint16_t> own_ports_;
    // By origin and API: contexts and client certificates differ from API to API.
    struct place {
        std::string origin;
        std::string api;  // its name; empty: no protected API
    };
    struct place_hash {  // a destination is looked up as it is
        using is_transparent = void;
        template <class T>
        std::size_t operator()(T const& at) const noexcept {
            return std::hash<std::string_view>{}(at.origin);
        }
    };
    struct same_place {
        using is_transparent = void;
        template <class T, class U>
        bool operator()(T const& a, U const& b) const noexcept {
            return a.origin == b.origin && api_of(a) == api_of(b);
        }
    };
    [[nodiscard]] static std::string_view api_of(place const& at) noexcept { return at.api; }
    [[nodiscard]] static std::string_view api_of(destination const& to) noexcept {
        return to.api ? std::string_view(to.api->name) : std::string_view();
    }
    template <class T>
    using by_place = std::unordered_map<place, T, place_hash, same_place>;
    // The value there; made where there is none yet.
    template <class T>
    [[nodiscard]] static T& at(by_place<T>& all, destination const& to) {
        auto const found = all.find(to);
        return found != all.end() ? found->second : all[place{to.origin, std::string(api_of(to))}];
    }

    by_place<std::vector<idle>> pool_;
    by_place<session_slot_ptr> sessions_;
    steady_time now_;  // of the last tick
};

}  // namespace jitproxy::net
