#include "jitproxy/proxy/leaf_contexts.hpp"

#include <algorithm>
#include <utility>

#include "jitproxy/base/log.hpp"

namespace jitproxy::proxy {

namespace {
constexpr std::size_t most_hosts = 1024;              // a suffix pattern has no end of names
constexpr auto renewal = std::chrono::hours{24 * 3};  // leaves live seven days
constexpr auto between_warnings = std::chrono::hours{24};
}  // namespace

leaf_contexts::leaf_contexts(std::shared_ptr<ca::authority const> authority, std::shared_ptr<leaf_counts> counts)
    : authority_(std::move(authority)), counts_(std::move(counts)) {
    if (authority_) warn_after_ = authority_->renew_after();
}

result<net::ssl_ctx_ptr> leaf_contexts::context(std::string const& host, wall_time now) {
    if (!authority_)
        return make_error(
            errc::configuration,
            "there is no local CA, so TLS to protected APIs cannot be intercepted: see `jitproxy ca show`");
    std::lock_guard const lock(mutex_);
    if (now > warn_after_) {
        log::warning("the local CA's life is nearly over: reload (SIGHUP) to have it made anew, and start agents anew",
                     {{"until", format_rfc3339(authority_->not_after())}});
        warn_after_ = now + between_warnings;
    }
    if (auto const found = entries_.find(host); found != entries_.end() && now < found->second.renew_at) {
        ++counts_->hits;
        return found->second.context;
    }
    ++counts_->misses;
    auto minted = authority_->mint(host, now);
    if (!minted) return minted.error();
    auto made =
        net::make_server_context(minted->certificate.get(), minted->key.get(), authority_->issuing_certificate());
    if (!made) return made.error();
    if (entries_.size() >= most_hosts) entries_.clear();
    entries_[host] = {*made, std::min<wall_time>(now + renewal, authority_->not_after())};
    return *made;
}

std::size_t leaf_contexts::size() const {
    std::lock_guard const lock(mutex_);
    return entries_.size();
}

}  // namespace jitproxy::proxy
