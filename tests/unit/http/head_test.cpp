#include "jitproxy/http/head.hpp"

#include <string>
#include <vector>

#include "catch.hpp"
#include "heads.hpp"

using namespace jitproxy;
using namespace jitproxy::http;
using namespace std::string_literals;
using namespace std::string_view_literals;

namespace {

struct outcome {
    errc code = errc::internal;
    std::string detail;
    bool fine = false;
};

outcome request_outcome(std::string_view head, head_limits const& limits = {}) {
    request_head out;
    auto const parsed = parse_request_head(head, limits, out);
    return parsed ? outcome{errc::internal, {}, true} : outcome{parsed.error().code, parsed.error().detail};
}

outcome response_outcome(std::string_view head, head_limits const& limits = {}) {
    response_head out;
    auto const parsed = parse_response_head(head, limits, out);
    return parsed ? outcome{errc::internal, {}, true} : outcome{parsed.error().code, parsed.error().detail};
}

}  // namespace

TEST_CASE("a request head is read into views") {
    auto const text =
        "GET http://example.com/a?b=c HTTP/1.1\r\nHost: example.com\r\naccept:*/*\r\nX-Empty:\r\nX-Space: \t two words "
        "\t\r\n"
        "Accept: second\r\nX-Latin: caf\xe9\r\n\r\n"s;
    request_head head;
    REQUIRE(parse_request_head(text, {}, head).has_value());
    CHECK(head.method == "GET");
    CHECK(head.target == "http://example.com/a?b=c");
    CHECK(head.version == version::http_1_1);
    std::vector<std::pair<std::string_view, std::string_view>> const expected = {
        {"Host", "example.com"},  {"accept", "*/*"},    {"X-Empty", ""},
        {"X-Space", "two words"}, {"Accept", "second"}, {"X-Latin", "caf\xe9"}};
    REQUIRE(head.fields.size() == expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
        CHECK(head.fields[i].name == expected[i].first);
        CHECK(head.fields[i].value == expected[i].second);
        CHECK(head.fields[i].name.data() >= text.data());
        CHECK(head.fields[i].value.data() <= text.data() + text.size());
    }
    REQUIRE(head.find(field_id::host) == &head.fields[0]);
    CHECK(head.find(field_id::via) == nullptr);
    CHECK(head.count(field_id::host) == 1);
    CHECK(head.count(field_id::via) == 0);
}

TEST_CASE("a head object is used again") {
    request_head head;
    REQUIRE(parse_request_head("GET / HTTP/1.0\r\nA: 1\r\nB: 2\r\n\r\n", {}, head).has_value());
    CHECK(head.version == version::http_1_0);
    auto const* const storage = head.fields.data();
    REQUIRE(parse_request_head("PUT /x HTTP/1.1\r\nHost: h\r\n\r\n", {}, head).has_value());
    CHECK(head.fields.size() == 1);
    CHECK(head.fields.data() == storage);
    CHECK(head.version == version::http_1_1);
}

TEST_CASE("unusual but valid request heads pass") {
    for (auto text : {
             "GET / HTTP/1.1\r\n\r\n"sv,
             "M-SEARCH * HTTP/1.1\r\n\r\n"sv,
             "!#$%&'*+-.^_`|~09az / HTTP/1.1\r\n\r\n"sv,
             "GET /\xc3\xbc|^{}\"<>\\ HTTP/1.1\r\n\r\n"sv,
             "get / HTTP/1.1\r\n!#$%&'*+-.^_`|~09azAZ: v\r\n\r\n"sv,
             "GET / HTTP/1.1\r\na:\"quoted \\\" , text\"\r\n\r\n"sv,
             "GET / HTTP/1.1\r\na:\xff\x80\r\n\r\n"sv,
             "GET / HTTP/1.1\r\na:b\tc\r\n\r\n"sv,
             "GET / HTTP/1.1\r\na::\r\n\r\n"sv,
             "CONNECT h:443 HTTP/1.1\r\n\r\n"sv,
         }) {
        INFO(text);
        auto const o = request_outcome(text);
        INFO(o.detail);
        CHECK(o.fine);
    }
}

