#include "resolver_cache.hpp"

namespace jitproxy::net {

result<addresses> const* resolver_cache::find(std::string const& host, steady_time now) {
    auto const found = by_host_.find(host);
    if (found == by_host_.end()) return nullptr;
    if (now >= found->second->until) {
        by_use_.erase(found->second);
        by_host_.erase(found);
        return nullptr;
    }
    by_use_.splice(by_use_.begin(), by_use_, found->second);
    return &found->second->answer;
}

void resolver_cache::put(std::string const& host, result<addresses> answer, steady_time until) {
    if (most_entries_ == 0) return;
    if (auto const found = by_host_.find(host); found != by_host_.end()) {
        found->second->answer = std::move(answer);
        found->second->until = until;
        by_use_.splice(by_use_.begin(), by_use_, found->second);
        return;
    }
    if (by_use_.size() >= most_entries_) {
        by_host_.erase(by_use_.back().host);
        by_use_.pop_back();
    }
    by_use_.push_front({host, std::move(answer), until});
    by_host_.emplace(host, by_use_.begin());
}

}  // namespace jitproxy::net
