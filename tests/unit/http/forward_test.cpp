#include "jitproxy/http/forward.hpp"

#include <set>
#include <string>

#include "catch.hpp"
#include "heads.hpp"

using namespace jitproxy;
using namespace jitproxy::http;
using test::request;
using test::response;
using test::wire;

namespace {

outgoing_request usual() {
    outgoing_request options;
    options.path = "/p";
    options.host = "h";
    return options;
}

std::string sent(std::string_view head, outgoing_request const& options) {
    std::string out = "before";
    write_request_head(out, request(head), options);
    REQUIRE(out.substr(0, 6) == "before");
    return out.substr(6);
}

std::string sent_fields(std::string_view fields, outgoing_request const& options = usual()) {
    return sent("GET http://h/p HTTP/1.1\n" + std::string(fields), options);
}

std::string fields_of(std::string_view expected) {
    return wire("GET /p HTTP/1.1\nHost: h\n" + std::string(expected));
}

std::string answered(std::string_view head, outgoing_response const& options) {
    std::string out = "before";
    write_response_head(out, response(head), options);
    REQUIRE(out.substr(0, 6) == "before");
    return out.substr(6);
}

}  // namespace

TEST_CASE("a request's end-to-end fields pass in order, with duplicates and spelling") {
    CHECK(sent_fields(
              "Host: other\naccept: a\nX-Empty:\nCookie: 1\nAccept: b\nCookie: 2\nPREFER: wait=5\nX-Latin: \xe9\n") ==
          fields_of("accept: a\nX-Empty: \nCookie: 1\nAccept: b\nCookie: 2\nPREFER: wait=5\nX-Latin: \xe9\n"));
    auto options = usual();
    options.path = "*";
    options.host = "[::1]:8080";
    CHECK(sent("M-SEARCH * HTTP/1.0\n", options) == wire("M-SEARCH * HTTP/1.1\nHost: [::1]:8080\n"));
}

TEST_CASE("hop-by-hop request fields are removed") {
    struct row {
        std::string_view fields;
        std::string_view left;
    };
    row const rows[] = {
        {"Connection: keep-alive\nKeep-Alive: timeout=5\nA: 1\n", "A: 1\n"},
        {"Proxy-Authorization: Basic eA==\nProxy-Connection: keep-alive\nproxy-anything: x\nA: 1\n", "A: 1\n"},
        {"Trailer: Checksum\nA: 1\n", "A: 1\n"},
        {"Transfer-Encoding: chunked\nA: 1\n", "A: 1\n"},
        {"Upgrade: websocket\nConnection: upgrade\nA: 1\n", "A: 1\n"},
        {"JIT-Justification: because\nA: 1\n", "A: 1\n"},
        {"Upgrade: h2c\nHTTP2-Settings: x\nConnection: Upgrade, HTTP2-Settings\nA: 1\n", "A: 1\n"},
        {"Connection: close, X-Foo\nX-Foo: 1\nx-foo: 2\nX-Foobar: 3\n", "X-Foobar: 3\n"},
        {"X-Foo: 1\nX-Bar: 2\nA: 1\nConnection: x-foo\nconnection: ,x-bar,\n", "A: 1\n"},
        {"Connection: close\nClose: 1\nA: 1\n", "A: 1\n"},
        {"Connection: keep-alive\nClose: 1\nA: 1\n", "Close: 1\nA: 1\n"},
        {"Connection: A b\nA: 1\n", "A: 1\n"},
        {"Connection: \"A\"\nA: 1\n", "A: 1\n"},
        {"Proxy: x\nProxied-By: y\n", "Proxy: x\nProxied-By: y\n"},
        {"Max-Forwards: 3\nTE: gzip\nConnection: TE\n", "Max-Forwards: 3\n"},
        {"TE: gzip, Trailers;q=1\n", ""},
        {"A: 1\nTE: gzip;q=0.5, Trailers\nTE: trailers\nConnection: TE\n", "A: 1\nTE: trailers\nConnection: TE\n"},
    };
    for (auto const& r : rows) {
        INFO(r.fields);
        CHECK(sent_fields(r.fields) == fields_of(r.left));
    }
}

