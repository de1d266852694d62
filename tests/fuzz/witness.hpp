// Reads heads without the parser's help: what two readers agree on has one meaning. check_received() looks at a head
// that was accepted, as a reader would that believes everything; witness at one that the proxy wrote.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz.hpp"
#include "jitproxy/base/encoding.hpp"
#include "jitproxy/http/forward.hpp"

namespace jitproxy::fuzz {

using names = std::vector<std::string_view>;
using fields = std::vector<http::extra_field>;
// For what is read again: room for the fields that are added on the way.
inline constexpr http::head_limits roomy{.start_line = 16 * 1024, .bytes = 96 * 1024, .fields = 160};

inline bool one_of(std::string_view name, names const& all) {
    return std::find(all.begin(), all.end(), name) != all.end();
}

// A line end is any LF for this reader, white space around a name nothing. `framing` is what the library made of it;
// nullopt where nothing was to be made of it.
inline void check_received(std::string_view head, http::version version, std::vector<http::field> const& parsed,
                           std::optional<http::body_framing> framing) {
    auto const trim = [](std::string_view text) {
        while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
        while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
        return text;
    };
    std::size_t lines = 0;
    std::vector<std::string_view> lengths;
    std::vector<std::string_view> codings;
    while (!head.empty()) {
        auto const lf = head.find('\n');
        require(lf != head.npos && lf > 0 && head[lf - 1] == '\r', "each line that is accepted ends with CRLF");
        auto const text = head.substr(0, lf - 1);
        head.remove_prefix(lf + 1);
        for (char const c : text)
            require(c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7F), "no control character");
        if (text.empty()) break;
        if (lines++ == 0) continue;  // the start line
        auto const colon = text.find(':');
        require(colon != text.npos && colon > 0 && trim(text.substr(0, colon)).size() == colon, "a name and a colon");
        auto const value = trim(text.substr(colon + 1));
        require(lines - 2 < parsed.size() && parsed[lines - 2].name == text.substr(0, colon) &&
                    parsed[lines - 2].value == value,
                "each line is a field");
        auto const name = to_lower(text.substr(0, colon));
        if (name == "content-length") lengths.push_back(value);
        if (name == "transfer-encoding") codings.push_back(value);
    }
    require(head.empty() && lines == parsed.size() + 1, "nothing behind the head");
    if (!framing) return;
    require(lengths.size() + codings.size() <= 1, "one framing at most");
    if (!codings.empty()) require(iequals(codings[0], "chunked") && version == http::version::http_1_1, "chunked");
    if (!lengths.empty()) require(lengths[0].find_first_not_of("0123456789") == std::string_view::npos, "a number");
    if (framing->kind == http::body_kind::chunked) require(codings.size() == 1, "chunks where they are announced");
    if (framing->kind == http::body_kind::length)
        require(lengths.size() == 1 && std::stoull(std::string(lengths[0])) == framing->length, "the length announced");
    if (framing->kind == http::body_kind::until_close) require(lengths.empty() && codings.empty(), "nothing announced");
}

