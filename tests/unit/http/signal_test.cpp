#include "jitproxy/http/signal.hpp"

#include <string>

#include "catch.hpp"
#include "heads.hpp"
#include "jitproxy/base/encoding.hpp"

using namespace jitproxy;
using namespace jitproxy::http;
using test::response;

namespace {

// Its base64 has '+' and '/' in it, and padding.
std::string const document = R"({"type":"document","actions":["read"],"x":"~~~???>>>\u00ff!"})";
std::string const array = "[" + document + R"(,{"type":"report"}])";
std::string const bearer_403 =
    "HTTP/1.1 403 Forbidden\nWWW-Authenticate: Bearer error=\"insufficient_authorization_details\"";
std::string const bearer_401 =
    "HTTP/1.1 401 Unauthorized\nWWW-Authenticate: Bearer error=\"insufficient_authorization\"";

std::string lumoauth(std::string_view value) {
    return bearer_403 + "\nInsufficient-Authorization-Details: " + std::string(value) + "\n";
}

void check_document(response_head const& head, std::string_view body = {}) {
    auto const read = read_signal(head, body);
    INFO((read ? std::string{} : read.error().detail));
    REQUIRE(read.has_value());
    REQUIRE(read->details.size() == 1);
    CHECK(canonical_json(read->details[0]) == canonical_json(*parse_json(document, errc::internal)));
}

void check_bad(response_head const& head, std::string_view body, std::string_view detail) {
    auto const read = read_signal(head, body);
    REQUIRE_FALSE(read.has_value());
    CHECK(read.error().code == errc::bad_response);
    INFO(read.error().detail);
    CHECK(read.error().detail.find(detail) != std::string::npos);
}

}  // namespace

TEST_CASE("LumoAuth's header is read in all four base64 forms") {
    auto const standard = encode_base64(document);
    auto const url = encode_base64url(document);
    auto const strip = [](std::string s) { return s.substr(0, s.find('=')); };
    auto const pad = [](std::string s) { return s.append((4 - s.size() % 4) % 4, '='); };
    REQUIRE(standard != pad(url));
    REQUIRE(standard != strip(standard));
    for (auto const& form : {standard, strip(standard), url, pad(url)}) {
        INFO(form);
        auto const head = response(lumoauth(form));
        CHECK(find_signal(head) == signal_presence::in_head);
        check_document(head);
    }
    // The header alone is enough.
    auto const head = response("HTTP/1.1 403 No\ninsufficient-authorization-details: " + standard + "\n");
    CHECK(find_signal(head) == signal_presence::in_head);
    check_document(head);
}

TEST_CASE("the header may hold an array") {
    auto const read = read_signal(response(lumoauth(encode_base64(array))), {});
    REQUIRE(read.has_value());
    REQUIRE(read->details.size() == 2);
    CHECK(read->details[1].at("type") == "report");
    CHECK(read->reference.empty());
}

TEST_CASE("the header wins over the body") {
    check_document(response(lumoauth(encode_base64(document))), R"({"authorization_details_hint":{"type":"other"}})");
}

TEST_CASE("dialect -00: a parameter of the challenge") {
    for (auto const& quoted : {"\"" + encode_base64url(document) + "\"", encode_base64url(document)}) {
        auto const head = response(bearer_403 + ", authorization_details=" + quoted + "\n");
        CHECK(find_signal(head) == signal_presence::in_head);
        check_document(head);
    }
    auto const read =
        read_signal(response(bearer_403 + ", Authorization_Details=\"" + encode_base64(array) + "\"\n"), {});
    REQUIRE(read.has_value());
    CHECK(read->details.size() == 2);
}

TEST_CASE("dialects -01 to -04: an array in the JSON body") {
    for (auto const& type : {"", "Content-Type: application/json\n", "Content-Type: Application/JSON ; charset=utf-8\n",
                             "Content-Type: application/problem+json\n"}) {
        INFO(type);
        auto const head = response(bearer_403 + "\n" + type);
        CHECK(find_signal(head) == signal_presence::in_body);
        check_document(head, R"({"error":"x","authorization_details":[)" + document + R"(],"authorization_hint":"y"})");
        check_document(head, R"({"authorization_details":)" + document + "}");
        check_document(head, R"({"authorization_details_hint":)" + document + "}");
    }
    CHECK(find_signal(response(bearer_403 + "\nContent-Type: text/html\n")) == signal_presence::none);
}

TEST_CASE("dialects -05 and later: remediation in a 401") {
    auto const remediation = R"({"authorization_details":[)" + document + R"(],"authorization_reference":"ref-1"})";
    for (auto const& value :
         {"\"" + encode_base64url(remediation) + "\"", encode_base64url(remediation), encode_base64(remediation)}) {
        auto const head = response(bearer_401 + ", authorization_remediation=" + value + "\n");
        CHECK(find_signal(head) == signal_presence::in_head);
        check_document(head);
        CHECK(read_signal(head, {})->reference == "ref-1");
    }
    auto const without = encode_base64url(R"({"authorization_details":)" + document + "}");
    auto const read = read_signal(response(bearer_401 + ",authorization_remediation=" + without + "\n"), {});
    REQUIRE(read.has_value());
    CHECK(read->reference.empty());
}

