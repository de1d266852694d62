#include "jitproxy/base/json.hpp"

#include <bit>
#include <cstdlib>
#include <limits>
#include <string>

#include "catch.hpp"

using namespace jitproxy;

namespace {
std::string canonical(std::string_view text) {
    auto const value = parse_json(text, errc::internal);
    REQUIRE(value.has_value());
    return canonical_json(*value);
}
std::string nested(std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
}
}  // namespace

TEST_CASE("JSON that cannot be used is an error of the caller's code") {
    struct row {
        std::string text;
        std::string detail;  // part of it
    };
    row const rows[] = {
        {"", "ends too early"},
        {"{\"a\":", "ends too early"},
        {"\"abc", "ends too early"},
        {"{} x", "at byte 3"},
        {"{}{}", "at byte 2"},
        {"[1,]", "at byte 3"},
        {"{'a':1}", "at byte 1"},
        {"nul", "ends too early"},
        {"\"\xff\"", "invalid JSON"},
        {"\"\xed\xa0\x80\"", "invalid JSON"},
        {"\"\\ud800\"", "invalid JSON"},
        {"\"a\nb\"", "invalid JSON"},
        {"[1e400]", "out of range"},
        {"{\"a\":[-1e999]}", "out of range"},
        {"NaN", "invalid JSON"},
        {"// x\n1", "invalid JSON"},
        {nested(33), "invalid JSON"},
        {std::string(100'000, '['), "invalid JSON"},
        {'"' + std::string(256 * 1024, 'x') + '"', "more than 262144 bytes"},
    };
    for (auto const& r : rows) {
        INFO(r.text.substr(0, 40));
        auto const parsed = parse_json(r.text, errc::as_malformed);
        REQUIRE_FALSE(parsed.has_value());
        CHECK(parsed.error().code == errc::as_malformed);
        CHECK(parsed.error().detail.find(r.detail) != std::string::npos);
    }
}

TEST_CASE("an error's detail never repeats the text") {
    auto const parsed = parse_json("{\"access_token\": s3cr3t}", errc::as_malformed);
    REQUIRE_FALSE(parsed.has_value());
    CHECK(parsed.error().detail.find("s3cr3t") == std::string::npos);
    CHECK(parsed.error().detail.find("access_token") == std::string::npos);
}

TEST_CASE("depth and size limits are the caller's") {
    CHECK(parse_json(nested(32), errc::internal).has_value());
    CHECK(parse_json(nested(3), errc::internal, {.bytes = 6, .depth = 3}).has_value());
    CHECK_FALSE(parse_json(nested(4), errc::internal, {.bytes = 100, .depth = 3}).has_value());
    CHECK_FALSE(parse_json(nested(3), errc::internal, {.bytes = 5, .depth = 3}).has_value());
}

TEST_CASE("parse_json_object wants an object") {
    CHECK(parse_json_object(" {\"a\":1} ", errc::internal).has_value());
    for (auto text : {"[]", "1", "null", "\"{}\""}) {
        auto const parsed = parse_json_object(text, errc::bad_response);
        REQUIRE_FALSE(parsed.has_value());
        CHECK(parsed.error().code == errc::bad_response);
        CHECK(parsed.error().detail == "JSON, but not an object");
    }
}

TEST_CASE("members are read tolerantly") {
    auto const o =
        *parse_json_object(R"({"s":"text","e":"","n":42,"neg":-7,"d":300.0,"f":1.5,"digits":"900","mixed":"9x",
        "null":null,"big":9223372036854775807,"toobig":9223372036854775808,"huge":1e30,"b":true,"sp":" 1"})",
                           errc::internal);
    CHECK(string_member(o, "s") == "text");
    CHECK(string_member(o, "e") == "");
    for (auto name : {"n", "null", "absent", "b"}) CHECK_FALSE(string_member(o, name));
    CHECK(int_member(o, "n") == 42);
    CHECK(int_member(o, "neg") == -7);
    CHECK(int_member(o, "d") == 300);
    CHECK(int_member(o, "digits") == 900);
    CHECK(int_member(o, "big") == std::numeric_limits<std::int64_t>::max());
    for (auto name : {"f", "mixed", "null", "absent", "toobig", "huge", "b", "s", "e", "sp"}) {
        INFO(name);
        CHECK_FALSE(int_member(o, name));
    }
}

TEST_CASE("canonical JSON: the example of RFC 8785 section 3.2") {
    CHECK(canonical(R"({
        "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
        "literals": [null, true, false]
      })") ==
          "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],"
          "\"string\":\"\xe2\x82\xac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}");
}

