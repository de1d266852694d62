#include "challenge.hpp"

#include "characters.hpp"
#include "jitproxy/base/encoding.hpp"

namespace jitproxy::http::detail {
namespace {

// token, or token68 with its "=" padding: some senders leave base64 values without quotes.
bool is_value_char(char c) noexcept {
    return is(c, token_char) || c == '/' || c == '=' || c == ':';
}

class reader {
  public:
    explicit reader(std::string_view text) : rest_(text) {}

    std::vector<challenge> read() {
        std::vector<challenge> all;
        while (skip_separators(), !rest_.empty()) {
            auto const name = take(token_char);
            if (name.empty()) {
                skip_to_comma();
                continue;
            }
            auto const mark = rest_;
            bool const spaced = skip_space();
            if (take_equals()) {  // a parameter of the challenge before
                auto value = take_value();
                if (!all.empty() && value) all.back().parameters.emplace_back(name, std::move(*value));
                continue;
            }
            rest_ = mark;
            all.push_back({name, {}});
            if (spaced) skip_token68();
        }
        return all;
    }

  private:
    bool skip_space() {
        auto const before = rest_.size();
        while (!rest_.empty() && is_space(rest_.front())) rest_.remove_prefix(1);
        return rest_.size() != before;
    }
    void skip_separators() {
        while (!rest_.empty() && (is_space(rest_.front()) || rest_.front() == ',')) rest_.remove_prefix(1);
    }
    void skip_to_comma() {
        std::string_view member;
        if (!next_member(member)) rest_ = {};
    }
    bool next_member(std::string_view& member) {
        std::size_t at = 0;
        bool quoted = false;
        for (; at < rest_.size() && (quoted || rest_[at] != ','); ++at) {
            if (quoted && rest_[at] == '\\')
                ++at;
            else if (rest_[at] == '"')
                quoted = !quoted;
        }
        if (at >= rest_.size()) return false;
        member = rest_.substr(0, at);
        rest_.remove_prefix(at);
        return true;
    }
    std::string_view take(std::uint8_t wanted) {
        std::size_t size = 0;
        while (size < rest_.size() && is(rest_[size], wanted)) ++size;
        auto const taken = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return taken;
    }
    // "=" with the white space that RFC 9110 5.6.3 has recipients put up with.
    bool take_equals() {
        if (rest_.empty() || rest_.front() != '=') return false;
        rest_.remove_prefix(1);
        skip_space();
        return true;
    }
    std::optional<std::string> take_value() {
        std::string value;
        if (rest_.empty() || rest_.front() != '"') {
            std::size_t size = 0;
            while (size < rest_.size() && is_value_char(rest_[size])) ++size;
            value = rest_.substr(0, size);
            rest_.remove_prefix(size);
            if (value.empty()) return std::nullopt;
            return value;
        }
        for (std::size_t at = 1; at < rest_.size(); ++at) {
            if (rest_[at] == '"') {
                rest_.remove_prefix(at + 1);
                return value;
            }
            if (rest_[at] == '\\' && at + 1 < rest_.size()) ++at;
            value += rest_[at];
        }
        rest_ = {};  // never closed
        return std::nullopt;
    }
    // Behind a scheme: credentials such as "Negotiate abc==". Anything else is left where it is.
    void skip_token68() {
        auto const mark = rest_;
        skip_space();
        std::size_t size = 0;
        while (size < rest_.size() && (is(rest_[size], token_char) || rest_[size] == '/')) ++size;
        std::size_t end = size;
        while (end < rest_.size() && rest_[end] == '=') ++end;
        auto const behind = trim(rest_.substr(end, rest_.find(',', end) - end));
        // One "=" with something behind it makes it a parameter.
        if (size == 0 || !behind.empty())
            rest_ = mark;
        else
            rest_.remove_prefix(end);
    }
    std::string_view rest_;
};

}  // namespace

bool challenge::is(std::string_view wanted) const noexcept {
    return iequals(scheme, wanted);
}

std::string const* challenge::find(std::string_view name) const noexcept {
    for (auto const& [key, value] : parameters)
        if (iequals(key, name)) return &value;
    return nullptr;
}

std::vector<challenge> parse_challenges(std::string_view value) {
    return reader{value}.read();
}

}  // namespace jitproxy::http::detail
