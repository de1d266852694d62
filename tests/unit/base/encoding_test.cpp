#include "jitproxy/base/encoding.hpp"

#include <string>

#include "catch.hpp"

using namespace jitproxy;
using namespace std::string_view_literals;

TEST_CASE("base64 encodes as RFC 4648 section 10 shows") {
    struct row {
        std::string_view bytes, standard, url;
    };
    row const rows[] = {
        {"", "", ""},
        {"f", "Zg==", "Zg"},
        {"fo", "Zm8=", "Zm8"},
        {"foo", "Zm9v", "Zm9v"},
        {"foob", "Zm9vYg==", "Zm9vYg"},
        {"fooba", "Zm9vYmE=", "Zm9vYmE"},
        {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
        {"\xfb\xff\xbf", "+/+/", "-_-_"},
        {"\0\0"sv, "AAA=", "AAA"},
    };
    for (auto const& r : rows) {
        INFO(r.standard);
        CHECK(encode_base64(r.bytes) == r.standard);
        CHECK(encode_base64url(r.bytes) == r.url);
        CHECK(decode_base64(r.standard) == std::string(r.bytes));
        CHECK(decode_base64(r.url) == std::string(r.bytes));
    }
}

TEST_CASE("base64 is read in all four forms") {
    std::string const bytes = "\xfb\xff\xbfz";
    for (auto text : {"+/+/eg==", "+/+/eg", "-_-_eg==", "-_-_eg"}) CHECK(decode_base64(text) == bytes);
}

TEST_CASE("what is no base64 is refused") {
    for (auto text : {"A", "AAAAA", "Zg=", "Zg===", "=", "==", "====", "Z=g=", "Zm9v=", "Zm9v====", "Zm 9v", "Zm9v\n",
                      "+_+_", "Zh==", "Zm9=", "Zm8=Zm8=", "{}", "Zm9\xc3\xbc"}) {
        INFO(text);
        CHECK_FALSE(decode_base64(text));
    }
    CHECK_FALSE(decode_base64("Zm9v\0"sv));
}

TEST_CASE("percent-encoding leaves only unreserved characters") {
    CHECK(percent_encode("azAZ09-._~") == "azAZ09-._~");
    CHECK(percent_encode("a/b c%?#") == "a%2Fb%20c%25%3F%23");
    CHECK(percent_encode("\xc3\xbc\0"sv) == "%C3%BC%00");
    CHECK(percent_encode("") == "");
}

TEST_CASE("percent-decoding refuses what is cut or no hexadecimal") {
    CHECK(percent_decode("a%2Fb%2fc") == "a/b/c");
    CHECK(percent_decode("a+b") == "a+b");
    CHECK(percent_decode("%00") == std::string(1, '\0'));
    CHECK(percent_decode("") == "");
    for (auto text : {"%", "%2", "a%", "%zz", "%2g", "%%41", "% 1", "%+1"}) {
        INFO(text);
        CHECK_FALSE(percent_decode(text));
    }
}

TEST_CASE("hashes and hexadecimal") {
    CHECK(hex("") == "");
    CHECK(hex("\x00\x0f\xff"sv) == "000fff");
    // FIPS 180-2, appendix B
    CHECK(hex(sha256("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(hex(sha256("")) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST_CASE("case is ASCII's only") {
    CHECK(to_lower("AZaz09-\xc3\x9c") == "azaz09-\xc3\x9c");
    CHECK(iequals("Content-Length", "cONTENT-lENGTH"));
    CHECK(iequals("", ""));
    CHECK_FALSE(iequals("a", "ab"));
    CHECK_FALSE(iequals("a", "b"));
    CHECK_FALSE(iequals("[", "{"));  // differ by the bit that makes letters lower case
    CHECK_FALSE(iequals("@", "`"));
}

TEST_CASE("UTF-8 is told from what only looks like it") {
    struct row {
        std::string_view text;
        std::size_t length;
    };
    row const rows[] = {
        {"a", 1},
        {"\0"sv, 1},
        {"\x7f", 1},
        {"\xc2\x80", 2},
        {"\xdf\xbf", 2},
        {"\xe0\xa0\x80", 3},
        {"\xed\x9f\xbf", 3},
        {"\xef\xbf\xbf", 3},
        {"\xf0\x90\x80\x80", 4},
        {"\xf4\x8f\xbf\xbf", 4},
        {"\x80", 0},
        {"\xc0\x80", 0},          // overlong
        {"\xc1\xbf", 0},          // overlong
        {"\xe0\x9f\xbf", 0},      // overlong
        {"\xf0\x8f\xbf\xbf", 0},  // overlong
        {"\xed\xa0\x80", 0},      // surrogate
        {"\xf4\x90\x80\x80", 0},  // beyond U+10FFFF
        {"\xf5\x80\x80\x80", 0},
        {"\xff", 0},
        {"\xc2", 0},
        {"\xe2\x82", 0},
        {"\xf0\x9f\x98", 0},
        {"\xc2z", 0},
        {"\xe2\x82z", 0},
    };
    for (auto const& r : rows) {
        INFO(hex(r.text));
        CHECK(utf8_length(r.text) == r.length);
    }
}

TEST_CASE("text is made UTF-8 and cut between characters") {
    CHECK(to_utf8("", 10) == "");
    CHECK(to_utf8("abc", 3) == "abc");
    CHECK(to_utf8("abcd", 3) == "...");
    CHECK(to_utf8("abcdefgh", 6) == "abc...");
    CHECK(to_utf8("abcd", 2) == "..");
    CHECK(to_utf8("a\xff"
                  "b",
                  10) ==
          "a\xef\xbf\xbd"
          "b");
    CHECK(to_utf8("\xe2\x82", 10) == "\xef\xbf\xbd\xef\xbf\xbd");
    CHECK(to_utf8("a\xe2\x82\xac\xe2\x82\xac", 6) == "a...");
    CHECK(to_utf8("a\xe2\x82\xac\xe2\x82\xac", 7) == "a\xe2\x82\xac\xe2\x82\xac");
    CHECK(to_utf8("a\xe2\x82\xac\xe2\x82\xacz", 7) == "a\xe2\x82\xac...");
}
