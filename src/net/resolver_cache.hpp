// What name servers said, for as long as they said it. Bounded: the entry that was used longest ago goes first.
#pragma once
#include <boost/asio/ip/address.hpp>
#include <list>
#include <string>
#include <unordered_map>

#include "jitproxy/net/resolver.hpp"

namespace jitproxy::net {

class resolver_cache {
  public:
    explicit resolver_cache(std::size_t most_entries) : most_entries_(most_entries) {}

    // Null where there is nothing, or nothing that still counts. Valid until the next call.
    [[nodiscard]] result<addresses> const* find(std::string const& host, steady_time now);
    void put(std::string const& host, result<addresses> answer, steady_time until);
    [[nodiscard]] std::size_t size() const noexcept { return by_use_.size(); }

  private:
    struct entry {
        std::string host;
        result<addresses> answer;
        steady_time until;
    };
    using entries = std::list<entry>;  // the last used first

    std::size_t most_entries_;
    entries by_use_;
    std::unordered_map<std::string, entries::iterator> by_host_;
};

}  // namespace jitproxy::net
