// What the two families' answers about one name come to.
#pragma once
#include <string>

#include "jitproxy/net/attempts.hpp"
#include "resolver_channel.hpp"

namespace jitproxy::net {

struct joined_answer {
    result<addresses> answer;
    seconds ttl{0};  // 0: not to be kept
};

// Either answer may be missing: null. Kept for as long as both say; for `options.negative_ttl` where there is nothing
// to be found (RFC 2308), and where only one family has said so; not at all where it was trouble at the name servers.
[[nodiscard]] joined_answer join(std::string const& host, lookup_answer const* v6, lookup_answer const* v4,
                                 resolver_options const& options);
[[nodiscard]] error lookup_failed(std::string const& host, int status);

}  // namespace jitproxy::net
