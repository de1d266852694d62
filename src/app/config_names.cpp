// Tables and keys by name, and the name that a wrong one most likely meant.
#include <algorithm>
#include <utility>
#include <vector>

#include "jitproxy/app/config_keys.hpp"

namespace jitproxy::app {
namespace {

// Levenshtein's distance, in one row.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            auto const next = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
            diagonal = std::exchange(row[j], next);
        }
    }
    return row[b.size()];
}

}  // namespace

config_table const* find_table(std::string_view name) {
    auto const all = config_tables();
    auto const it = std::find_if(all.begin(), all.end(), [&](auto const& t) { return t.name == name; });
    return it == all.end() ? nullptr : &*it;
}

std::string config_table::heading() const {
    return (is_array ? "[[" : "[") + std::string(name) + (is_array ? "]]" : "]");
}

config_key const* find_key(std::string_view table, std::string_view name) {
    auto const all = config_keys();
    auto const found =
        std::find_if(all.begin(), all.end(), [&](auto const& k) { return k.table == table && k.name == name; });
    return found == all.end() ? nullptr : &*found;
}

std::string_view nearest_name(std::string_view wrong, std::span<std::string_view const> candidates) {
    std::string_view best;
    std::size_t best_distance = wrong.size() / 2 + 1;  // farther than that is another word
    for (auto candidate : candidates) {
        auto const d = distance(wrong, candidate);
        if (d < best_distance) {
            best = candidate;
            best_distance = d;
        }
    }
    return best;
}

}  // namespace jitproxy::app