class witness {
  public:
    witness(std::string_view head, std::string_view start_line) {
        for (bool first = true;; first = false) {
            auto const end = head.find("\r\n");
            require(end != head.npos, "each line that is written ends with CRLF");
            auto const text = head.substr(0, end);
            head.remove_prefix(end + 2);
            for (char const c : text)
                require(c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7F), "no control character");
            if (first) {
                require(text == start_line, "the start line is the expected one");
                continue;
            }
            if (text.empty()) break;
            auto const colon = text.find(": ");
            require(colon != text.npos, "each field line has a colon");
            lines_.push_back({text.substr(0, colon), text.substr(colon + 2), to_lower(text.substr(0, colon))});
        }
        require(head.empty(), "nothing behind the head");
    }

    [[nodiscard]] std::size_t count(std::string_view name) const {
        return static_cast<std::size_t>(
            std::count_if(lines_.begin(), lines_.end(), [name](line const& l) { return l.lower == name; }));
    }
    [[nodiscard]] std::string_view value(std::string_view name) const {  // of the first
        for (auto const& l : lines_)
            if (l.lower == name) return l.value;
        return {};
    }
    [[nodiscard]] std::string_view first_name() const { return lines_.empty() ? std::string_view{} : lines_[0].name; }

    void check_framing(http::body_framing framing) const {
        auto const lengths = count("content-length");
        auto const codings = count("transfer-encoding");
        require(lengths + codings <= 1, "at most one framing field");
        require((framing.kind == http::body_kind::chunked) == (codings == 1), "Transfer-Encoding where it belongs");
        if (codings == 1) require(value("transfer-encoding") == "chunked", "no coding but chunked");
        if (framing.kind == http::body_kind::length)
            require(value("content-length") == std::to_string(framing.length), "the length that was read");
        if (framing.kind == http::body_kind::until_close)
            require(lengths == 0, "no length where the connection's end is the end");
    }

    // Order, duplicates, spelling and values as received, behind them what the proxy `added`. Not looked at: fields
    // that are `remade` on the way. Not to be seen: `removed`, what is hop by hop, and what Connection nominates.
    void check_passed(std::vector<http::field> const& received, names const& remade, names const& removed,
                      fields const& added) const {
        names const hop_by_hop{"connection",         "keep-alive", "proxy-connection",
                               "proxy-authenticate", "te",         "proxy-authorization",
                               "transfer-encoding",  "upgrade",    "proxy-authentication-info"};
        names const made_anew{"connection", "te", "transfer-encoding", "upgrade"};
        names const stays{"authorization", "content-length", "content-type", "expect", "host", "via"};
        fields expected;
        for (auto const& f : received) {
            auto const name = to_lower(f.name);
            bool const gone = one_of(name, hop_by_hop) || one_of(name, removed) || one_of(name, remade) ||
                              (!one_of(name, stays) && nominated(received, name));
            if (!gone) expected.emplace_back(f.name, f.value);
        }
        expected.insert(expected.end(), added.begin(), added.end());
        auto at = expected.begin();
        for (auto const& l : lines_) {
            if (one_of(l.lower, remade) || one_of(l.lower, made_anew)) continue;
            require(at != expected.end(), "no field that was not received");
            require(at->first == l.name && at->second == l.value, "each field as received, in its order");
            ++at;
        }
        require(at == expected.end(), "no field is lost");
    }

    static bool nominated(std::vector<http::field> const& received, std::string_view name) {
        for (auto const& f : received) {
            if (!iequals(f.name, "connection")) continue;
            if (f.value.find('"') != f.value.npos) {  // options have no quotes: here the library's reading counts
                if (http::list_contains(f.value, name)) return true;
                continue;
            }
            for (auto rest = f.value; !rest.empty();) {
                auto const comma = std::min(rest.find(','), rest.size());
                auto option = rest.substr(0, comma);
                rest.remove_prefix(std::min(comma + 1, rest.size()));
                while (!option.empty() && (option.front() == ' ' || option.front() == '\t')) option.remove_prefix(1);
                while (!option.empty() && (option.back() == ' ' || option.back() == '\t')) option.remove_suffix(1);
                if (iequals(option, name)) return true;
            }
        }
        return false;
    }

  private:
    struct line {
        std::string_view name;  // as spelled
        std::string_view value;
        std::string lower;  // the name in lower case
    };
    std::vector<line> lines_;
};

// A head and the letter behind it. Also sees that the head's end is found wherever the first read ends.
struct head_input {
    exact head;
    unsigned choice;
    explicit head_input(std::string_view input)
        : head(input.substr(0, end_of(input))), choice(reader{input.substr(end_of(input))}.flags()) {
        auto const end = http::find_head_end(input, 0);
        auto const cut = std::min<std::size_t>(choice * 8, input.size());
        require(http::find_head_end(input.substr(0, cut), 0) == (end <= cut ? end : 0), "no end before it is there");
        if (end > cut || end == 0)
            require(http::find_head_end(input, cut) == end, "the end is found from where a read ended");
    }

  private:
    static std::size_t end_of(std::string_view input) {
        auto const end = http::find_head_end(input, 0);
        return end == 0 ? input.size() : end;
    }
};

}  // namespace jitproxy::fuzz
