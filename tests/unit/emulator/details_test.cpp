#include "jitproxy/emulator/details.hpp"

#include "catch.hpp"

using namespace jitproxy;
using namespace jitproxy::emulator;

TEST_CASE("what is no authorization details object is said to be none") {
    char const* const good[] = {
        R"({"type":"document"})",
        R"({"type":"document","actions":["read"],"locations":[],"identifier":"x","own":{"member":1}})",
    };
    for (auto const* text : good) {
        INFO(text);
        CHECK(check_details(json::parse(text)).empty());
    }
    char const* const bad[] = {
        "null",
        "\"document\"",
        R"([{"type":"document"}])",
        "{}",
        R"({"type":""})",
        R"({"type":1})",
        R"({"type":"document","actions":"read"})",
        R"({"type":"document","actions":[1]})",
        R"({"type":"document","locations":{}})",
        R"({"type":"document","datatypes":["a",null]})",
        R"({"type":"document","privileges":true})",
        R"({"type":"document","identifier":7})",
    };
    for (auto const* text : bad) {
        INFO(text);
        CHECK_FALSE(check_details(json::parse(text)).empty());
    }
}

TEST_CASE("a grant covers what it names, and nothing else") {
    struct row {
        char const* granted;
        char const* needed;
        bool expected;
    };
    row const rows[] = {
        {R"({"type":"d","actions":["read"]})", R"({"type":"d","actions":["read"]})", true},
        {R"({"type":"d","actions":["write","read"]})", R"({"type":"d","actions":["read"]})", true},
        {R"({"type":"d","actions":["read"],"identifier":"1"})", R"({"type":"d","actions":["read"]})", true},
        {R"({"type":"d","actions":["read"]})", R"({"type":"d","actions":["read","write"]})", false},
        {R"({"type":"d","actions":["read"]})", R"({"type":"e","actions":["read"]})", false},
        {R"({"type":"d","actions":["read"]})", R"({"type":"d","actions":["read"],"identifier":"1"})", false},
        {R"({"type":"d","identifier":"2"})", R"({"type":"d","identifier":"1"})", false},
        {R"({"type":"d","locations":["http://a","http://b"]})", R"({"type":"d","locations":["http://b"]})", true},
        {R"({"type":"d","locations":["http://a"]})", R"({"type":"d","locations":["http://b"]})", false},
        {R"({"type":"d","locations":"http://a"})", R"({"type":"d","locations":["http://a"]})", false},
        {R"({"type":"d","amount":{"value":5}})", R"({"type":"d","amount":{"value":5}})", true},
        {R"({"type":"d","amount":{"value":5}})", R"({"type":"d","amount":{"value":6}})", false},
        {R"({})", R"({"type":"d"})", false},
    };
    for (auto const& r : rows) {
        INFO(r.granted << " for " << r.needed);
        CHECK(covers(json::parse(r.granted).as_object(), json::parse(r.needed).as_object()) == r.expected);
    }
}
