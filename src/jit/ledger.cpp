#include "jitproxy/jit/ledger.hpp"

#include <algorithm>
#include <iterator>
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

std::string need_key(std::string_view origin, std::string_view needs) {
    std::string key(origin);
    return key.append(" ").append(needs);
}

}  // namespace

grant ledger::remove(grant_map::iterator it) {
    auto taken = std::move(it->second);
    grants_.erase(it);
    ends_.erase({taken.usable_until, taken.id});
    sessions_.at(taken.session_id).by_need.erase(need_key(taken.origin, taken.needs));
    return taken;
}

void ledger::serve(session_grants& of, std::string const& resource, grant const& by) {
    of.by_resource.insert_or_assign(resource, by.id);
    of.table.put(resource, {by.id, by.token, by.usable_until, by.used});
}

void ledger::drop(grant_map::iterator it) {
    auto const gone = remove(it);
    auto const of = sessions_.find(gone.session_id);
    for (auto const& resource : gone.resources) {
        of->second.by_resource.erase(resource);
        of->second.table.erase(resource);
    }
    if (of->second.by_need.empty()) sessions_.erase(of);
}

grant const& ledger::add(std::string session_id, std::string origin, std::string needs, std::string request_id,
                         access_token token, steady_time now) {
    auto const life = life_of(token);
    auto& of = sessions_[session_id];
    grant fresh;
    fresh.id = random_id("grt");
    auto const key = need_key(origin, needs);
    if (auto const old = of.by_need.find(key); old != of.by_need.end())
        fresh.resources = remove(grants_.find(old->second)).resources;
    fresh.session_id = std::move(session_id);
    fresh.origin = std::move(origin);
    fresh.needs = std::move(needs);
    fresh.request_id = std::move(request_id);
    fresh.token = std::move(token.value);
    fresh.usable_until = now + life - unused_end(life, margin_);
    of.by_need.insert_or_assign(key, fresh.id);
    ends_.emplace(fresh.usable_until, fresh.id);
    for (auto const& resource : fresh.resources) serve(of, resource, fresh);
    auto id = fresh.id;
    return grants_.insert_or_assign(std::move(id), std::move(fresh)).first->second;
}

bool ledger::bind(std::string const& grant_id, std::string const& resource) {
    auto const it = grants_.find(grant_id);
    if (it == grants_.end() || !lies_on(resource, it->second.origin)) return false;
    auto& g = it->second;
    auto& of = sessions_.at(g.session_id);
    if (auto const other = of.by_resource.find(resource); other != of.by_resource.end())
        std::erase(grants_.at(other->second).resources, resource);
    g.resources.push_back(resource);
    serve(of, resource, g);
    if (g.resources.size() <= max_resources) return true;
    of.by_resource.erase(g.resources.front());
    of.table.erase(g.resources.front());
    g.resources.pop_front();
    return true;
}

grant const* ledger::find(std::string_view session_id, std::string_view origin, std::string_view needs,
                          steady_time now) const {
    auto const of = sessions_.find(session_id);
    if (of == sessions_.end()) return nullptr;
    auto const id = of->second.by_need.find(need_key(origin, needs));
    if (id == of->second.by_need.end()) return nullptr;
    auto const& g = grants_.at(id->second);
    return now < g.usable_until ? &g : nullptr;
}

grant const* ledger::find(std::string_view grant_id) const {
    auto const it = grants_.find(grant_id);
    return it == grants_.end() ? nullptr : &it->second;
}

bool ledger::drop(std::string_view grant_id) {
    auto const it = grants_.find(grant_id);
    if (it == grants_.end()) return false;
    drop(it);
    return true;
}

void ledger::drop_session(std::string_view session_id) {
    for (auto const& [id, token] : tokens_of(session_id)) drop(grants_.find(id));
}

std::vector<std::pair<std::string, secret_ptr>> ledger::tokens_of(std::string_view session_id) const {
    std::vector<std::pair<std::string, secret_ptr>> tokens;
    auto const of = sessions_.find(session_id);
    if (of == sessions_.end()) return tokens;
    for (auto const& [need, id] : of->second.by_need) tokens.emplace_back(id, grants_.at(id).token);
    return tokens;
}

std::vector<std::string> ledger::prune(steady_time now) {
    std::vector<std::string> lost;
    while (!ends_.empty() && ends_.begin()->first <= now) {
        auto const it = grants_.find(ends_.begin()->second);
        auto const& session_id = it->second.session_id;
        if (std::find(lost.begin(), lost.end(), session_id) == lost.end()) lost.push_back(session_id);
        drop(it);
    }
    return lost;
}

std::size_t ledger::live(steady_time now) const {
    auto const first = std::find_if(ends_.begin(), ends_.end(), [&](auto const& end) { return now < end.first; });
    return static_cast<std::size_t>(std::distance(first, ends_.end()));
}

std::size_t ledger::live(std::string_view session_id, steady_time now) const {
    auto const of = sessions_.find(session_id);
    if (of == sessions_.end()) return 0;
    auto const& all = of->second.by_need;
    return static_cast<std::size_t>(std::count_if(
        all.begin(), all.end(), [&](auto const& each) { return now < grants_.at(each.second).usable_until; }));
}

std::optional<steady_time> ledger::next_expiry() const {
    if (ends_.empty()) return std::nullopt;
    return ends_.begin()->first;
}

grant_view ledger::view(std::string const& session_id) {
    auto const of = sessions_.find(session_id);
    return of == sessions_.end() ? grant_view{} : of->second.table.view();
}

}  // namespace jitproxy::jit
