#include "jitproxy/proxy/leaf_contexts.hpp"

namespace jitproxy::proxy {

namespace {
constexpr std::size_t most_hosts = 1024;              // a suffix pattern has no end of names
constexpr auto renewal = std::chrono::hours{24 * 3};  // leaves live seven days
}  // namespace

result<net::ssl_ctx_ptr> leaf_contexts::context(std::string const& host, wall_time now) {
    if (!authority_)
        return make_error(
            errc::configuration,
            "there is no local CA, so TLS to protected APIs cannot be intercepted: see `jitproxy ca show`");
    std::lock_guard const lock(mutex_);
    if (auto const found = entries_.find(host); found != entries_.end() && now < found->second.renew_at)
        return found->second.context;
    auto minted = authority_->mint(host, now);
    if (!minted) return minted.error();
    auto made =
        net::make_server_context(minted->certificate.get(), minted->key.get(), authority_->issuing_certificate());
    if (!made) return made.error();
    if (entries_.size() >= most_hosts) entries_.clear();
    entries_[host] = {*made, now + renewal};
    return *made;
}

}  // namespace jitproxy::proxy
