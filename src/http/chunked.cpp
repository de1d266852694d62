// RFC 9112 7.1, read strictly: CRLF only, sizes that fit, bounded extensions and trailers.
#include <algorithm>
#include <charconv>

#include "characters.hpp"
#include "jitproxy/http/framing.hpp"

namespace jitproxy::http {
namespace {

constexpr std::uint32_t most_overhead = 16 * 1024;
constexpr std::uint32_t most_digits = 16;
constexpr std::uint64_t largest_chunk = static_cast<std::uint64_t>(INT64_MAX);

int hex_value(char c) noexcept {
    if (c <= '9') return c - '0';
    return (c | 0x20) - 'a' + 10;
}

}  // namespace

error chunk_decoder::fail(char const* what) const {
    return make_error(on_error_, std::string("chunked body: ").append(what));
}

char const* chunk_decoder::take_size(char c) noexcept {
    if (detail::is(c, detail::hex_char)) {
        if (++digits_ > most_digits || left_ > (largest_chunk >> 4)) return "size too large";
        left_ = left_ * 16 + static_cast<std::uint64_t>(hex_value(c));
        return nullptr;
    }
    if (digits_ == 0) return "no size where one must be";
    if (c == '\r')
        state_ = state::size_lf;
    else if (c == ';')
        state_ = state::extension;
    else if (detail::is_space(c))
        state_ = state::padding;  // some servers pad the size; one reading only
    else
        return "bad character in a size";
    return nullptr;
}

char const* chunk_decoder::take(char c) noexcept {
    bool const counts = state_ == state::padding || state_ == state::extension || state_ == state::trailer_start ||
                        state_ == state::trailer_name || state_ == state::trailer_value;
    if (counts && ++overhead_ > most_overhead) return "too many bytes of extensions and trailers";
    switch (state_) {
        case state::size:
            return take_size(c);
        case state::padding:
            if (detail::is_space(c)) return nullptr;
            if (c != ';' && c != '\r') return "something behind a size";
            state_ = c == ';' ? state::extension : state::size_lf;
            return nullptr;
        case state::extension:
            if (c == '\r')
                state_ = state::size_lf;
            else if (!detail::is(c, detail::value_char))
                return "control character in an extension";
            return nullptr;
        case state::size_lf:
            if (c != '\n') return "CR without LF behind a size";
            state_ = left_ > 0 ? state::data : state::trailer_start;
            return nullptr;
        case state::data:
            return nullptr;  // next() never hands these in
        case state::data_cr:
            if (c != '\r') return "no CR behind the data";
            state_ = state::data_lf;
            return nullptr;
        case state::data_lf:
            if (c != '\n') return "no LF behind the data";
            state_ = state::size;
            digits_ = 0;
            return nullptr;
        case state::trailer_start:
            if (c == '\r') {
                state_ = state::last_lf;
                return nullptr;
            }
            if (!detail::is(c, detail::token_char)) return "bad trailer field";
            state_ = state::trailer_name;
            return nullptr;
        case state::trailer_name:
            if (c == ':')
                state_ = state::trailer_value;
            else if (!detail::is(c, detail::token_char))
                return "bad character in a trailer field's name";
            return nullptr;
        case state::trailer_value:
            if (c == '\r')
                state_ = state::trailer_lf;
            else if (!detail::is(c, detail::value_char))
                return "control character in a trailer field";
            return nullptr;
        case state::trailer_lf:
            if (c != '\n') return "CR without LF in a trailer field";
            state_ = state::trailer_start;
            return nullptr;
        case state::last_lf:
            if (c != '\n') return "CR without LF at the end";
            state_ = state::done;
            return nullptr;
        case state::done:
            return nullptr;
    }
    return nullptr;
}

result<chunk_decoder::step> chunk_decoder::next(std::string_view input) {
    std::size_t at = 0;
    while (at < input.size() && state_ != state::done) {
        if (state_ == state::data) {
            auto const size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, input.size() - at));
            left_ -= size;
            if (left_ == 0) state_ = state::data_cr;
            // Data makes up for the extensions before it: a long body of many chunks may have many.
            overhead_ -= static_cast<std::uint32_t>(std::min<std::size_t>(overhead_, size));
            return step{at + size, input.substr(at, size)};
        }
        bool const in_trailers = state_ >= state::trailer_start && state_ <= state::trailer_lf;
        if (auto const* wrong = take(input[at])) return fail(wrong);
        if (in_trailers && state_ != state::last_lf) trailers_.push_back(input[at]);
        ++at;
    }
    return step{at, {}};
}

void append_chunk_size(std::string& out, std::uint64_t size) {
    char text[18];
    auto* end = std::to_chars(text, text + 16, size, 16).ptr;
    *end++ = '\r';
    *end++ = '\n';
    out.append(text, static_cast<std::size_t>(end - text));
}

}  // namespace jitproxy::http
