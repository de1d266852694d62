#include "jitproxy/base/one_line.hpp"

#include <vector>

#include "catch.hpp"

using namespace jitproxy;

TEST_CASE("one line: control characters and length") {
    struct row {
        std::string text;
        std::size_t longest;
        std::string line;
    };
    for (auto const& r : std::vector<row>{
             {"plain", 10, "plain"},
             {"", 10, ""},
             {" \t\r\n ", 10, ""},
             {"a\r\nSet-Cookie: x", 100, "a  Set-Cookie: x"},
             {std::string("a\0b", 3), 10, "a b"},
             {"tab\there\x7F!", 20, "tab here !"},
             {"c1 \xC2\x85 next", 20, "c1   next"},
             {"\xC2\xA0 is kept", 20, "\xC2\xA0 is kept"},
             {"caf\xC3\xA9", 10, "caf\xC3\xA9"},
             {"caf\xC3\xA9", 5, "caf\xC3\xA9"},
             {"caf\xC3\xA9", 4, "caf"},
             {"\xE2\x82\xAC", 2, ""},
             {"\xF0\x9F\x98\x80x", 4, "\xF0\x9F\x98\x80"},
             {"abcdef", 3, "abc"},
             {"abcdef", 0, ""},
             {"\x80\x80\x80", 2, ""},
             {"a\xC2", 10, "a\xC2"},
         })
        CHECK(one_line(r.text, r.longest) == r.line);
}

TEST_CASE("cut: never within a UTF-8 sequence, and nothing else is changed") {
    CHECK(cut(" a\n ", 10) == " a\n ");
    CHECK(cut("abc", 3) == "abc");
    CHECK(cut("abc", 2) == "ab");
    CHECK(cut("caf\xC3\xA9s", 5) == "caf\xC3\xA9");
    CHECK(cut("caf\xC3\xA9s", 4) == "caf");
    CHECK(cut("\xF0\x9F\x98\x80", 3).empty());
    CHECK(cut("\x80\x80\x80", 2).empty());
}