TEST_CASE("Connection cannot take away what gives a request its meaning") {
    auto options = usual();
    options.bearer = "t0k";
    options.framing = {body_kind::length, 5};
    options.via = "me";
    CHECK(sent_fields("Connection: Host, Content-Length, Transfer-Encoding, Authorization, Via, Content-Type, Expect\n"
                      "Host: x\nContent-Length: 5\nContent-Type: text/plain\nExpect: 100-continue\nVia: 1.1 a\n"
                      "Authorization: Basic x\n",
                      options) ==
          fields_of("Content-Length: 5\nContent-Type: text/plain\nExpect: 100-continue\nVia: 1.1 a\n"
                    "Authorization: Bearer t0k\nVia: 1.1 me\n"));
    CHECK(sent_fields("Connection: authorization\nAuthorization: Basic x\n") == fields_of("Authorization: Basic x\n"));
}

TEST_CASE("framing fields are made anew") {
    struct row {
        std::string_view fields;
        body_framing framing;
        std::string_view left;
    };
    row const rows[] = {
        {"A: 1\ncontent-length: 0005\nB: 2\n", {body_kind::length, 5}, "A: 1\ncontent-length: 5\nB: 2\n"},
        {"A: 1\nTransfer-Encoding: CHUNKED\nB: 2\n",
         {body_kind::chunked, 0},
         "A: 1\nB: 2\nTransfer-Encoding: chunked\n"},
        {"A: 1\nTransfer-Encoding: chunked\n", {body_kind::length, 9}, "A: 1\nContent-Length: 9\n"},
        {"A: 1\nContent-Length: 5\n", {body_kind::chunked, 0}, "A: 1\nTransfer-Encoding: chunked\n"},
        {"Content-Length: 0\nA: 1\n", {}, "Content-Length: 0\nA: 1\n"},
        {"Content-Length: 000\nA: 1\n", {}, "Content-Length: 0\nA: 1\n"},
        {"Content-Length: 5\nA: 1\n", {}, "A: 1\n"},
        {"A: 1\n", {}, "A: 1\n"},
        {"A: 1\n", {body_kind::length, 0}, "A: 1\nContent-Length: 0\n"},
        {"A: 1\n", {body_kind::length, UINT64_MAX}, "A: 1\nContent-Length: 18446744073709551615\n"},
    };
    for (auto const& r : rows) {
        INFO(r.fields);
        auto options = usual();
        options.framing = r.framing;
        CHECK(sent_fields(r.fields, options) == fields_of(r.left));
    }
}

TEST_CASE("a bearer replaces what the agent sent, unless it is to be kept") {
    auto options = usual();
    CHECK(sent_fields("Authorization: Basic x\n", options) == fields_of("Authorization: Basic x\n"));
    options.bearer = "abc.def";
    CHECK(sent_fields("A: 1\n", options) == fields_of("A: 1\nAuthorization: Bearer abc.def\n"));
    CHECK(sent_fields("Authorization: Basic x\nA: 1\nauthorization: Basic y\n", options) ==
          fields_of("A: 1\nAuthorization: Bearer abc.def\n"));
    options.keep_agent_authorization = true;
    CHECK(sent_fields("Authorization: Basic x\nA: 1\n", options) == fields_of("Authorization: Basic x\nA: 1\n"));
    CHECK(sent_fields("A: 1\n", options) == fields_of("A: 1\nAuthorization: Bearer abc.def\n"));
}

TEST_CASE("a bearer that would break the head is not sent, nor is the agent's own in its place") {
    auto options = usual();
    options.bearer = "abc\r\nHost: evil";
    CHECK(sent_fields("Authorization: Basic x\nA: 1\n", options) == fields_of("A: 1\n"));
}

