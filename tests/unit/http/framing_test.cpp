#include "jitproxy/http/framing.hpp"

#include <string>

#include "catch.hpp"
#include "heads.hpp"

using namespace jitproxy;
using namespace jitproxy::http;
using test::request;
using test::response;

TEST_CASE("a request's body is framed in one way or refused") {
    struct row {
        std::string_view fields;  // behind the request line and Host
        body_kind kind;
        std::uint64_t length = 0;
    };
    row const good[] = {
        {"", body_kind::none},
        {"Content-Length: 0\n", body_kind::none},
        {"Content-Length: 000\n", body_kind::none},
        {"Content-Length: 5\n", body_kind::length, 5},
        {"content-length:   0042  \n", body_kind::length, 42},
        {"Content-Length: 9223372036854775807\n", body_kind::length, 9223372036854775807U},
        {"Transfer-Encoding: chunked\n", body_kind::chunked},
        {"transfer-encoding: CHUNKED\n", body_kind::chunked},
    };
    for (auto const& r : good) {
        INFO(r.fields);
        auto const framing = request_framing(request("POST / HTTP/1.1\nHost: a\n" + std::string(r.fields)));
        REQUIRE(framing.has_value());
        CHECK(framing->kind == r.kind);
        CHECK(framing->length == r.length);
    }
    for (auto fields : {
             "Content-Length: 5, 5\n",
             "Content-Length: 5\nContent-Length: 5\n",
             "Content-Length: 5\ncontent-length: 6\n",
             "Content-Length: +5\n",
             "Content-Length: -5\n",
             "Content-Length: 0x5\n",
             "Content-Length: 5 5\n",
             "Content-Length:\n",
             "Content-Length: 5;\n",
             "Content-Length: \"5\"\n",
             "Content-Length: 5.0\n",
             "Content-Length: 1e3\n",
             "Content-Length: 9223372036854775808\n",
             "Content-Length: 18446744073709551615\n",
             "Content-Length: 18446744073709551616\n",
             "Content-Length: 99999999999999999999999999\n",
             "Content-Length: 5\nTransfer-Encoding: chunked\n",
             "Transfer-Encoding: chunked\nContent-Length: 0\n",
             "Transfer-Encoding: gzip\n",
             "Transfer-Encoding: gzip, chunked\n",
             "Transfer-Encoding: chunked, identity\n",
             "Transfer-Encoding: chunked, chunked\n",
             "Transfer-Encoding: chunked\nTransfer-Encoding: chunked\n",
             "Transfer-Encoding: identity\n",
             "Transfer-Encoding:\n",
             "Transfer-Encoding: \"chunked\"\n",
             "Transfer-Encoding: chunked;q=1\n",
             "Transfer-Encoding: ,chunked\n",
             "Transfer-Encoding: xchunked\n",
             "Transfer-Encoding: chunked\nTransfer-Encoding:\n",
             "Transfer-Encoding: \x80"
             "chunked\n",
         }) {
        INFO(fields);
        auto const framing = request_framing(request("POST / HTTP/1.1\nHost: a\n" + std::string(fields)));
        REQUIRE_FALSE(framing.has_value());
        CHECK(framing.error().code == errc::ambiguous_framing);
    }
    auto const old = request_framing(request("POST / HTTP/1.0\nTransfer-Encoding: chunked\n"));
    REQUIRE_FALSE(old.has_value());
    CHECK(old.error().code == errc::ambiguous_framing);
}

TEST_CASE("CONNECT has no body") {
    CHECK(request_framing(request("CONNECT a:443 HTTP/1.1\nHost: a:443\n"))->kind == body_kind::none);
    CHECK(request_framing(request("CONNECT a:443 HTTP/1.1\nHost: a:443\nContent-Length: 0\n"))->kind ==
          body_kind::none);
    for (auto fields : {"Content-Length: 1\n", "Transfer-Encoding: chunked\n"}) {
        auto const framing = request_framing(request("CONNECT a:443 HTTP/1.1\nHost: a:443\n" + std::string(fields)));
        REQUIRE_FALSE(framing.has_value());
        CHECK(framing.error().code == errc::ambiguous_framing);
    }
}

