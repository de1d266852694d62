#include "jitproxy/app/table.hpp"

#include <algorithm>

namespace jitproxy::app {
namespace {

std::size_t width_of(std::string_view text) {  // code points; good enough for columns
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

}  // namespace

std::string for_terminal(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        auto const byte = static_cast<unsigned char>(text[i]);
        bool const c1 = byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
        if (c1) {
            out += '?';
            ++i;
        } else {
            out += byte < 0x20 || byte == 0x7f ? '?' : text[i];
        }
    }
    return out;
}

std::string text_table::text() const {
    std::vector<std::size_t> widths;
    std::vector<std::vector<std::string>> rows;
    for (auto const& row : rows_) {
        auto& clean = rows.emplace_back();
        for (auto const& cell : row) clean.push_back(for_terminal(cell));
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
