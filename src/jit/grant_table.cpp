#include "jitproxy/jit/grant_table.hpp"

#include <utility>

namespace jitproxy::jit {

namespace {

std::size_t place(std::string_view resource, std::size_t parts) {
    return string_hash()(resource) & (parts - 1);
}

}  // namespace

scoped_bearer const* grant_view::find(std::string_view resource) const {
    if (!parts_) return nullptr;
    auto const& in = (*parts_)[place(resource, parts_->size())];
    if (!in) return nullptr;
    auto const it = in->find(resource);
    return it == in->end() ? nullptr : &it->second;
}

std::map<std::string, scoped_bearer> grant_view::all() const {
    std::map<std::string, scoped_bearer> merged;
    if (!parts_) return merged;
    for (auto const& each : *parts_)
        if (each) merged.insert(each->begin(), each->end());
    return merged;
}

grant_table::slot& grant_table::slot_of(std::string_view resource) {
    return slots_[place(resource, slots_.size())];
}

grant_table::part& grant_table::open(slot& s) {
    latest_ = {};
    if (!s.what)
        s.what = std::make_shared<part>();
    else if (s.seen)
        s.what = std::make_shared<part>(*s.what);
    s.seen = false;
    return *s.what;
}

void grant_table::put(std::string const& resource, scoped_bearer bearer) {
    if (slots_.empty()) slots_.resize(1);
    if (!open(slot_of(resource)).insert_or_assign(resource, std::move(bearer)).second) return;
    ++size_;
    constexpr std::size_t parts_to_size = 4;  // parts four times as large as there are parts
    if (size_ > parts_to_size * slots_.size() * slots_.size()) spread();
}

void grant_table::erase(std::string_view resource) {
    if (slots_.empty()) return;
    auto& s = slot_of(resource);
    if (!s.what || !s.what->contains(resource)) return;
    auto& in = open(s);
    in.erase(in.find(resource));
    if (in.empty()) s = {};
    --size_;
}

void grant_table::spread() {
    auto const before = std::exchange(slots_, std::vector<slot>(slots_.size() * 2));
    for (auto const& s : before)
        if (s.what)
            for (auto const& [resource, bearer] : *s.what) open(slot_of(resource)).emplace(resource, bearer);
}

grant_view grant_table::view() {
    if (slots_.empty() || latest_.parts_) return latest_;
    auto parts = std::make_shared<grant_view::parts>();
    parts->reserve(slots_.size());
    for (auto& s : slots_) {
        s.seen = true;
        parts->push_back(s.what);
    }
    latest_.parts_ = std::move(parts);
    latest_.size_ = size_;
    return latest_;
}

}  // namespace jitproxy::jit