TEST_CASE("ordinary answers carry no signal") {
    auto const value = encode_base64(document);
    for (auto const& head : {
             std::string{"HTTP/1.1 403 Forbidden\n"},
             std::string{"HTTP/1.1 401 Unauthorized\n"},
             "HTTP/1.1 200 OK\nInsufficient-Authorization-Details: " + value + "\n",
             "HTTP/1.1 401 No\nInsufficient-Authorization-Details: " + value + "\n",
             "HTTP/1.1 500 No\nInsufficient-Authorization-Details: " + value + "\n",
             std::string{"HTTP/1.1 403 No\nWWW-Authenticate: Bearer error=\"insufficient_scope\"\n"},
             std::string{"HTTP/1.1 403 No\nWWW-Authenticate: Basic error=\"insufficient_authorization_details\"\n"},
             std::string{"HTTP/1.1 403 No\nX: Bearer error=\"insufficient_authorization_details\"\n"},
             std::string{"HTTP/1.1 401 No\nWWW-Authenticate: Bearer error=\"invalid_token\"\n"},
             bearer_401 + "\n",
             "HTTP/1.1 401 No\nWWW-Authenticate: Bearer authorization_remediation=" + value + "\n",
             "HTTP/1.1 401 No\nWWW-Authenticate: Bearer realm=\"error=\\\"insufficient_authorization\\\"\", "
             "authorization_remediation=" +
                 value + "\n",
         }) {
        INFO(head);
        CHECK(find_signal(response(head)) == signal_presence::none);
        check_bad(response(head), "{}", "none in this answer");
    }
}

TEST_CASE("a signal that cannot be understood says why") {
    struct row {
        std::string json;
        std::string_view detail;
    };
    std::string nine = "[";
    for (int i = 0; i < 9; ++i) nine += (i > 0 ? "," : "") + document;
    nine += "]";
    row const rows[] = {
        {"", "empty"},
        {"nonsense", "invalid JSON"},
        {R"({"type":"a"} x)", "invalid JSON"},
        {"\"text\"", "neither an object nor an array"},
        {"42", "neither an object nor an array"},
        {"[]", "no authorization details"},
        {"[1]", "no object"},
        {"[[]]", "no object"},
        {"{}", "without a \"type\""},
        {R"({"type":1})", "without a \"type\""},
        {R"({"type":""})", "without a \"type\""},
        {R"({"type":null})", "without a \"type\""},
        {R"([{"type":"a"},{"actions":[]}])", "without a \"type\""},
        {nine, "more than 8"},
        {R"({"type":"a","x":)" + std::string(20, '[') + std::string(20, ']') + "}", "invalid JSON"},
        {"{\"type\":\"\xff\"}", "invalid JSON"},
    };
    for (auto const& r : rows) {
        INFO(r.json);
        check_bad(response(lumoauth(encode_base64(r.json))), {}, r.detail);
        if (!r.json.empty()) {
            check_bad(response(bearer_403 + ", authorization_details=\"" + encode_base64url(r.json) + "\"\n"), {},
                      r.detail);
            check_bad(response(bearer_403 + "\n"), "{\"authorization_details\":" + r.json + "}",
                      r.detail == "invalid JSON" ? "invalid JSON" : r.detail);
        }
    }
    for (auto value : {"!!!", "e30=e30=", "{\"type\":\"a\"}", "e30 e30", "e"})
        check_bad(response(lumoauth(value)), {}, "not base64");
    auto const fine = encode_base64(document);
    check_bad(response(lumoauth(fine) + "Insufficient-Authorization-Details: " + fine + "\n"), {}, "more than once");
}

TEST_CASE("remediation that cannot be understood says why") {
    struct row {
        std::string json;
        std::string_view detail;
    };
    row const rows[] = {
        {"[]", "no object"},
        {"{}", "without authorization_details"},
        {R"({"authorization_details":[]})", "no authorization details"},
        {R"({"authorization_details":[{"type":"a"}],"authorization_reference":")" + std::string(1025, 'r') + "\"}",
         "authorization_reference too long"},
    };
    for (auto const& r : rows) {
        INFO(r.json);
        check_bad(response(bearer_401 + ", authorization_remediation=" + encode_base64url(r.json) + "\n"), {},
                  r.detail);
    }
}

