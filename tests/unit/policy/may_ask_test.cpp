#include <string>
#include <vector>

#include "catch.hpp"
#include "jitproxy/policy/rules.hpp"

namespace policy = jitproxy::policy;
namespace json = jitproxy::json;
using jitproxy::errc;

namespace {

constexpr std::string_view origin = "https://api.example.com:443";

jitproxy::result<void> ask(std::string_view details, std::vector<std::string> types = {},
                           std::string_view from = origin) {
    policy::api a;
    a.name = "acme";
    a.types = std::move(types);
    return policy::may_ask(a, from, json::parse(details).as_object());
}

void check_refused(jitproxy::result<void> const& r, std::string_view part) {
    REQUIRE_FALSE(r.has_value());
    CHECK(r.error().code == errc::permission_not_asked);
    INFO(r.error().detail);
    CHECK(r.error().detail.find(part) != std::string::npos);
}

}  // namespace

TEST_CASE("an object needs a type, and the type has to be allowed where types are listed") {
    CHECK(ask(R"({"type":"document"})").has_value());
    CHECK(ask(R"({"type":"document","actions":["read"],"identifier":"doc_9982"})", {"report", "document"}).has_value());
    check_refused(ask(R"({})"), "without a type");
    check_refused(ask(R"({"type":""})"), "without a type");
    check_refused(ask(R"({"type":7})"), "without a type");
    check_refused(ask(R"({"type":null})"), "without a type");
    check_refused(ask(R"({"type":["document"]})"), "without a type");
    check_refused(ask(R"({"type":"payment"})", {"report", "document"}), "\"payment\"");
    check_refused(ask(R"({"type":"payment"})", {"report"}), "[[api]] types");
    check_refused(ask(R"({"type":"Document"})", {"document"}), "[[api]] types");  // RFC 9396 2: case-sensitive
    check_refused(ask(R"({"type":"documents"})", {"document"}), "[[api]] types");
}

TEST_CASE("locations within the API's own origin may be named, in every spelling of it") {
    for (char const* location :
         {"https://api.example.com", "https://api.example.com/", "https://api.example.com:443/v1/documents?x=1",
          "https://API.Example.COM/a", "HTTPS://api.example.com/a", "https://api.example.com./a",
          "https://api.example.com/a/../b//c;d=%2F", "https://api.example.com?x",
          // RFC 3986 3.2.3: an empty port is the scheme's; and an @ behind the first / is path.
          "https://api.example.com:/x:y@evil.org"}) {
        INFO(location);
        CHECK(ask(R"({"type":"t","locations":[")" + std::string(location) + R"("]})").has_value());
        CHECK(ask(R"({"type":"t","locations":")" + std::string(location) + R"("})").has_value());
    }
    CHECK(ask(R"({"type":"t","locations":[]})").has_value());
    CHECK(ask(R"({"type":"t","locations":null})").has_value());
    CHECK(ask(R"({"type":"t","locations":["https://api.example.com/a","https://api.example.com/b"]})").has_value());
    CHECK(ask(R"({"type":"t","locations":["http://127.0.0.1:8080/a"]})", {}, "http://127.0.0.1:8080").has_value());
    CHECK(ask(R"({"type":"t","locations":["https://[::1]:8443/a"]})", {}, "https://[::1]:8443").has_value());
}

TEST_CASE("locations elsewhere, relative or odd are refused") {
    for (char const* location : {"https://evil.org/",
                                 "https://api.example.com.evil.org/",
                                 "https://api.example.com:8443/",
                                 "http://api.example.com/",
                                 "http://api.example.com:443/",
                                 "https://example.com/",
                                 "https://x.api.example.com/",
                                 "https://xapi.example.com/",
                                 "/documents",
                                 "documents",
                                 "//api.example.com/a",
                                 "",
                                 "*",
                                 "api.example.com",
                                 "api.example.com:443",
                                 "https:",
                                 "https://",
                                 "https:///a",
                                 "https:/api.example.com/a",
                                 "https:api.example.com",
                                 "https://api.example.com@evil.org/",
                                 "https://user@api.example.com/",
                                 "https://user:pw@api.example.com/",
                                 "https://evil.org\\\\@api.example.com/",
                                 "https://api.example.com\\\\.evil.org/",
                                 "https://api.example.com/a b",
                                 " https://api.example.com/",
                                 "https://api.example.com/ ",
                                 "https://api.example.com/\\u0000",
                                 "https://api.example.com/\\r\\nX: y",
                                 "https://api.example.com/\\u00e9",
                                 "https://api.example.com#f",
                                 "https://api.example.com/a#f",
                                 "https://api.example.com:0443x/",

                                 "ftp://api.example.com/",
                                 "urn:example:api",
                                 "wss://api.example.com/",
                                 "https://api.example.com%2eevil.org/",
                                 "https://[::1/",
                                 "https://api.example.com:99999/"}) {
        INFO(location);
        check_refused(ask(R"({"type":"t","locations":[")" + std::string(location) + R"("]})"), "location");
        check_refused(ask(R"({"type":"t","locations":")" + std::string(location) + R"("})"), "location");
    }
}

TEST_CASE("one bad location among good ones is enough") {
    check_refused(ask(R"({"type":"t","locations":["https://api.example.com/a","https://evil.org/"]})"), "evil.org");
}

TEST_CASE("locations that are no strings are refused") {
    for (char const* locations : {"7", "true", R"({"a":"https://api.example.com/"})", "[7]", "[null]",
                                  R"([["https://api.example.com/"]])", R"(["https://api.example.com/",{}])"}) {
        INFO(locations);
        check_refused(ask(R"({"type":"t","locations":)" + std::string(locations) + "}"), "location");
    }
}

TEST_CASE("what the API sent stands in the message bounded and without bytes that forge a line") {
    auto const refused = ask(R"({"type":"x\ny)" + std::string(5000, 'z') + R"("})", {"document"});
    check_refused(refused, "x?y");
    CHECK(refused.error().detail.size() < 400);
    CHECK(refused.error().detail.find('\n') == std::string::npos);
}
