#include "jitproxy/emulator/message.hpp"

#include "catch.hpp"
#include "fixture.hpp"

using namespace jitproxy;
using namespace jitproxy::emulator;

TEST_CASE("a target is split, its query decoded") {
    request r;
    r.target = "/v1/documents/a%2Fb?x=1&y=a%20b+c&empty&to=http%3A%2F%2Fh%2F%3Fq";
    split_target(r);
    CHECK(r.path == "/v1/documents/a%2Fb");
    CHECK(r.query_value("x") == "1");
    CHECK(r.query_value("y") == "a b c");
    CHECK(r.query_value("empty").empty());
    CHECK(r.query_value("to") == "http://h/?q");
    CHECK(r.query_number("x", 7) == 1);
    CHECK(r.query_number("y", 7) == 7);
    CHECK(r.query_number("absent", 7) == 7);
    r.target = "http://other.example/path?z=2";
    split_target(r);
    CHECK(r.path == "/path");
    CHECK(r.query_value("z") == "2");
    CHECK(r.query_value("x").empty());
    r.target = "http://other.example";
    split_target(r);
    CHECK(r.path == "/");
}

TEST_CASE("forms: malformed ones and doubled names are refused") {
    auto const good = parse_form("grant_type=client_credentials&client_secret=a%26b%3Dc&scope=x+y");
    REQUIRE(good.has_value());
    CHECK(*find(*good, "client_secret") == "a&b=c");
    CHECK(*find(*good, "scope") == "x y");
    CHECK(find(*good, "absent") == nullptr);
    CHECK(parse_form("").has_value());
    CHECK_FALSE(parse_form("a=1&a=2").has_value());
    CHECK_FALSE(parse_form("a=%zz").has_value());
}

TEST_CASE("a bearer is taken from exactly one Authorization of that scheme") {
    request r;
    CHECK_FALSE(bearer_of(r).has_value());
    r.fields = {{"authorization", "bEaReR  token-1"}};
    CHECK(bearer_of(r).value_or("") == "token-1");
    r.fields = {{"Authorization", "Basic abc"}};
    CHECK_FALSE(bearer_of(r).has_value());
    r.fields = {{"Authorization", "Bearer "}};
    CHECK_FALSE(bearer_of(r).has_value());
    r.fields = {{"Authorization", "Bearer a"}, {"Authorization", "Bearer b"}};
    CHECK_FALSE(bearer_of(r).has_value());
}

TEST_CASE("origin and media type") {
    auto r = fixture::make("POST", "/", "", "x", "Application/JSON ; charset=utf-8");
    CHECK(r.media_type() == "application/json");
    CHECK(r.origin() == "http://api.acme-corp.test");
    r.scheme = "https";
    r.fields[0].value = "API.acme-corp.test:8443";
    CHECK(r.origin() == "https://api.acme-corp.test:8443");
    r.fields.push_back({"host", "second"});
    CHECK(r.origin().empty());
}

TEST_CASE("any byte becomes a code point") {
    CHECK(as_utf8("a\xe9\xff") == "a\xc3\xa9\xc3\xbf");
    CHECK(is_printable("doc_1 ~"));
    CHECK_FALSE(is_printable("a\nb"));
    CHECK_FALSE(is_printable("\xe9"));
}