TEST_CASE("which requests ask for an upgrade") {
    auto const asks = [](std::string_view fields, std::string_view version = "1.1") {
        return wants_upgrade(request("GET / HTTP/" + std::string(version) + "\nHost: h\n" + std::string(fields)));
    };
    CHECK(asks("Connection: Upgrade\nUpgrade: websocket\n"));
    CHECK(asks("Connection: keep-alive\nUpgrade: websocket\nConnection: x, upgrade\n"));
    CHECK_FALSE(asks("Connection: Upgrade\n"));
    CHECK_FALSE(asks("Upgrade: websocket\n"));
    CHECK_FALSE(asks("Connection: Upgrade\nUpgrade: websocket\n", "1.0"));
    CHECK_FALSE(asks("Connection: Upgrade, HTTP2-Settings\nUpgrade: h2c\nHTTP2-Settings: AAMAAABk\n"));
    CHECK_FALSE(asks("Connection: Upgrade\nUpgrade: websocket\nUpgrade: x, H2C\n"));
}

TEST_CASE("an upgrade passes where it is asked for") {
    auto options = usual();
    options.upgrade = true;
    CHECK(sent_fields("Connection: Upgrade, X-Foo\nX-Foo: 1\nUpgrade: websocket\nSec-WebSocket-Key: k\n", options) ==
          fields_of("Upgrade: websocket\nSec-WebSocket-Key: k\nConnection: upgrade\n"));
    CHECK(sent_fields("Connection: Upgrade, TE\nUpgrade: websocket\nTE: trailers\n", options) ==
          fields_of("Upgrade: websocket\nTE: trailers\nConnection: upgrade, TE\n"));
}

TEST_CASE("Via is added with the version that was received") {
    auto options = usual();
    options.via = "jitproxy-x";
    CHECK(sent_fields("Via: 1.0 a, 1.1 b\nA: 1\n", options) ==
          fields_of("Via: 1.0 a, 1.1 b\nA: 1\nVia: 1.1 jitproxy-x\n"));
    CHECK(sent("GET http://h/p HTTP/1.0\n", options) == fields_of("Via: 1.0 jitproxy-x\n"));
}

TEST_CASE("a response's fields pass in order, its hop-by-hop fields do not") {
    outgoing_response options;
    options.framing = {body_kind::length, 3};
    options.via = "me";
    CHECK(answered(
              "HTTP/1.0 403 No Way\nSet-Cookie: a\nConnection: close, X-Hop\nX-Hop: 1\nset-cookie: b\nKeep-Alive: x\n"
              "Proxy-Authenticate: Basic\nProxy-Authentication-Info: x\nProxy-Connection: close\nTrailer: T\n"
              "Upgrade: h2c\nContent-Length: 003\nVia: 1.1 origin\nProxy-Status: other\nDate: today\n",
              options) == wire("HTTP/1.1 403 No Way\nSet-Cookie: a\nset-cookie: b\nContent-Length: 3\nVia: 1.1 origin\n"
                               "Proxy-Status: other\nDate: today\nVia: 1.0 me\n"));
}

TEST_CASE("a response's framing is the one it is sent with") {
    struct row {
        std::string_view head;
        body_framing framing;
        std::string_view sent;
    };
    row const rows[] = {
        {"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n",
         {body_kind::chunked, 0},
         "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n"},
        {"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n",
         {body_kind::length, 4},
         "HTTP/1.1 200 OK\nContent-Length: 4\n"},
        {"HTTP/1.1 200 OK\nContent-Length: 4\n",
         {body_kind::chunked, 0},
         "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n"},
        {"HTTP/1.1 200 OK\n", {body_kind::until_close, 0}, "HTTP/1.1 200 OK\nConnection: close\n"},
        {"HTTP/1.1 200 OK\nContent-Length: 4\n", {}, "HTTP/1.1 200 OK\nContent-Length: 4\n"},  // to HEAD
        {"HTTP/1.1 200 OK\nContent-Length: 0\n", {}, "HTTP/1.1 200 OK\nContent-Length: 0\n"},
        {"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n", {}, "HTTP/1.1 200 OK\n"},  // to HEAD
        {"HTTP/1.1 304 Not Modified\nContent-Length: 4\n", {}, "HTTP/1.1 304 Not Modified\nContent-Length: 4\n"},
        {"HTTP/1.1 204 No Content\nContent-Length: 4\n", {}, "HTTP/1.1 204 No Content\n"},
        {"HTTP/1.1 103 Early Hints\nLink: x\nContent-Length: 0\n", {}, "HTTP/1.1 103 Early Hints\nLink: x\n"},
        {"HTTP/1.1 599 \n", {}, "HTTP/1.1 599 \n"},
    };
    for (auto const& r : rows) {
        INFO(r.head);
        outgoing_response options;
        options.framing = r.framing;
        CHECK(answered(r.head, options) == wire(r.sent));
    }
}