TEST_CASE("canonical JSON: keys in the order of RFC 8785 section 3.2.3") {
    CHECK(
        canonical(R"({"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One",
        "\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"})") ==
        "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\xc2\x80\":\"Control\","
        "\"\xc3\xb6\":\"Latin Small Letter O With Diaeresis\",\"\xe2\x82\xac\":\"Euro Sign\","
        "\"\xf0\x9f\x98\x80\":\"Emoji: Grinning Face\",\"\xef\xac\xb3\":\"Hebrew Letter Dalet With Dagesh\"}");
    CHECK(canonical(R"({"b":1,"a":{"z":1,"y":2},"":0,"aa":3})") == R"({"":0,"a":{"y":2,"z":1},"aa":3,"b":1})");
    // U+D7FF goes before surrogate pairs, U+E000 after them
    CHECK(canonical(R"({"\ue000":1,"\ud800\udc00":2,"\ud7ff":3})") ==
          "{\"\xed\x9f\xbf\":3,\"\xf0\x90\x80\x80\":2,\"\xee\x80\x80\":1}");
}

TEST_CASE("canonical JSON: the numbers of RFC 8785 appendix B") {
    struct row {
        std::uint64_t bits;
        std::string_view text;
    };
    row const rows[] = {
        {0x0000000000000000, "0"},
        {0x8000000000000000, "0"},
        {0x0000000000000001, "5e-324"},
        {0x8000000000000001, "-5e-324"},
        {0x7fefffffffffffff, "1.7976931348623157e+308"},
        {0xffefffffffffffff, "-1.7976931348623157e+308"},
        {0x4340000000000000, "9007199254740992"},
        {0xc340000000000000, "-9007199254740992"},
        {0x4430000000000000, "295147905179352830000"},
        {0x44b52d02c7e14af5, "9.999999999999997e+22"},
        {0x44b52d02c7e14af6, "1e+23"},
        {0x44b52d02c7e14af7, "1.0000000000000001e+23"},
        {0x444b1ae4d6e2ef4e, "999999999999999700000"},
        {0x444b1ae4d6e2ef4f, "999999999999999900000"},
        {0x444b1ae4d6e2ef50, "1e+21"},
        {0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"},
        {0x3eb0c6f7a0b5ed8d, "0.000001"},
        {0x41b3de4355555553, "333333333.3333332"},
        {0x41b3de4355555554, "333333333.33333325"},
        {0x41b3de4355555555, "333333333.3333333"},
        {0x41b3de4355555556, "333333333.3333334"},
        {0x41b3de4355555557, "333333333.33333343"},
        {0xbecbf647612f3696, "-0.0000033333333333333333"},
        {0x43143ff3c1cb0959, "1424953923781206.2"},
    };
    for (auto const& r : rows) {
        INFO(r.text);
        CHECK(canonical_json(json::value(std::bit_cast<double>(r.bits))) == r.text);
    }
}

TEST_CASE("doubles are read to the nearest") {
    for (char const* text : {"333333333.33333329", "0.1", "2.2250738585072011e-308", "123456789.12345678901234567890",
                             "9007199254740993.5", "1.7976931348623157e308", "4.35", "-0.000012345678901234567",
                             "1e-400", "5e-324", "1e22", "1e23", "8.41", "18446744073709551616"}) {
        INFO(text);
        auto const value = parse_json(text, errc::internal);
        REQUIRE(value.has_value());
        REQUIRE(value->is_double());
        CHECK(value->get_double() == std::strtod(text, nullptr));
    }
}

TEST_CASE("canonical JSON: equal numbers look equal, different ones do not") {
    CHECK(canonical("[1, 1.0, 10e-1, -0, -0.0, 100, 1e2]") == "[1,1,1,0,0,100,100]");
    CHECK(canonical("[9007199254740993, 9007199254740992]") == "[9007199254740993,9007199254740992]");
    CHECK(canonical("[18446744073709551615, -9223372036854775808]") == "[18446744073709551615,-9223372036854775808]");
}

TEST_CASE("canonical JSON: strings escape as little as they can") {
    CHECK(canonical(R"("\u0000\u0008\u0009\u000a\u000b\u000c\u000d\u001f\u007f\/\u2028")") ==
          "\"\\u0000\\b\\t\\n\\u000b\\f\\r\\u001f\x7f/\xe2\x80\xa8\"");
    CHECK(canonical("[ ]") == "[]");
    CHECK(canonical("{ }") == "{}");
}
