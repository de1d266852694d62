// Makes heads for tests from readable text: "\n" stands for CRLF, the empty line at the end is added.
#pragma once
#include <deque>
#include <string>
#include <string_view>

#include "catch.hpp"
#include "jitproxy/http/head.hpp"

namespace jitproxy::http::test {

inline std::string wire(std::string_view text) {
    std::string out;
    for (char const c : text) {
        if (c == '\n') out += '\r';
        out += c;
    }
    return out += "\r\n";
}

// The texts that the views of heads point into; kept to the end of the program.
inline std::string const& keep(std::string text) {
    static std::deque<std::string> texts;
    return texts.emplace_back(std::move(text));
}

inline request_head request(std::string_view text) {
    request_head head;
    auto const parsed = parse_request_head(keep(wire(text)), {}, head);
    INFO(text);
    INFO((parsed ? std::string{} : parsed.error().detail));
    REQUIRE(parsed.has_value());
    return head;
}

inline response_head response(std::string_view text) {
    response_head head;
    auto const parsed = parse_response_head(keep(wire(text)), {}, head);
    INFO(text);
    INFO((parsed ? std::string{} : parsed.error().detail));
    REQUIRE(parsed.has_value());
    return head;
}

}  // namespace jitproxy::http::test
