#include "commands.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <random>
#include <string_view>
#include <utility>

namespace jitproxy::jit::model {

namespace {

constexpr std::array<std::string_view, verbs> verb_names{
    "open",          "ask",          "give_up", "approve", "deny",    "decide", "hint",
    "end_task",      "kill_bearers", "process", "answer",  "weather", "close",  "traffic",
    "refuse_bearer", "write",        "disk",    "advance", "flow",    "crash",  "shut_down"};
constexpr std::array<std::string_view, faults> fault_names{"none",    "unreachable", "lost_answer",  "lost_call",
                                                           "late",    "slow_down",   "wait_long",    "down",
                                                           "garbled", "incomplete",  "unauthorized", "rejected"};
constexpr std::array<std::string_view, 7> opening_names{
    "by hand", "by run", "as a child", "for a user", "the shared one", "with an idle time", "as a child, for a user"};
constexpr std::array<std::string_view, 4> naming_names{"", " for the first agent", " for the second agent",
                                                       " for an agent that is unknown"};
constexpr std::array<std::string_view, 5> asking_names{"waits", "does not wait", "with D",
                                                       "what was granted is not enough", "waits two seconds"};

template <std::size_t N>
std::string_view pick(std::array<std::string_view, N> const& names, int i) {
    return i >= 0 && static_cast<std::size_t>(i) < N ? names[static_cast<std::size_t>(i)] : "?";
}

std::string nth(int n) {
    return "#" + std::to_string(n);
}

// How often each verb comes, in a thousand or so.
constexpr std::pair<verb, int> weights[] = {
    {verb::open, 60},     {verb::ask, 130},    {verb::give_up, 15},       {verb::approve, 18}, {verb::deny, 8},
    {verb::decide, 30},   {verb::hint, 8},     {verb::end_task, 8},       {verb::process, 40}, {verb::answer, 210},
    {verb::weather, 12},  {verb::close, 20},   {verb::refuse_bearer, 20}, {verb::write, 150},  {verb::disk, 8},
    {verb::advance, 100}, {verb::traffic, 12}, {verb::kill_bearers, 6},   {verb::flow, 90},    {verb::crash, 10},
    {verb::shut_down, 3},
};

class drawer {
  public:
    explicit drawer(std::uint64_t seed) : random_(seed) { trouble_ = 10 * below(5); }
    // The same on every platform, unlike the distributions of the standard library.
    int below(int n) { return n <= 0 ? 0 : static_cast<int>(random_() % static_cast<std::uint64_t>(n)); }
    bool chance(int percent) { return below(100) < percent; }

    // What often comes together, so that the sequences get somewhere.
    void append(sequence& s) {
        auto const c = next();
        s.push_back(c);
        if (c.what == verb::open && chance(60)) s.push_back({verb::flow, 0, 0, 0});
        if (c.what == verb::crash && chance(50)) s.push_back({verb::flow, below(variants), 0, 0});
        if (c.what != verb::ask || chance(40)) return;
        s.push_back({verb::write, 0, 0, 0});
        for (int i = below(3); i >= 0; --i) s.push_back(fill(verb::answer));
    }

  private:
    command next() {
        int all = 0;
        for (auto const& [v, weight] : weights) all += weight;
        int roll = below(all);
        auto const* it = std::begin(weights);
        while (roll >= it->second) roll -= (it++)->second;
        return fill(it->first);
    }
    int slot() { return slots_ == 0 ? 0 : std::max(0, slots_ - 1 - below(std::min(slots_, 4))); }
    int trouble() { return chance(trouble_) ? 1 + below(faults - 1) : 0; }
    int position() { return chance(60) ? 0 : below(6); }
    command fill(verb v) {
        switch (v) {
            case verb::open: {
                command c{v, chance(40) ? 0 : below(7), slot(), chance(60) ? 0 : chance(90) ? 2 : 1 + below(3)};
                ++slots_;
                return c;
            }
            case verb::ask:
                return {v, slot(), chance(50) ? 0 : below(6), chance(60) ? 0 : below(5)};
            case verb::give_up:
            case verb::approve:
            case verb::deny:
            case verb::hint:
                return {v, below(3), 0, 0};
            case verb::decide:
                return {v, below(3), chance(60) ? 0 : below(3), 0};
            case verb::end_task:
                return {v, below(4), below(2), 0};
            case verb::kill_bearers:
                return {v, below(2), below(3), 0};
            case verb::process:
                return {v, position(), below(variants), 0};
            case verb::answer:
                return {v, position(), trouble(), below(variants)};
            case verb::weather: {
                constexpr fault kinds[] = {fault::none, fault::unreachable, fault::lost_answer, fault::down};
                return {v, chance(75) ? 0 : static_cast<int>(kinds[below(4)]), 0, 0};
            }
            case verb::close:
                return {v, slot(), 0, 0};
            case verb::traffic:
                return {v, slot(), below(2), 0};
            case verb::refuse_bearer:
                return {v, slot(), below(3), 0};
            case verb::write:
                return {v, chance(60) ? 0 : 1 + below(2), 0, 0};
            case verb::disk:
                return {v, chance(20) ? 1 : 0, 0, 0};
            case verb::advance:
                return {v, chance(80) ? below(6) : below(static_cast<int>(std::size(durations))), 0, 0};
            case verb::flow:
                return {v, below(variants), 0, 0};
            case verb::crash:
                return {v, below(3), below(3), chance(70) ? 1 : 0};
            case verb::shut_down:
                return {v, 0, 0, below(2)};
        }
        return {};
    }