TEST_CASE("bodies that cannot be looked into say why") {
    check_bad(response(bearer_403 + "\n"), "", "invalid JSON");
    check_bad(response(bearer_403 + "\n"), "<html>", "invalid JSON");
    check_bad(response(bearer_403 + "\n"), "[]", "no object");
    check_bad(response(bearer_403 + "\n"), R"({"error":"insufficient_authorization_details"})",
              "names what is missing");
    check_bad(response(bearer_403 + "\n"), std::string(max_signal_bytes + 1, ' '), "too long");
    check_bad(response(bearer_403 + "\nContent-Encoding: gzip\n"), "{}", "compressed");
    check_document(response(bearer_403 + "\nContent-Encoding: identity\n"),
                   "{\"authorization_details\":" + document + "}");
}

TEST_CASE("an error about a signal does not repeat it") {
    auto const read = read_signal(response(lumoauth(encode_base64("{\"secret\": hunter2}"))), {});
    REQUIRE_FALSE(read.has_value());
    CHECK(read.error().detail.find("hunter2") == std::string::npos);
}

TEST_CASE("challenges are read as RFC 9110 11.6.1 writes them") {
    struct row {
        std::string_view value;
        std::string_view scheme, name;
        std::string_view expected;
    };
    row const rows[] = {
        {"Bearer error=\"x\"", "Bearer", "error", "x"},
        {"bearer ERROR=x", "BEARER", "error", "x"},
        {"Bearer error = \"x\" , b = y", "Bearer", "b", "y"},
        {"Bearer realm=\"a, error=z\", error=\"x\"", "Bearer", "error", "x"},
        {"Bearer realm=\"a\\\", error=\\\"z\", error=\"x\"", "Bearer", "error", "x"},
        {"Bearer realm=\"a\\\\\", error=\"x\"", "Bearer", "realm", "a\\"},
        {"Basic realm=\"b\", Bearer error=\"x\"", "Bearer", "error", "x"},
        {"Basic realm=\"b\", Bearer error=\"x\"", "Basic", "realm", "b"},
        {"Basic realm=\"b\", Bearer error=\"x\"", "Basic", "error", ""},
        {"Negotiate, Bearer error=\"x\"", "Bearer", "error", "x"},
        {"Negotiate abc/+==, Bearer error=\"x\"", "Bearer", "error", "x"},
        {"Negotiate abc=, Bearer error=\"x\"", "Bearer", "error", "x"},
        {"Negotiate ,Bearer error=\"x\"", "Bearer", "error", "x"},
        {"Newauth realm=\"apps\", type=1, title=\"Login to \\\"apps\\\"\", Basic realm=\"simple\"", "Newauth", "title",
         "Login to \"apps\""},
        {"Newauth realm=\"apps\", type=1, title=\"Login to \\\"apps\\\"\", Basic realm=\"simple\"", "Basic", "realm",
         "simple"},
        {", ,Bearer error=x,,", "Bearer", "error", "x"},
        {"Bearer a=1, a=2", "Bearer", "a", "1"},
        {"Bearer a=1, Bearer a=2, b=3", "Bearer", "b", ""},
        {"Bearer a=eyJ0eXAiOiJ+/_-=", "Bearer", "a", "eyJ0eXAiOiJ+/_-="},
        {"Bearer a=", "Bearer", "a", ""},
        {"Bearer a=\"open", "Bearer", "a", ""},
        {"Bearer a=\"\", b=1", "Bearer", "b", "1"},
        {"Bearer =x, b=1", "Bearer", "b", ""},
        {"Bearer", "Bearer", "a", ""},
        {"", "Bearer", "a", ""},
        {"\"\", \xff, Bearer a=1", "Bearer", "a", "1"},
        {"Bearer\ta=1", "Bearer", "a", "1"},
        {"XBearer a=1", "Bearer", "a", ""},
        {"a=1, Bearer b=2", "Bearer", "b", "2"},
    };
    for (auto const& r : rows) {
        INFO(r.value);
        CHECK(challenge_parameter(r.value, r.scheme, r.name) == r.expected);
    }
}

TEST_CASE("the Bearer error is found over all field lines") {
    CHECK(bearer_error(response("HTTP/1.1 401 No\nWWW-Authenticate: Basic realm=x\nwww-authenticate: Negotiate, "
                                "Bearer realm=\"a\", error=\"invalid_token\"\n")) == "invalid_token");
    CHECK(bearer_error(response("HTTP/1.1 401 No\nWWW-Authenticate: Bearer realm=a\nWWW-Authenticate: Bearer "
                                "error=invalid_token\n")) == "invalid_token");
    CHECK(bearer_error(response("HTTP/1.1 401 No\nWWW-Authenticate: Basic error=invalid_token\n")).empty());
    CHECK(bearer_error(response("HTTP/1.1 401 No\n")).empty());
    // details belong to the challenge that has the error
    auto const other = encode_base64url(R"({"type":"other"})");
    check_document(
        response("HTTP/1.1 403 No\nWWW-Authenticate: Bearer realm=a, authorization_details=" + other +
                 "\nWWW-Authenticate: Bearer error=insufficient_authorization_details, authorization_details=" +
                 encode_base64url(document) + "\n"));
}