TEST_CASE("a response says whether the connection stays") {
    outgoing_response options;
    options.framing = {body_kind::length, 1};
    std::string_view const head = "HTTP/1.1 200 OK\nContent-Length: 1\n";
    auto const with = [&](std::string_view connection) { return wire(std::string(head) + std::string(connection)); };
    CHECK(answered(head, options) == with(""));
    options.keep_alive = false;
    CHECK(answered(head, options) == with("Connection: close\n"));
    options.client_version = version::http_1_0;
    CHECK(answered(head, options) == with("Connection: close\n"));
    options.keep_alive = true;
    CHECK(answered(head, options) == with("Connection: keep-alive\n"));
    // an interim answer says nothing about it
    options.keep_alive = false;
    options.framing = {};
    CHECK(answered("HTTP/1.1 100 Continue\n", options) == wire("HTTP/1.1 100 Continue\n"));
}

TEST_CASE("an upgrade's answer names what it upgrades to") {
    outgoing_response options;
    options.upgrade = true;
    CHECK(answered("HTTP/1.1 101 Switching Protocols\nConnection: Upgrade\nUpgrade: websocket\n", options) ==
          wire("HTTP/1.1 101 Switching Protocols\nUpgrade: websocket\nConnection: upgrade\n"));
    options.upgrade = false;
    CHECK(answered("HTTP/1.1 426 Upgrade Required\nUpgrade: TLS/1.2\nContent-Length: 0\n", options) ==
          wire("HTTP/1.1 426 Upgrade Required\nUpgrade: TLS/1.2\nContent-Length: 0\nConnection: upgrade\n"));
    options.keep_alive = false;
    CHECK(answered("HTTP/1.1 426 Upgrade Required\nUpgrade: TLS/1.2\nContent-Length: 0\n", options) ==
          wire("HTTP/1.1 426 Upgrade Required\nUpgrade: TLS/1.2\nContent-Length: 0\nConnection: close, upgrade\n"));
}

TEST_CASE("extra fields take the place of those from upstream") {
    extra_field const extra[] = {{"JIT-Request-Status", "denied"}, {"Proxy-Status", "jitproxy"}};
    outgoing_response options;
    options.framing = {body_kind::length, 1};
    options.extra = extra;
    CHECK(answered("HTTP/1.1 403 No\njit-request-status: granted\nA: 1\nPROXY-STATUS: forged\nJIT-Request-Status: x\n"
                   "Content-Length: 1\n",
                   options) ==
          wire("HTTP/1.1 403 No\nA: 1\nContent-Length: 1\nJIT-Request-Status: denied\nProxy-Status: jitproxy\n"));
}

TEST_CASE("Date is added where the origin sent none") {
    auto const date = http_date(wall_time{} + seconds{784111777});
    CHECK(date == "Sun, 06 Nov 1994 08:49:37 GMT");
    CHECK(http_date(wall_time{}) == "Thu, 01 Jan 1970 00:00:00 GMT");
    CHECK(http_date(wall_time{} + seconds{1709208000}) == "Thu, 29 Feb 2024 12:00:00 GMT");
    outgoing_response options;
    options.framing = {body_kind::length, 1};
    options.date = date;
    CHECK(answered("HTTP/1.1 200 OK\nContent-Length: 1\n", options) ==
          wire("HTTP/1.1 200 OK\nContent-Length: 1\nDate: Sun, 06 Nov 1994 08:49:37 GMT\n"));
    CHECK(answered("HTTP/1.1 200 OK\nContent-Length: 1\ndate: then\n", options) ==
          wire("HTTP/1.1 200 OK\nContent-Length: 1\ndate: then\n"));
    options.framing = {};
    CHECK(answered("HTTP/1.1 100 Continue\n", options) == wire("HTTP/1.1 100 Continue\n"));
}

