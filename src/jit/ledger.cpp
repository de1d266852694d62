#include "jitproxy/jit/ledger.hpp"

#include <algorithm>
#include <utility>

#include "jitproxy/base/id.hpp"
#include "jitproxy/jit/token_keeper.hpp"

namespace jitproxy::jit {

namespace {

// "METHOD https://host:port/path": is it on this origin?
bool lies_on(std::string_view resource, std::string_view origin) {
    auto const space = resource.find(' ');
    if (space == std::string_view::npos || origin.empty()) return false;
    resource.remove_prefix(space + 1);
    if (!resource.starts_with(origin)) return false;
    resource.remove_prefix(origin.size());
    // "https://host:80" must not be taken for a prefix of "https://host:8080".
    return resource.empty() || resource.front() == '/' || resource.front() == '?' || resource.front() == '*';
}

}  // namespace

grant const& ledger::add(std::string session_id, std::string origin, std::string needs, std::string request_id,
                         access_token token, steady_time now) {
    auto const life = life_of(token);
    grant fresh;
    fresh.id = random_id("grt");
    std::erase_if(grants_, [&](auto& entry) {
        auto& old = entry.second;
        if (old.session_id != session_id || old.origin != origin || old.needs != needs) return false;
        fresh.resources = std::move(old.resources);
        return true;
    });
    fresh.session_id = std::move(session_id);
    fresh.origin = std::move(origin);
    fresh.needs = std::move(needs);
    fresh.request_id = std::move(request_id);
    fresh.token = std::move(token.value);
    fresh.usable_until = now + life - unused_end(life, margin_);
    auto id = fresh.id;
    return grants_.insert_or_assign(std::move(id), std::move(fresh)).first->second;
}

bool ledger::bind(std::string const& grant_id, std::string const& resource) {
    auto const it = grants_.find(grant_id);
    if (it == grants_.end() || !lies_on(resource, it->second.origin)) return false;
    for (auto& [id, other] : grants_)
        if (other.session_id == it->second.session_id) std::erase(other.resources, resource);
    it->second.resources.push_back(resource);
    if (it->second.resources.size() > max_resources) it->second.resources.pop_front();
    return true;
}

grant const* ledger::find(std::string_view session_id, std::string_view origin, std::string_view needs,
                          steady_time now) const {
    for (auto const& [id, g] : grants_)
        if (g.session_id == session_id && g.origin == origin && g.needs == needs && now < g.usable_until) return &g;
    return nullptr;
}

grant const* ledger::find(std::string_view grant_id) const {
    auto const it = grants_.find(grant_id);
    return it == grants_.end() ? nullptr : &it->second;
}

bool ledger::drop(std::string_view grant_id) {
    auto const it = grants_.find(grant_id);
    if (it == grants_.end()) return false;
    grants_.erase(it);
    return true;
}

void ledger::drop_session(std::string_view session_id) {
    std::erase_if(grants_, [&](auto const& entry) { return entry.second.session_id == session_id; });
}

std::vector<secret_ptr> ledger::tokens_of(std::string_view session_id) const {
    std::vector<secret_ptr> tokens;
    for (auto const& [id, g] : grants_)
        if (g.session_id == session_id) tokens.push_back(g.token);
    return tokens;
}

std::vector<std::string> ledger::prune(steady_time now) {
    std::vector<std::string> lost;
    std::erase_if(grants_, [&](auto const& entry) {
        auto const& g = entry.second;
        if (now < g.usable_until) return false;
        if (std::find(lost.begin(), lost.end(), g.session_id) == lost.end()) lost.push_back(g.session_id);
        return true;
    });
    return lost;
}

std::size_t ledger::live(steady_time now) const {
    return static_cast<std::size_t>(std::count_if(grants_.begin(), grants_.end(),
                                                  [&](auto const& entry) { return now < entry.second.usable_until; }));
}

std::size_t ledger::live(std::string_view session_id, steady_time now) const {
    return static_cast<std::size_t>(std::count_if(grants_.begin(), grants_.end(), [&](auto const& entry) {
        return entry.second.session_id == session_id && now < entry.second.usable_until;
    }));
}

std::optional<steady_time> ledger::next_expiry() const {
    std::optional<steady_time> first;
    for (auto const& [id, g] : grants_)
        if (!first || g.usable_until < *first) first = g.usable_until;
    return first;
}

void ledger::collect(std::string_view session_id, steady_time now,
                     std::unordered_map<std::string, scoped_bearer, string_hash, std::equal_to<>>& out) const {
    for (auto const& [id, g] : grants_) {
        if (g.session_id != session_id || now >= g.usable_until) continue;
        for (auto const& resource : g.resources)
            out.insert_or_assign(resource, scoped_bearer{g.id, g.token, g.usable_until});
    }
}

}  // namespace jitproxy::jit