TEST_CASE("what RFC 9112 does not allow in a request head is refused") {
    struct row {
        std::string_view head;
        std::string_view detail;
    };
    row const rows[] = {
        // request line
        {"", "bad method"},
        {"\r\n", "bad method"},
        {"\r\nGET / HTTP/1.1\r\n\r\n", "bad method"},
        {" GET / HTTP/1.1\r\n\r\n", "bad method"},
        {"G(T / HTTP/1.1\r\n\r\n", "bad method"},
        {"G\xc3\xa9T / HTTP/1.1\r\n\r\n", "bad method"},
        {"GET\t/ HTTP/1.1\r\n\r\n", "bad method"},
        {"GET\r\n\r\n", "bad method"},
        {"GET  / HTTP/1.1\r\n\r\n", "bad request target"},
        {"GET /\tHTTP/1.1\r\n\r\n", "bad request target"},
        {"GET /\r\n\r\n", "bad request target"},
        {"GET /a\0b HTTP/1.1\r\n\r\n"sv, "bad request target"},
        {"GET /a\x7f HTTP/1.1\r\n\r\n", "bad request target"},
        {"GET /a\x1b HTTP/1.1\r\n\r\n", "bad request target"},
        {"GET /a\r HTTP/1.1\r\n\r\n", "bad request target"},
        {"GET /a b HTTP/1.1\r\n\r\n", "no HTTP version"},
        {"GET /  HTTP/1.1\r\n\r\n", "no HTTP version"},
        {"GET / \r\n\r\n", "no HTTP version"},
        {"GET / HTTP/1.1 \r\n\r\n", "no HTTP version"},
        {"GET / http/1.1\r\n\r\n", "no HTTP version"},
        {"GET / HTTP/11\r\n\r\n", "no HTTP version"},
        {"GET / HTTP/1.10\r\n\r\n", "no HTTP version"},
        {"GET / HTTP/ 1.1\r\n\r\n", "no HTTP version"},
        {"GET / HTTPS/1.1\r\n\r\n", "no HTTP version"},
        {"GET / HTTP/1.x\r\n\r\n", "no HTTP version"},
        {"GET / HTTP/1.1\n\n", "LF without CR"},
        {"GET / HTTP/1.1\n\r\n", "LF without CR"},
        {"GET / HTTP/1.1\r\r\n\r\n", "CR without LF"},
        {"GET / HTTP/1.1", "cut off"},
        // fields
        {"GET / HTTP/1.1\r\nHost: a\n\r\n", "LF without CR"},
        {"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", "LF without CR"},
        {"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", "CR without LF"},
        {"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", "CR without LF"},
        {"GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n"sv, "NUL"},
        {"GET / HTTP/1.1\r\nHost: a\x01\r\n\r\n", "control character"},
        {"GET / HTTP/1.1\r\nHost: a\x7f\r\n\r\n", "control character"},
        {"GET / HTTP/1.1\r\nHost: a\x0b\r\n\r\n", "control character"},
        {"GET / HTTP/1.1\r\nX: a\r\n folded\r\n\r\n", "begins with white space"},
        {"GET / HTTP/1.1\r\nX: a\r\n\tfolded\r\n\r\n", "begins with white space"},
        {"GET / HTTP/1.1\r\n Host: a\r\n\r\n", "begins with white space"},
        {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", "white space in or behind a field name"},
        {"GET / HTTP/1.1\r\nHost\t: a\r\n\r\n", "white space in or behind a field name"},
        {"GET / HTTP/1.1\r\nHo st: a\r\n\r\n", "white space in or behind a field name"},
        {"GET / HTTP/1.1\r\n: a\r\n\r\n", "empty field name"},
        {"GET / HTTP/1.1\r\nHost\r\n\r\n", "without a colon"},
        {"GET / HTTP/1.1\r\nHo\xc3\xb6st: a\r\n\r\n", "bad character in a field name"},
        {"GET / HTTP/1.1\r\nHo\0st: a\r\n\r\n"sv, "bad character in a field name"},
        {"GET / HTTP/1.1\r\nHo@st: a\r\n\r\n", "bad character in a field name"},
        {"GET / HTTP/1.1\r\n\"Host\": a\r\n\r\n", "bad character in a field name"},
        {"GET / HTTP/1.1\r\n\rHost: a\r\n\r\n", "CR without LF"},
        {"GET / HTTP/1.1\r\n", "cut off"},
        {"GET / HTTP/1.1\r\nHost", "cut off"},
        {"GET / HTTP/1.1\r\nHost: a", "cut off"},
        {"GET / HTTP/1.1\r\nHost: a\r\n", "cut off"},
        {"GET / HTTP/1.1\r\nHost: a\r\n\r", "CR without LF"},
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\nX: b\r\n\r\n", "something behind the head"},
    };
    for (auto const& r : rows) {
        INFO(std::string(r.head));
        auto const o = request_outcome(r.head);
        CHECK_FALSE(o.fine);
        CHECK(o.code == errc::malformed_request);
        INFO(o.detail);
        CHECK(o.detail.find(r.detail) != std::string::npos);
    }
}

TEST_CASE("other versions are told apart from what is no HTTP") {
    for (auto text : {"GET / HTTP/2.0\r\n\r\n", "PRI * HTTP/2.0\r\n\r\n", "GET / HTTP/0.9\r\n\r\n",
                      "GET / HTTP/1.2\r\n\r\n", "GET / HTTP/3.1\r\n\r\n"}) {
        INFO(text);
        CHECK(request_outcome(text).code == errc::unsupported_version);
    }
    CHECK(response_outcome("HTTP/2.0 200 OK\r\n\r\n").code == errc::bad_response);
}

TEST_CASE("a problem says on which line it is") {
    CHECK(request_outcome("GET / HTTP/1.1\r\nA: 1\r\nB : 2\r\n\r\n").detail.find("(line 3 of the head)") !=
          std::string::npos);
}

TEST_CASE("limits of a request head") {
    head_limits const limits{.start_line = 40, .bytes = 200, .fields = 3};
    auto const target_of = [](std::size_t size) { return "GET " + std::string(size, '/') + " HTTP/1.1\r\n\r\n"; };
    std::size_t const around = "GET  HTTP/1.1"sv.size();
    CHECK(request_outcome(target_of(40 - around), limits).fine);
    CHECK(request_outcome(target_of(41 - around), limits).code == errc::target_too_long);
    CHECK(request_outcome(target_of(10'000), limits).code == errc::target_too_long);

    std::string const line = "GET / HTTP/1.1\r\n";
    auto const field_of = [&](std::size_t total) {
        return line + "A: " + std::string(total - line.size() - 3 - 4, 'x') + "\r\n\r\n";
    };
    CHECK(request_outcome(field_of(200), limits).fine);
    CHECK(request_outcome(field_of(201), limits).code == errc::head_too_large);

    CHECK(request_outcome(line + "A: 1\r\nB: 2\r\nC: 3\r\n\r\n", limits).fine);
    CHECK(request_outcome(line + "A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\n", limits).code == errc::head_too_large);
}

TEST_CASE("a response head is read into views") {
    response_head head;
    REQUIRE(
        parse_response_head("HTTP/1.1 403 For bidden\r\nVia: 1.1 x\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n", {}, head)
            .has_value());
    CHECK(head.version == version::http_1_1);
    CHECK(head.status == 403);
    CHECK(head.reason == "For bidden");
    CHECK(head.fields.size() == 3);
    CHECK(head.find(field_id::via)->value == "1.1 x");

    for (auto text : {"HTTP/1.1 200 \r\n\r\n", "HTTP/1.1 200\r\n\r\n"}) {
        INFO(text);
        REQUIRE(parse_response_head(text, {}, head).has_value());
        CHECK(head.reason.empty());
        CHECK(head.fields.empty());
    }
    REQUIRE(parse_response_head("HTTP/1.0 999 caf\xe9\t!\r\n\r\n", {}, head).has_value());
    CHECK(head.status == 999);
    CHECK(head.version == version::http_1_0);
}

TEST_CASE("what RFC 9112 does not allow in a response head is refused") {
    struct row {
        std::string_view head;
        std::string_view detail;
    };
    row const rows[] = {
        {"", "cut off"},
        {"HTTP/1.1 20", "cut off"},
        {"ICY 200 OK\r\n\r\n", "no HTTP version"},
        {"http/1.1 200 OK\r\n\r\n", "no HTTP version"},
        {"HTTP/1.2 200 OK\r\n\r\n", "HTTP version"},
        {"HTTP/1.1  200 OK\r\n\r\n", "status code that is no number"},
        {"HTTP/1.1\t200 OK\r\n\r\n", "no space"},
        {"HTTP/1.1 20 OK\r\n\r\n", "no number"},
        {"HTTP/1.1 +20 OK\r\n\r\n", "no number"},
        {"HTTP/1.1 099 OK\r\n\r\n", "below 100"},
        {"HTTP/1.1 2000 OK\r\n\r\n", "more than three digits"},
        {"HTTP/1.1 200\tOK\r\n\r\n", "more than three digits"},
        {"HTTP/1.1 200 OK\n\n", "LF without CR"},
        {"HTTP/1.1 200 O\rK\r\n\r\n", "CR without LF"},
        {"HTTP/1.1 200 O\0K\r\n\r\n"sv, "NUL"},
        {"HTTP/1.1 200 O\x1bK\r\n\r\n", "control character"},
        {"HTTP/1.1 200 OK\r\nA : b\r\n\r\n", "white space in or behind"},
        {"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", "begins with white space"},
        {"HTTP/1.1 200 OK\r\nA: b\nB: c\r\n\r\n", "LF without CR"},
        {"HTTP/1.1 200 OK\r\nA: b\r\n", "cut off"},
        {"HTTP/1.1 200 OK\r\n\r\nrest", "something behind"},
    };
    for (auto const& r : rows) {
        INFO(std::string(r.head));
        auto const o = response_outcome(r.head);
        CHECK_FALSE(o.fine);
        CHECK(o.code == errc::bad_response);
        INFO(o.detail);
        CHECK(o.detail.find(r.detail) != std::string::npos);
    }
}

TEST_CASE("limits of a response head") {
    head_limits const limits{.start_line = 30, .bytes = 100, .fields = 2};
    CHECK(response_outcome("HTTP/1.1 200 " + std::string(17, 'x') + "\r\n\r\n", limits).fine);
    CHECK(response_outcome("HTTP/1.1 200 " + std::string(18, 'x') + "\r\n\r\n", limits).code ==
          errc::response_head_too_large);
    CHECK(response_outcome("HTTP/1.1 200 OK\r\nA: " + std::string(100, 'x') + "\r\n\r\n", limits).code ==
          errc::response_head_too_large);
    CHECK(response_outcome("HTTP/1.1 200 OK\r\nA: 1\r\nA: 2\r\n\r\n", limits).fine);
    CHECK(response_outcome("HTTP/1.1 200 OK\r\nA: 1\r\nA: 2\r\nA: 3\r\n\r\n", limits).code ==
          errc::response_head_too_large);
}

TEST_CASE("every byte has its place in a head") {
    for (int c = 0; c < 256; ++c) {
        auto const byte = std::string(1, static_cast<char>(c));
        INFO(c);
        bool const control = (c < 0x20 && c != '\t') || c == 0x7f;
        CHECK(request_outcome("GET / HTTP/1.1\r\nA: x" + byte + "y\r\n\r\n").fine == !control);
        bool const letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        bool const token = letter || (c != 0 && "!#$%&'*+-.^_`|~"s.find(byte) != std::string::npos);
        CHECK(is_token(byte) == token);
        // ':' after the first letter makes another valid line
        CHECK(request_outcome("GET / HTTP/1.1\r\nx" + byte + "y: z\r\n\r\n").fine == (token || c == ':'));
        CHECK(request_outcome("x" + byte + "y / HTTP/1.1\r\n\r\n").fine == token);
    }
    CHECK_FALSE(is_token(""));
}

TEST_CASE("the head's end is found wherever the pieces are cut") {
    std::string const head = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    std::string const bytes = head + "body\r\n\r\n";
    for (std::size_t first = 0; first <= head.size(); ++first) {
        INFO(first);
        auto const early = find_head_end(std::string_view{bytes}.substr(0, first), 0);
        CHECK(early == (first < head.size() ? 0 : head.size()));
        if (early == 0) CHECK(find_head_end(bytes, first) == head.size());
    }
    std::size_t seen = 0;
    for (std::size_t size = 1; size <= head.size(); ++size) {  // byte by byte
        auto const end = find_head_end(std::string_view{bytes}.substr(0, size), seen);
        CHECK(end == (size == head.size() ? head.size() : 0));
        seen = size;
    }
    CHECK(find_head_end("", 0) == 0);
    CHECK(find_head_end("abc", 10) == 0);
}

TEST_CASE("a head that comes byte by byte is not searched from its start each time") {
    std::string const head = "HTTP/1.1 200 OK\r\nX: " + std::string(60'000, 'x') + "\r\n\r\n";
    std::string const bytes = head + head;
    head_search search;
    std::size_t size = 0;
    while (search.find(std::string_view{bytes}.substr(0, size)) == 0) ++size;
    CHECK(size == head.size());
    CHECK(search.work() <= 3 * head.size());
    CHECK(search.seen() == 0);  // ready for the next head, which may be here already
    CHECK(search.find(std::string_view{bytes}.substr(head.size())) == head.size());

    CHECK(search.find("HTTP/1.1 100") == 0);
    search.restart();  // another connection, another head
    CHECK(search.find("A\n\nB") == 3);
}

TEST_CASE("heads with bare line feeds end too, so that they are refused at once") {
    struct row {
        std::string_view bytes;
        std::size_t end;
    };
    for (auto const& r :
         {row{"GET / HTTP/1.1\n\nX", 16}, row{"GET / HTTP/1.1\r\n\nX", 17}, row{"GET / HTTP/1.1\n\r\nX", 17}}) {
        CHECK(find_head_end(r.bytes, 0) == r.end);
        CHECK(find_head_end(r.bytes, r.end - 1) == r.end);
        CHECK_FALSE(request_outcome(r.bytes.substr(0, r.end)).fine);
    }
    CHECK(find_head_end("A\n\rB\n", 0) == 0);
}

TEST_CASE("field names are known in any case") {
    struct row {
        std::string_view name;
        field_id id;
    };
    row const rows[] = {
        {"Host", field_id::host},
        {"Connection", field_id::connection},
        {"Keep-Alive", field_id::keep_alive},
        {"Proxy-Connection", field_id::proxy_connection},
        {"Proxy-Authorization", field_id::proxy_authorization},
        {"Proxy-Authenticate", field_id::proxy_authenticate},
        {"Proxy-Status", field_id::proxy_status},
        {"TE", field_id::te},
        {"Trailer", field_id::trailer},
        {"Transfer-Encoding", field_id::transfer_encoding},
        {"Content-Length", field_id::content_length},
        {"Content-Type", field_id::content_type},
        {"Upgrade", field_id::upgrade},
        {"Via", field_id::via},
        {"Expect", field_id::expect},
        {"Authorization", field_id::authorization},
        {"WWW-Authenticate", field_id::www_authenticate},
        {"Location", field_id::location},
        {"Date", field_id::date},
        {"Max-Forwards", field_id::max_forwards},
        {"Prefer", field_id::prefer},
        {"Retry-After", field_id::retry_after},
        {"JIT-Justification", field_id::jit_justification},
        {"JIT-Request-Id", field_id::jit_request_id},
        {"JIT-Request-Status", field_id::jit_request_status},
        {"Insufficient-Authorization-Details", field_id::insufficient_authorization_details},
    };
    CHECK(std::size(rows) == static_cast<std::size_t>(field_id::insufficient_authorization_details));
    for (auto const& r : rows) {
        std::string name{r.name};
        INFO(name);
        CHECK(identify_field(name) == r.id);
        for (char& c : name) c = static_cast<char>(std::tolower(c));
        CHECK(identify_field(name) == r.id);
        for (char& c : name) c = static_cast<char>(std::toupper(c));
        CHECK(identify_field(name) == r.id);
        CHECK(identify_field(name + "x") == field_id::other);
        name.back() = '_';
        CHECK(identify_field(name) == field_id::other);
    }
    for (auto name : {"", "X", "Accept", "Cookie", "Hos", "Hostt", "Keep_Alive", "Content\rLength"})
        CHECK(identify_field(name) == field_id::other);
}

TEST_CASE("lists are cut at commas outside of quotes") {
    struct row {
        std::string_view value;
        std::vector<std::string> members;
    };
    row const rows[] = {
        {"", {}},
        {" , ,\t,", {}},
        {"a", {"a"}},
        {"a,b , c", {"a", "b", "c"}},
        {",a,,b,", {"a", "b"}},
        {"a=\"x, y\", b", {"a=\"x, y\"", "b"}},
        {"a=\"x\\\", y\", b", {"a=\"x\\\", y\"", "b"}},
        {"\"open, to the end", {"\"open, to the end"}},
        {"\"ends in\\", {"\"ends in\\"}},
        {"a;q=0.5 , b c", {"a;q=0.5", "b c"}},
    };
    for (auto const& r : rows) {
        INFO(r.value);
        std::vector<std::string> members;
        for_each_list_member(r.value, [&](std::string_view m) { members.emplace_back(m); });
        CHECK(members == r.members);
    }
    CHECK(list_contains("keep-alive, Close", "close"));
    CHECK_FALSE(list_contains("closed, \"close\", x-close", "close"));
}
