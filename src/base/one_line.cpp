#include "jitproxy/base/one_line.hpp"

namespace jitproxy {

namespace {

bool continues(char c) noexcept {
    return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

}  // namespace

std::string_view cut(std::string_view text, std::size_t longest) noexcept {
    if (text.size() <= longest) return text;
    while (longest > 0 && continues(text[longest])) --longest;
    return text.substr(0, longest);
}

std::string one_line(std::string_view text, std::size_t longest) {
    std::string line(cut(text, longest));
    for (std::size_t i = 0; i < line.size(); ++i) {
        auto const c = static_cast<unsigned char>(line[i]);
        if (c < 0x20 || c == 0x7F) line[i] = ' ';
        // U+0080 to U+009F: two bytes, C2 80 to C2 9F.
        if (c == 0xC2 && i + 1 < line.size() && static_cast<unsigned char>(line[i + 1]) < 0xA0) line.replace(i, 2, " ");
    }
    auto const first = line.find_first_not_of(' ');
    if (first == std::string::npos) return {};
    return line.substr(first, line.find_last_not_of(' ') - first + 1);
}

}  // namespace jitproxy
