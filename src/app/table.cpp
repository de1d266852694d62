#include "jitproxy/app/table.hpp"

#include <algorithm>

namespace jitproxy::app {
namespace {

std::size_t width_of(std::string_view text) {  // code points; good enough for columns
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

// Bytes at the beginning that are one character nobody would see as what it is; 0: what is there can be shown.
std::size_t hidden_size(std::string_view text) {
    auto const at = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
    if (at(0) < 0x20 || at(0) == 0x7f) return 1;
    if (at(0) == 0xc2 && at(1) >= 0x80 && at(1) < 0xa0) return 2;   // C1
    if (at(0) == 0xef && at(1) == 0xbb && at(2) == 0xbf) return 3;  // U+FEFF
    if (at(0) != 0xe2) return 0;
    bool const marks = at(1) == 0x80 && ((at(2) >= 0x8b && at(2) <= 0x8f) || (at(2) >= 0xa8 && at(2) <= 0xae));
    bool const isolates = at(1) == 0x81 && at(2) >= 0xa0 && at(2) <= 0xa9;
    return marks || isolates ? 3 : 0;
}

std::string cut(std::string text) {
    if (width_of(text) <= text_table::widest_cell) return text;
    std::size_t end = 0;
    for (std::size_t points = 0; points < text_table::widest_cell; ++end)
        if ((static_cast<unsigned char>(text[end]) & 0xc0) != 0x80) ++points;
    // `end` is behind the first byte of the last code point, in whose place the mark stands.
    text.resize(end - 1);
    return text + "…";
}

}  // namespace

std::string for_terminal(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size();) {
        auto const hidden = hidden_size(text.substr(i));
        if (hidden > 0)
            out += '?';
        else
            out += text[i];
        i += std::max<std::size_t>(hidden, 1);
    }
    return out;
}

std::string age_text(seconds age) {
    auto const s = std::max<std::int64_t>(age.count(), 0);
    auto const two = [](std::int64_t n, char const* unit, std::int64_t rest, char const* smaller) {
        return std::to_string(n) + unit + std::to_string(rest) + smaller;
    };
    if (s < 60) return std::to_string(s) + "s";
    if (s < 3600) return two(s / 60, "m", s % 60, "s");
    if (s < 86'400) return two(s / 3600, "h", s % 3600 / 60, "m");
    return two(s / 86'400, "d", s % 86'400 / 3600, "h");
}

std::string text_table::text() const {
    std::vector<std::size_t> widths;
    std::vector<std::vector<std::string>> rows;
    for (auto const& row : rows_) {
        auto& clean = rows.emplace_back();
        for (auto const& cell : row) clean.push_back(cut(for_terminal(cell)));
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < clean.size(); ++i) widths[i] = std::max(widths[i], width_of(clean[i]));
    }
    std::string out;
    for (auto const& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i)
            line += row[i] + std::string(widths[i] - width_of(row[i]) + 2, ' ');
        line.resize(line.find_last_not_of(' ') + 1);
        out += line + "\n";
    }
    return out;
}

std::string describe(json::object const& document) {
    std::string out;
    for (auto const& [name, value] : document) {
        if (value.is_null() || (value.is_string() && value.get_string().empty())) continue;
        auto const text = value.is_string() ? std::string(value.get_string()) : json::serialize(value);
        out += std::string(name) + ": " + for_terminal(text) + "\n";
    }
    return out;
}

}  // namespace jitproxy::app
