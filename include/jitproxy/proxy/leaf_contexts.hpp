// TLS contexts with minted certificates, one a host, shared by all workers.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "jitproxy/ca/authority.hpp"
#include "jitproxy/net/tls.hpp"

namespace jitproxy::proxy {

// Outlives the contexts, which a reload makes anew. Any thread.
struct leaf_counts {
    std::atomic<std::uint64_t> hits{0};
    std::atomic<std::uint64_t> misses{0};  // a certificate was minted, or could not be
};

class leaf_contexts {
  public:
    // `authority` may be null: then nothing is intercepted and every request for a context is refused (fail closed).
    explicit leaf_contexts(std::shared_ptr<ca::authority const> authority,
                           std::shared_ptr<leaf_counts> counts = std::make_shared<leaf_counts>());
    // Any thread. In the last part of the CA's life the log says so, once a day at most: a daemon that nobody starts
    // anew would come to its end unseen. After it every request for a context is refused. Errors: configuration (no
    // CA), host_denied (outside its name constraints), internal.
    [[nodiscard]] result<net::ssl_ctx_ptr> context(std::string const& host, wall_time now);
    [[nodiscard]] std::size_t size() const;  // any thread

  private:
    struct entry {
        net::ssl_ctx_ptr context;
        wall_time renew_at;
    };
    std::shared_ptr<ca::authority const> authority_;
    std::shared_ptr<leaf_counts> counts_;
    mutable std::mutex mutex_;  // taken once an intercepted connection, never on a kept one
    std::unordered_map<std::string, entry> entries_;
    wall_time warn_after_;  // mutex_
};

}  // namespace jitproxy::proxy