    std::mt19937_64 random_;
    int trouble_ = 0;  // how many of a hundred answers go wrong
    int slots_ = 0;
};

}  // namespace

std::string_view name_of(verb v) noexcept {
    return pick(verb_names, static_cast<int>(v));
}

std::string_view name_of(fault f) noexcept {
    return pick(fault_names, static_cast<int>(f));
}

std::string explain(command const& c) {
    auto slot = "session " + std::to_string(c.a);
    switch (c.what) {
        case verb::open: {
            auto text = "open " + std::string(pick(opening_names, c.a));
            auto const how = static_cast<opening>(c.a);
            if (how == opening::child || how == opening::child_for_user) text += " of session " + std::to_string(c.b);
            return text.append(pick(naming_names, c.c));
        }
        case verb::ask:
            return slot + " needs " + std::string(1, static_cast<char>('A' + c.b % 3)) + " at origin " +
                   std::to_string(c.b / 3) + ", " + std::string(pick(asking_names, c.c));
        case verb::give_up:
            return "caller " + nth(c.a) + " leaves";
        case verb::approve:
        case verb::deny:
            return "through the manager, request " + nth(c.a);
        case verb::decide:
            return "the AS has request " + nth(c.a) + (c.b == 0 ? " approved" : c.b == 1 ? " denied" : " expired");
        case verb::hint:
            return "request " + nth(c.a);
        case verb::end_task:
            return "the AS has task " + nth(c.a) + (c.b == 0 ? " expired" : " suspended");
        case verb::kill_bearers:
            return std::string(c.a == 0 ? "the agents' are dead" : "the delegated ones are dead") +
                   (c.b == 0 ? "" : ", those of agent " + std::to_string(c.b));
        case verb::process:
            return "call " + nth(c.a) + " is done, not answered; variant " + std::to_string(c.b);
        case verb::answer:
            return "call " + nth(c.a) + ": " + std::string(name_of(static_cast<fault>(c.b))) + "; variant " +
                   std::to_string(c.c);
        case verb::weather:
            return std::string(name_of(static_cast<fault>(c.a)));
        case verb::close:
            return slot;
        case verb::traffic:
            return slot + (c.b == 0 ? " has no request in flight" : " has requests in flight");
        case verb::refuse_bearer:
            return slot + (c.b == 0 ? ": its own bearer" : c.b == 1 ? ": a scoped token" : ": an old bearer");
        case verb::write:
            return c.a == 0 ? "all records" : std::to_string(c.a) + " records";
        case verb::disk:
            return c.a == 0 ? "has room" : "is full";
        case verb::advance:
            return std::to_string(durations[static_cast<std::size_t>(c.a) % std::size(durations)]) + " ms";
        case verb::flow:
            return "variant " + std::to_string(c.a);
        case verb::crash:
            return std::string(c.a == 0   ? "calls are lost"
                               : c.a == 1 ? "calls are processed"
                                          : "calls arrive later") +
                   ", " + std::to_string(c.b) + " records still written" + (c.c == 0 ? "" : ", resume");
        case verb::shut_down:
            return c.c == 0 ? "then restart" : "then restart, resume";
    }
    return {};
}

std::string print(command const& c) {
    std::string line = "{verb::" + std::string(name_of(c.what));
    int const values[] = {c.a, c.b, c.c};
    int last = 2;
    while (last >= 0 && values[last] == 0) --last;
    for (int i = 0; i <= last; ++i) line += ", " + std::to_string(values[i]);
    line += "},  // " + explain(c);
    return line;
}

std::string print(sequence const& s) {
    std::string text = "run_sequence({\n";
    for (auto const& c : s) text += "    " + print(c) + "\n";
    return text + "})\n";
}

sequence without(sequence const& s, std::size_t begin, std::size_t end) {
    sequence rest;
    std::vector<bool> opened;  // by slot: is it kept?
    auto const moved = [&](int slot) {
        if (slot < 0 || static_cast<std::size_t>(slot) >= opened.size()) return slot;
        auto const at = opened.begin() + slot;
        return *at ? static_cast<int>(std::count(opened.begin(), at, true)) : slot;
    };
    for (std::size_t i = 0; i != s.size(); ++i) {
        bool const kept = i < begin || i >= end;
        auto c = s[i];
        if (c.what == verb::open) c.b = moved(c.b);
        if (c.what == verb::ask || c.what == verb::close || c.what == verb::traffic || c.what == verb::refuse_bearer)
            c.a = moved(c.a);
        if (c.what == verb::open) opened.push_back(kept);
        if (kept) rest.push_back(c);
    }
    return rest;
}

sequence generate(std::uint64_t seed, std::size_t length) {
    drawer d(seed);
    sequence s;
    s.reserve(length);
    while (s.size() < length) d.append(s);
    s.resize(length);
    return s;
}

}  // namespace jitproxy::jit::model
