#include "jitproxy/emulator/risk.hpp"

#include <algorithm>
#include <array>

#include "jitproxy/base/encoding.hpp"

namespace jitproxy::emulator {

namespace {

template <std::size_t N>
bool names_one_of(std::string_view type, std::array<std::string_view, N> const& words) {
    return std::any_of(words.begin(), words.end(),
                       [&](std::string_view word) { return type.find(word) != std::string_view::npos; });
}

risk_level risk_of_type(std::string_view type) {
    constexpr std::array<std::string_view, 4> critical{"payment", "user_data", "credential", "password"};
    constexpr std::array<std::string_view, 4> high{"sensitive", "confidential", "secret", "admin"};
    if (names_one_of(type, critical)) return risk_level::critical;
    if (names_one_of(type, high)) return risk_level::high;
    return risk_level::low;
}

risk_level risk_of_action(std::string_view action) {
    constexpr std::array<std::string_view, 6> reads{"read", "list", "view", "get", "search", "summarize"};
    constexpr std::array<std::string_view, 4> high{"delete", "admin", "execute", "sensitive"};
    if (std::find(reads.begin(), reads.end(), action) != reads.end()) return risk_level::low;
    if (names_one_of(action, high)) return risk_level::high;
    return risk_level::medium;  // write, create, update, and whatever is not known to be harmless
}

}  // namespace

std::string_view name_of(risk_level level) noexcept {
    switch (level) {
        case risk_level::low:
            return "low";
        case risk_level::medium:
            return "medium";
        case risk_level::high:
            return "high";
        case risk_level::critical:
            return "critical";
    }
    return "critical";
}

risk_level classify(json::object const& details, int denials_in_task) {
    if (denials_in_task >= denials_that_escalate) return risk_level::critical;
    auto level = risk_level::low;
    if (auto const* type = details.if_contains("type"); type && type->is_string())
        level = risk_of_type(to_lower(std::string_view{type->get_string()}));
    bool named = false;
    for (auto const* member : {"actions", "privileges"}) {
        auto const* list = details.if_contains(member);
        if (!list || !list->is_array()) continue;
        for (auto const& entry : list->get_array()) {
            if (!entry.is_string()) continue;
            named = true;
            level = std::max(level, risk_of_action(to_lower(std::string_view{entry.get_string()})));
        }
    }
    // Nothing said about what will be done: not a mere read.
    return named ? level : std::max(level, risk_level::medium);
}

}  // namespace jitproxy::emulator
