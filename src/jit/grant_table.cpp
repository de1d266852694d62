#include "jitproxy/jit/grant_table.hpp"

#include <utility>

namespace jitproxy::jit {

scoped_bearer const* grant_view::find(std::string_view resource) const {
    if (recent_)
        if (auto const it = recent_->find(resource); it != recent_->end())
            return it->second.token ? &it->second : nullptr;
    if (base_)
        if (auto const it = base_->find(resource); it != base_->end()) return &it->second;
    return nullptr;
}

std::map<std::string, scoped_bearer> grant_view::all() const {
    std::map<std::string, scoped_bearer> merged;
    if (base_) merged.insert(base_->begin(), base_->end());
    if (!recent_) return merged;
    for (auto const& [resource, bearer] : *recent_)
        if (bearer.token)
            merged.insert_or_assign(resource, bearer);
        else
            merged.erase(resource);
    return merged;
}

void grant_table::put(std::string const& resource, scoped_bearer bearer) {
    if (now_.find(resource) == nullptr) ++now_.size_;
    set(resource, std::move(bearer));
}

void grant_table::erase(std::string_view resource) {
    if (now_.find(resource) == nullptr) return;
    --now_.size_;
    set(std::string(resource), {});
}

void grant_table::set(std::string const& resource, scoped_bearer bearer) {
    if (!open_) {
        open_ =
            now_.recent_ ? std::make_shared<grant_view::layer>(*now_.recent_) : std::make_shared<grant_view::layer>();
        now_.recent_ = open_;
    }
    open_->insert_or_assign(resource, std::move(bearer));
    constexpr std::size_t few = 16;
    auto const above = open_->size();
    if (above <= few || above * above <= now_.size_) return;
    auto merged = now_.all();
    now_.base_ = std::make_shared<grant_view::layer const>(merged.begin(), merged.end());
    now_.recent_.reset();
    open_.reset();
}

grant_view grant_table::view() {
    open_.reset();
    return now_;
}

}  // namespace jitproxy::jit
