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