TEST_CASE("HTTP/1.1 wants exactly one valid Host, HTTP/1.0 at most one") {
    struct row {
        std::string_view head;
        bool fine;
    };
    row const rows[] = {
        {"GET / HTTP/1.1\nHost: example.com\n", true},
        {"GET / HTTP/1.1\nHost: EXAMPLE.com:8080\n", true},
        {"GET / HTTP/1.1\nHost: example.com.\n", true},
        {"GET / HTTP/1.1\nHost: 127.0.0.1:80\n", true},
        {"GET / HTTP/1.1\nHost: [::1]:80\n", true},
        {"GET / HTTP/1.1\nHost: under_score\n", true},
        {"GET / HTTP/1.1\nHost:\n", true},
        {"GET / HTTP/1.0\n", true},
        {"GET / HTTP/1.0\nHost: a\n", true},
        {"GET / HTTP/1.1\n", false},
        {"GET / HTTP/1.1\nHost: a\nHost: a\n", false},
        {"GET / HTTP/1.1\nHost: a\nhost: b\n", false},
        {"GET / HTTP/1.0\nHost: a\nHost: b\n", false},
        {"GET / HTTP/1.1\nHost: a b\n", false},
        {"GET / HTTP/1.1\nHost: a, b\n", false},
        {"GET / HTTP/1.1\nHost: a/b\n", false},
        {"GET / HTTP/1.1\nHost: u@a\n", false},
        {"GET / HTTP/1.1\nHost: a:x\n", false},
        {"GET / HTTP/1.1\nHost: a:99999\n", false},
        {"GET / HTTP/1.1\nHost: a..b\n", false},
        {"GET / HTTP/1.1\nHost: .a\n", false},
        {"GET / HTTP/1.1\nHost: ::1\n", false},
        {"GET / HTTP/1.1\nHost: [::1\n", false},
        {"GET / HTTP/1.1\nHost: http://a\n", false},
        {"GET / HTTP/1.1\nHost: b\xc3\xbc"
         "cher\n",
         false},
        {"GET / HTTP/1.1\nHost: 256.1.1.1\n", false},
        {"GET / HTTP/1.1\nHost: a.1\n", false},
        {"GET / HTTP/1.1\nHost: a.0xb\n", false},
        {"GET / HTTP/1.1\nHost: a.0xb.\n", false},
        {"GET / HTTP/1.1\nHost: 1.2.3.0xb\n", true},
        {"GET / HTTP/1.1\nHost: a.0xg\n", true},
    };
    for (auto const& r : rows) {
        INFO(r.head);
        auto const framing = request_framing(request(r.head));
        CHECK(framing.has_value() == r.fine);
        if (!r.fine) CHECK(framing.error().code == errc::malformed_request);
    }
}

TEST_CASE("a response's body is framed by its request's method, its status and its fields") {
    struct row {
        std::string_view method;
        std::string_view head;
        body_kind kind;
        std::uint64_t length = 0;
    };
    row const rows[] = {
        {"GET", "HTTP/1.1 200 OK\nContent-Length: 7\n", body_kind::length, 7},
        {"GET", "HTTP/1.1 200 OK\nContent-Length: 0\n", body_kind::none},
        {"GET", "HTTP/1.1 200 OK\nTransfer-Encoding: Chunked\n", body_kind::chunked},
        {"GET", "HTTP/1.1 200 OK\n", body_kind::until_close},
        {"GET", "HTTP/1.0 200 OK\n", body_kind::until_close},
        {"HEAD", "HTTP/1.1 200 OK\nContent-Length: 7\n", body_kind::none},
        {"HEAD", "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n", body_kind::none},
        {"HEAD", "HTTP/1.1 200 OK\n", body_kind::none},
        {"head", "HTTP/1.1 200 OK\n", body_kind::until_close},  // methods are case-sensitive
        {"GET", "HTTP/1.1 304 Not Modified\nContent-Length: 7\n", body_kind::none},
        {"GET", "HTTP/1.1 204 No Content\n", body_kind::none},
        {"GET", "HTTP/1.1 204 No Content\nContent-Length: 7\n", body_kind::none},
        {"GET", "HTTP/1.1 100 Continue\n", body_kind::none},
        {"GET", "HTTP/1.1 101 Switching Protocols\n", body_kind::none},
        {"GET", "HTTP/1.1 103 Early Hints\n", body_kind::none},
        {"GET", "HTTP/1.1 205 Reset Content\n", body_kind::until_close},
        {"POST", "HTTP/1.1 403 Forbidden\nContent-Length: 3\n", body_kind::length, 3},
        {"CONNECT", "HTTP/1.1 200 OK\nContent-Length: 7\nTransfer-Encoding: chunked\n", body_kind::none},
        {"CONNECT", "HTTP/1.1 407 No\nContent-Length: 7\n", body_kind::length, 7},
    };
    for (auto const& r : rows) {
        INFO(r.method << ' ' << r.head);
        auto const framing = response_framing(response(r.head), r.method);
        REQUIRE(framing.has_value());
        CHECK(framing->kind == r.kind);
        CHECK(framing->length == r.length);
    }
}