TEST_CASE("a loop is seen by the pseudonym") {
    struct row {
        std::string_view fields;
        bool found;
    };
    row const rows[] = {
        {"", false},
        {"Via: 1.1 me\n", true},
        {"Via: 1.1 ME\n", true},
        {"Via: HTTP/1.1 me (comment)\n", true},
        {"Via: 1.0 a, 1.1 \t me, 1.1 b\n", true},
        {"Via: 1.1 a\nVia: 1.1 me\n", true},
        {"Via: 1.1 meme\nVia: 1.1 a (me)\nVia: me\nVia: me 1.1\nX: 1.1 me\n", false},
    };
    for (auto const& r : rows) {
        INFO(r.fields);
        CHECK(via_contains(request("GET / HTTP/1.1\n" + std::string(r.fields)), "me") == r.found);
    }
    auto const mine = make_via_pseudonym();
    CHECK(mine.substr(0, 9) == "jitproxy-");
    CHECK(mine.size() == 9 + 16);
    CHECK(is_token(mine));
    CHECK(make_via_pseudonym() != mine);
}

TEST_CASE("proxy credentials are read from Basic only") {
    auto const read = [](std::string_view fields) {
        return proxy_credentials(request("GET / HTTP/1.1\n" + std::string(fields)));
    };
    auto const found = read("Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\n");
    REQUIRE(found);
    CHECK(found->user == "Aladdin");
    CHECK(found->password == "open sesame");
    CHECK(read("proxy-authorization: bASIC \t YTpi\n")->password == "b");
    CHECK(read("Proxy-Authorization: Basic YTpiOmM=\n")->password == "b:c");
    CHECK(read("Proxy-Authorization: Basic Og==\n")->user.empty());
    for (auto fields :
         {"", "Authorization: Basic YTpi\n", "Proxy-Authorization: Basic\n", "Proxy-Authorization: YTpi\n",
          "Proxy-Authorization: Bearer YTpi\n", "Proxy-Authorization: BasicYTpi\n", "Proxy-Authorization: Basic YQ==\n",
          "Proxy-Authorization: Basic !!!\n", "Proxy-Authorization: Basic YTpi YTpi\n",
          "Proxy-Authorization: Basic YTpi\nProxy-Authorization: Basic YTpi\n"}) {
        INFO(fields);
        CHECK_FALSE(read(fields));
    }
}

TEST_CASE("Max-Forwards counts down for OPTIONS and TRACE") {
    auto const options = usual();
    CHECK(sent("TRACE http://h/p HTTP/1.1\nmax-forwards: 010\n", options) ==
          wire("TRACE /p HTTP/1.1\nHost: h\nmax-forwards: 9\n"));
    CHECK(sent("OPTIONS http://h/p HTTP/1.1\nMax-Forwards: x\n", options) ==
          wire("OPTIONS /p HTTP/1.1\nHost: h\nMax-Forwards: x\n"));
    CHECK(sent_fields("Max-Forwards: 3\n") == fields_of("Max-Forwards: 3\n"));
    CHECK(max_forwards(request("TRACE / HTTP/1.1\nMax-Forwards: 0\n")) == 0U);
    CHECK(max_forwards(request("OPTIONS * HTTP/1.1\nMax-Forwards: 7\n")) == 7U);
    CHECK_FALSE(max_forwards(request("GET / HTTP/1.1\nMax-Forwards: 7\n")));
    CHECK_FALSE(max_forwards(request("TRACE / HTTP/1.1\n")));
}

