// In which order and when a host's addresses are tried (RFC 8305, "Happy Eyeballs"). Values only, without a socket or a
// clock; net/dialer does what is decided here.
#pragma once
#include <boost/asio/ip/address.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "jitproxy/base/clock.hpp"
#include "jitproxy/base/error.hpp"
#include "jitproxy/net/resolver.hpp"

namespace jitproxy::net {

inline constexpr milliseconds attempt_delay{250};  // RFC 8305 5, 8: Connection Attempt Delay

// What both families have, each sorted already, as one list: IPv6 first where the first of its addresses can be reached
// from here at all, and is of a kind that is preferred to IPv4 (RFC 6724 2.1, 6: not unique local, 6to4, Teredo ...).
[[nodiscard]] addresses join_families(addresses v6, addresses v4, bool v6_usable);

// Each address once. Families alternate, beginning with that of the first address; within a family the order stays as
// it is (RFC 8305 4, First Address Family Count 1).
class address_order {
  public:
    void add(addresses const& more);  // may come in parts; those that are known are passed over
    [[nodiscard]] std::optional<boost::asio::ip::address> next();
    [[nodiscard]] bool empty() const noexcept { return v4_.empty() && v6_.empty(); }

  private:
    addresses known_;
    std::deque<boost::asio::ip::address> v4_;
    std::deque<boost::asio::ip::address> v6_;
    bool v6_is_next_ = false;
};

// One attempt after the other: the next begins when the newest has failed, or has not succeeded within the delay. All
// that have begun go on until one of them is established (RFC 8305 5).
class attempt_schedule {
  public:
    // `whole`: no more addresses will come.
    void found(addresses const& more, bool whole);

    enum class action : std::uint8_t { begin, wait, give_up };
    struct step {
        action what = action::wait;
        boost::asio::ip::address to;        // begin
        std::size_t attempt = 0;            // begin: its number, for failed()
        std::optional<milliseconds> pause;  // wait: ask again after this time; empty: once something has happened
    };
    // What is to be done at this time; asked again until it is not `begin`.
    [[nodiscard]] step next(steady_time now);
    void failed(std::size_t attempt, error const& why);

    // What to say where nothing was reached: the failure that tells most, with its address. A connection that was
    // refused tells more than one that got no answer, and that more than a missing route; that an address may not be
    // dialled counts only where there was no other.
    [[nodiscard]] error failure() const;
    // The same at a time at which attempts are still under way: they got no answer.
    [[nodiscard]] error out_of_time() const;

  private:
    [[nodiscard]] error told(error const& what) const;

    address_order waiting_;
    addresses tried_;               // by attempt
    std::vector<bool> under_way_;   // by attempt
    std::size_t open_ = 0;          // how many of them
    std::optional<error> telling_;  // of the failures so far
    steady_time newest_began_;
    bool whole_ = false;
};

}  // namespace jitproxy::net