TEST_CASE("a response that could end in two places is refused") {
    struct row {
        std::string_view method;
        std::string_view head;
    };
    row const rows[] = {
        {"GET", "HTTP/1.1 200 OK\nContent-Length: 7\nTransfer-Encoding: chunked\n"},
        {"HEAD", "HTTP/1.1 200 OK\nContent-Length: 7\nTransfer-Encoding: chunked\n"},
        {"GET", "HTTP/1.1 200 OK\nContent-Length: 7\nContent-Length: 7\n"},
        {"GET", "HTTP/1.1 200 OK\nContent-Length: 7, 7\n"},
        {"GET", "HTTP/1.1 200 OK\nContent-Length: seven\n"},
        {"GET", "HTTP/1.1 200 OK\nContent-Length: 99999999999999999999\n"},
        {"GET", "HTTP/1.0 200 OK\nTransfer-Encoding: chunked\n"},
        {"GET", "HTTP/1.1 200 OK\nTransfer-Encoding: gzip, chunked\n"},
        {"GET", "HTTP/1.1 200 OK\nTransfer-Encoding: identity\n"},
        {"GET", "HTTP/1.1 204 No Content\nTransfer-Encoding: chunked\n"},
        {"GET", "HTTP/1.1 103 Early Hints\nTransfer-Encoding: chunked\n"},
    };
    for (auto const& r : rows) {
        INFO(r.method << ' ' << r.head);
        auto const framing = response_framing(response(r.head), r.method);
        REQUIRE_FALSE(framing.has_value());
        CHECK(framing.error().code == errc::bad_response);
    }
}

TEST_CASE("connections are kept as RFC 9112 9.3 says") {
    struct row {
        std::string_view request;
        bool keeps;
    };
    row const rows[] = {
        {"GET / HTTP/1.1\n", true},
        {"GET / HTTP/1.1\nConnection: close\n", false},
        {"GET / HTTP/1.1\nConnection: CLOSE\n", false},
        {"GET / HTTP/1.1\nConnection: keep-alive, close\n", false},
        {"GET / HTTP/1.1\nConnection: keep-alive\nConnection: x, close\n", false},
        {"GET / HTTP/1.1\nConnection: closed\n", true},
        {"GET / HTTP/1.1\nProxy-Connection: close\n", true},
        {"GET / HTTP/1.0\n", false},
        {"GET / HTTP/1.0\nConnection: Keep-Alive\n", true},
        {"GET / HTTP/1.0\nConnection: keep-alive, close\n", false},
        {"GET / HTTP/1.0\nProxy-Connection: keep-alive\n", false},
    };
    for (auto const& r : rows) {
        INFO(r.request);
        CHECK(keeps_alive(request(r.request)) == r.keeps);
    }
    body_framing const length{body_kind::length, 5};
    CHECK(keeps_alive(response("HTTP/1.1 200 OK\n"), length));
    CHECK_FALSE(keeps_alive(response("HTTP/1.1 200 OK\nConnection: close\n"), length));
    CHECK_FALSE(keeps_alive(response("HTTP/1.0 200 OK\n"), length));
    CHECK(keeps_alive(response("HTTP/1.0 200 OK\nConnection: keep-alive\n"), length));
    CHECK_FALSE(keeps_alive(response("HTTP/1.1 200 OK\n"), {body_kind::until_close, 0}));
    // a body where none may be: what follows on this connection cannot be trusted
    CHECK_FALSE(keeps_alive(response("HTTP/1.1 204 No\nContent-Length: 5\n"), {}));
    CHECK(keeps_alive(response("HTTP/1.1 204 No\nContent-Length: 0\n"), {}));
    CHECK(keeps_alive(response("HTTP/1.1 304 No\nContent-Length: 5\n"), {}));
}