TEST_CASE("Prefer: wait is read") {
    struct row {
        std::string_view fields;
        std::int64_t wait;  // -1: none
    };
    row const rows[] = {
        {"", -1},
        {"Prefer: wait=10\n", 10},
        {"Prefer: respond-async, wait=10\n", 10},
        {"Prefer: return=minimal\nprefer: WAIT = \"7\"; x=y\n", 7},
        {"Prefer: wait=0\n", 0},
        {"Prefer: wait=4294967295\n", 4294967295},
        {"Prefer: wait=1, wait=2\n", 1},
        {"Prefer: wait\n", -1},
        {"Prefer: wait=\n", -1},
        {"Prefer: wait=-1\n", -1},
        {"Prefer: wait=1s\n", -1},
        {"Prefer: wait=4294967296\n", -1},
        {"Prefer: x=\"wait=3\"\n", -1},
        {"Prefer: x=\", wait=3\"\n", -1},
        {"X-Prefer: wait=3\n", -1},
    };
    for (auto const& r : rows) {
        INFO(r.fields);
        auto const wait = prefer_wait(request("GET / HTTP/1.1\n" + std::string(r.fields)));
        CHECK((wait ? static_cast<std::int64_t>(*wait) : -1) == r.wait);
    }
}

TEST_CASE("Trailer goes with a body that is passed on in chunks") {
    auto options = usual();
    options.framing.kind = body_kind::chunked;
    CHECK(sent_fields("Transfer-Encoding: chunked\nTrailer: Checksum\n", options) ==
          fields_of("Trailer: Checksum\nTransfer-Encoding: chunked\n"));
    outgoing_response back;
    back.framing.kind = body_kind::chunked;
    CHECK(answered("HTTP/1.1 200 OK\nTrailer: Checksum\nTransfer-Encoding: chunked\n", back) ==
          wire("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n"));
    back.trailers = true;
    CHECK(answered("HTTP/1.1 200 OK\nTrailer: Checksum\nTransfer-Encoding: chunked\n", back) ==
          wire("HTTP/1.1 200 OK\nTrailer: Checksum\nTransfer-Encoding: chunked\n"));
}

TEST_CASE("which credentials are taken for those of the connection") {
    for (std::string_view const bound :
         {"NTLM TlRM", "ntlm", "Negotiate YII=", "NEGOTIATE  YII=", "Kerberos x", "Nego2 x"})
        CHECK(
            authenticates_connection(request("GET / HTTP/1.1\nHost: h\nAuthorization: " + std::string(bound) + "\n")));
    CHECK(
        authenticates_connection(request("GET / HTTP/1.1\nHost: h\nAuthorization: Basic x\nAuthorization: NTLM x\n")));
    for (std::string_view const free : {"Authorization: Basic TlRM", "Authorization: Bearer NTLM", "Authorization:",
                                        "X: NTLM x", "Authorization: NTLMv9 x", "Proxy-Authorization: NTLM x"})
        CHECK_FALSE(authenticates_connection(request("GET / HTTP/1.1\nHost: h\n" + std::string(free) + "\n")));
}

TEST_CASE("who takes trailers") {
    for (auto const* good : {"TE: trailers\n", "TE: gzip, Trailers\n", "TE: gzip\nTE: trailers\n"})
        CHECK(accepts_trailers(request("GET / HTTP/1.1\nHost: h\n" + std::string(good))));
    for (auto const* bad : {"", "TE: gzip\n", "TE: trailers;q=0\n", "TE: xtrailers\n"})
        CHECK_FALSE(accepts_trailers(request("GET / HTTP/1.1\nHost: h\n" + std::string(bad))));
    CHECK_FALSE(accepts_trailers(request("GET / HTTP/1.0\nTE: trailers\n")));
}

TEST_CASE("an HTTP/1.0 client expects nothing and takes no trailers") {
    CHECK(sent("POST http://h/p HTTP/1.0\nExpect: 100-continue\nTE: trailers\nA: 1\n", usual()) ==
          wire("POST /p HTTP/1.1\nHost: h\nA: 1\n"));
}
