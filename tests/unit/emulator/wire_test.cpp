#include "jitproxy/emulator/wire.hpp"

#include "catch.hpp"

using namespace jitproxy::emulator;

TEST_CASE("the received head keeps order, duplicates and spelling") {
    request r;
    read_raw_head("PUT /v1/x?a=1 HTTP/1.1\r\nhOsT: a\r\nX-Two: 1\r\nAccept:*/*\r\nx-two:  2 \r\n\r\n", r);
    CHECK(r.method == "PUT");
    CHECK(r.target == "/v1/x?a=1");
    CHECK(r.path == "/v1/x");
    REQUIRE(r.fields.size() == 4);
    CHECK(r.fields[0].name == "hOsT");
    CHECK(r.fields[1].name == "X-Two");
    CHECK(r.fields[2].value == "*/*");
    CHECK(r.fields[3].name == "x-two");
    CHECK(r.fields[3].value == "2");
    CHECK(r.header_count("X-TWO") == 2);
}

TEST_CASE("heads of replies") {
    request r;
    reply a;
    a.body = "12345";
    a.fields.push_back({"X-A", "b"});
    SECTION("whole") {
        CHECK(write_head(r, a) ==
              "HTTP/1.1 200 OK\r\nServer: jitproxy-emulator\r\nX-A: b\r\nContent-Length: 5\r\n\r\n");
    }
    SECTION("closing") {
        a.close = true;
        CHECK(write_head(r, a).find("Connection: close\r\n") != std::string::npos);
    }
    SECTION("HTTP/1.0 that wants to stay") {
        r.version = 10;
        CHECK(write_head(r, a).find("Connection: keep-alive\r\n") != std::string::npos);
    }
    SECTION("no content") {
        a.status = 204;
        a.body.clear();
        CHECK(write_head(r, a).find("Content-Length") == std::string::npos);
    }
    SECTION("truncated announces everything, and closes") {
        a.how = delivery::truncated;
        auto const head = write_head(r, a);
        CHECK(head.find("Content-Length: 5\r\n") != std::string::npos);
        CHECK(head.find("Connection: close\r\n") != std::string::npos);
    }
    SECTION("streams") {
        a.events = event_stream{3, 0};
        auto const head = write_head(r, a);
        CHECK(head.find("Transfer-Encoding: chunked\r\n") != std::string::npos);
        CHECK(head.find("Content-Length") == std::string::npos);
        r.version = 10;
        auto const old = write_head(r, a);
        CHECK(old.find("Transfer-Encoding") == std::string::npos);
        CHECK(old.find("Connection: close\r\n") != std::string::npos);
    }
    SECTION("a status without a name") {
        a.status = 299;
        CHECK(write_head(r, a).starts_with("HTTP/1.1 299 \r\n"));
    }
}

TEST_CASE("chunked framing") {
    CHECK(chunk(11, "hello") == "5\r\nhello\r\n");
    CHECK(chunk(10, "hello") == "hello");
    CHECK(chunk(11, std::string(300, 'a')).starts_with("12c\r\naaa"));
    CHECK(last_chunk(11) == "0\r\n\r\n");
    CHECK(last_chunk(10).empty());
    CHECK(chunked(11, "") == "0\r\n\r\n");
    CHECK(chunked(11, std::string(16385, 'a')).ends_with("\r\n1\r\na\r\n0\r\n\r\n"));
}
