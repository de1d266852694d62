// Plain forwarding, byte by byte.
#include <algorithm>
#include <atomic>
#include <thread>

#include "catch.hpp"
#include "rig.hpp"

using namespace jitproxy::proxy::test;
using jitproxy::milliseconds;

namespace {

// A head with what differs from run to run taken out: the Via pseudonym and the date.
std::string plain_head(std::string head) {
    for (std::string_view const name : {"Via: 1.1 jitproxy-", "Date: "}) {
        auto const at = head.find(name);
        if (at != std::string::npos) head.erase(at, head.find("\r\n", at) + 2 - at);
    }
    return head;
}

}  // namespace

TEST_CASE("a plain request reaches its origin in origin form, hop-by-hop fields removed, the rest as it came") {
    rig r;
    auto client = r.client();
    client.send("GET " + r.url("/a/../b%2f?q=1&q=2") +
                " HTTP/1.1\r\nHost: ignored.example\r\nX-B: 1\r\nx-a: 2\r\nX-B: 3\r\nConnection: close-not, "
                "X-Hop\r\nX-Hop: gone\r\n"
                "Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nJIT-Justification: because\r\nPrefer: "
                "wait=3\r\n\r\n");
    auto site = r.site.accept();
    CHECK(plain_head(site.read_head()) == "GET /a/../b%2f?q=1&q=2 HTTP/1.1\r\nHost: " + r.site.at() +
                                              "\r\nX-B: 1\r\nx-a: 2\r\nX-B: 3\r\nPrefer: wait=3\r\n\r\n");
    site.send(
        "HTTP/1.1 200 Fine\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nKeep-Alive: x\r\nContent-Length: 5\r\n\r\nhello");
    auto const head = plain_head(client.read_head());
    CHECK(head == "HTTP/1.1 200 Fine\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 5\r\n\r\n");
    CHECK(client.read(5) == "hello");
}

TEST_CASE("connections are kept on both sides, and pipelined requests are answered in order") {
    rig r;
    auto client = r.client();
    client.send(r.get("/1") + r.get("/2"));
    auto site = r.site.accept();
    CHECK(site.read_head().starts_with("GET /1 "));
    site.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1");
    CHECK(site.read_head().starts_with("GET /2 "));
    site.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2");
    (void)client.read_head();
    CHECK(client.read(1) == "1");
    (void)client.read_head();
    CHECK(client.read(1) == "2");
    CHECK_FALSE(r.site.visited());
}

TEST_CASE("bodies: with a length, chunked, and none, both ways") {
    rig r;
    auto client = r.client();
    client.send("POST " + r.url("/") + " HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nabcd");
    auto site = r.site.accept();
    CHECK(site.read_head().find("Content-Length: 4\r\n") != std::string::npos);
    CHECK(site.read(4) == "abcd");
    site.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;ext=1\r\nabc\r\n1\r\nd\r\n0\r\nNote: x\r\n\r\n");
    CHECK(client.read_head().find("Transfer-Encoding: chunked\r\n") != std::string::npos);
    CHECK(client.read(14) == "4\r\nabcd\r\n0\r\n\r\n");

    client.send("POST " + r.url("/") + " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    CHECK(site.read_head().find("Transfer-Encoding: chunked\r\n") != std::string::npos);
    CHECK(site.read(8) == "3\r\nabc\r\n");  // each piece goes on as it comes
    client.send("0\r\n\r\n");
    CHECK(site.read(5) == "0\r\n\r\n");
    site.send("HTTP/1.1 204 No Content\r\n\r\n");
    CHECK(client.read_head().starts_with("HTTP/1.1 204 No Content\r\n"));

    client.send("HEAD " + r.url("/") + " HTTP/1.1\r\nHost: x\r\n\r\n");
    (void)site.read_head();
    site.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    CHECK(client.read_head().find("Content-Length: 1000\r\n") != std::string::npos);
    CHECK(client.silent());
}

TEST_CASE("an answer that ends with its connection is chunked for HTTP/1.1 and ends with the connection for HTTP/1.0") {
    rig r;
    auto client = r.client();
    client.send(r.get("/"));
    auto site = r.site.accept();
    (void)site.read_head();
    site.send("HTTP/1.1 200 OK\r\n\r\nsome");
    CHECK(client.read_head().find("Transfer-Encoding: chunked") != std::string::npos);
    CHECK(client.read(9) == "4\r\nsome\r\n");
    site.close();
    CHECK(client.read(5) == "0\r\n\r\n");

    auto old = r.client();
    old.send("GET " + r.url("/") + " HTTP/1.0\r\n\r\n");
    auto again = r.site.accept();
    (void)again.read_head();
    again.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n0\r\n\r\n");
    auto const head = old.read_head();
    CHECK(head.find("Transfer-Encoding") == std::string::npos);
    CHECK(old.read_to_end() == "some");
}

TEST_CASE("an answer that is cut is never passed on as whole") {
    rig r;
    SECTION("a length that was not reached") {
        auto client = r.client();
        client.send(r.get("/"));
        auto site = r.site.accept();
        (void)site.read_head();
        site.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
        (void)client.read_head();
        CHECK(client.read(3) == "abc");
        site.close();
        CHECK(client.reset_by_peer());
    }
    SECTION("chunks without an end") {
        auto client = r.client();
        client.send(r.get("/"));
        auto site = r.site.accept();
        (void)site.read_head();
        site.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
        (void)client.read_head();
        CHECK(client.read(8) == "3\r\nabc\r\n");
        site.close();
        CHECK(client.reset_by_peer());
    }
    SECTION("chunks without an end, to an HTTP/1.0 client that only knows the end of the connection") {
        auto client = r.client();
        client.send("GET " + r.url("/") + " HTTP/1.0\r\n\r\n");
        auto site = r.site.accept();
        (void)site.read_head();
        site.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
        (void)client.read_head();
        CHECK(client.read(3) == "abc");
        site.close();
        CHECK(client.reset_by_peer());
    }
}

TEST_CASE("a body that is broken before anything of the answer went out is a 502, not a cut") {
    rig r;
    auto client = r.client();
    std::string const chunks = r.url("") + " sent a body that cannot be understood";
    for (auto const& [rest, detail] : std::initializer_list<std::pair<std::string_view, std::string>>{
             {"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", chunks},
             {"Transfer-Encoding: chunked\r\n\r\n-1\r\nHTTP/1.1 200 OK\r\n\r\n", chunks},
             {"Transfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n", chunks},
             {"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
              "both Transfer-Encoding and Content-Length"},
             {"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", "Content-Length more than once"}}) {
        INFO(rest);
        client.send(r.get("/"));
        auto site = r.site.accept();
        (void)site.read_head();
        site.send("HTTP/1.1 200 OK\r\nX-Of: the origin\r\n" + std::string(rest));
        std::string const problem = R"({"type":"about:blank","title":"Bad Gateway","status":502,"detail":")" + detail +
                                    R"(","code":"bad_response"})";
        CHECK(plain_head(client.read_head()) ==
              "HTTP/1.1 502 Bad Gateway\r\nCache-Control: no-store\r\n"
              "Proxy-Status: jitproxy; error=http_protocol_error; details=\"" +
                  detail + "\"\r\nContent-Type: application/problem+json\r\nContent-Length: " +
                  std::to_string(problem.size()) + "\r\nConnection: keep-alive\r\n\r\n");
        CHECK(client.read(problem.size()) == problem);
        CHECK(site.gone());
    }
    CHECK(client.silent());  // and the client's connection has gone on all the time
}

TEST_CASE("a body that is broken once it goes out is cut, whatever comes behind") {
    rig r;
    auto client = r.client();
    client.send(r.get("/"));
    auto site = r.site.accept();
    (void)site.read_head();
    site.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    CHECK(client.read_head().starts_with("HTTP/1.1 200 OK\r\n"));
    site.send("xyz\r\n3\r\nabc\r\n0\r\n\r\n");
    CHECK(client.reset_by_peer());
}

TEST_CASE("a kept connection that the origin closed is replaced without the client's knowledge, where that is safe") {
    rig r;
    auto client = r.client();
    client.send(r.get("/1"));
    {
        auto site = r.site.accept();
        (void)site.read_head();
        site.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        (void)client.read_head();
        // Read the second request and close without an answer: nothing was received on a reused connection.
        client.send(r.get("/2"));
        CHECK(site.read_head().starts_with("GET /2 "));
    }
    auto site = r.site.accept();
    CHECK(site.read_head().starts_with("GET /2 "));
    site.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    CHECK(client.read_head().starts_with("HTTP/1.1 200"));
    // A POST may have been acted upon: it is not sent again.
    client.send("POST " + r.url("/3") + " HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    (void)site.read_head();
    site.close();
    CHECK(client.read_head().starts_with("HTTP/1.1 502"));
    CHECK_FALSE(r.site.visited());
}

TEST_CASE("interim answers are passed on, but not to HTTP/1.0 and not without end") {
    rig r;
    auto client = r.client();
    client.send("POST " + r.url("/") + " HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    auto site = r.site.accept();
    CHECK(site.read_head().find("Expect: 100-continue") != std::string::npos);
    site.send("HTTP/1.1 100 Continue\r\n\r\n");
    CHECK(client.read_head().starts_with("HTTP/1.1 100 Continue\r\n"));
    client.send("abc");
    CHECK(site.read(3) == "abc");
    site.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    CHECK(client.read_head().starts_with("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n"));
    CHECK(client.read_head().starts_with("HTTP/1.1 200"));

    client.send(r.get("/"));
    (void)site.read_head();
    for (int i = 0; i < 17; ++i) site.send("HTTP/1.1 102 Processing\r\n\r\n");
    for (int i = 0; i < 16; ++i) CHECK(client.read_head().starts_with("HTTP/1.1 102"));
    CHECK(client.read_head().starts_with("HTTP/1.1 502"));
}

TEST_CASE("heads of an origin that arrive byte by byte") {
    rig r;
    auto client = r.client();
    client.send(r.get("/"));
    auto site = r.site.accept();
    (void)site.read_head();
    std::string const field = "X-Long: " + std::string(500, 'x') + "\r\n";
    for (char const c : "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n" + field + "Content-Length: 2\r\n\r\nok")
        site.send({&c, 1});
    CHECK(client.read_head().starts_with("HTTP/1.1 103 Early Hints\r\n"));
    CHECK(client.read_head().find(field) != std::string::npos);
    CHECK(client.read(2) == "ok");
}

TEST_CASE("what could be read in two ways is refused, and nothing of it is forwarded") {
    rig r;
    std::string const start = "POST " + r.url("/") + " HTTP/1.1\r\nHost: x\r\n";
    for (auto const& rest :
         {"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
          "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", "Content-Length: +3\r\n\r\nabc",
          "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
          "X: a\r\n b\r\n\r\n", "X: a\nY: b\r\n\r\n", "Host: y\r\n\r\n", "X: a\rb\r\n\r\n"}) {
        INFO(rest);
        auto client = r.client();
        client.send(start + rest);
        auto const head = client.read_head();
        CHECK(head.starts_with("HTTP/1.1 400 Bad Request\r\n"));
        CHECK(head.find("Connection: close\r\n") != std::string::npos);
        CHECK(head.find("Content-Type: application/problem+json\r\n") != std::string::npos);
        CHECK(head.find("Proxy-Status: jitproxy; error=http_request_error") != std::string::npos);
    }
    CHECK_FALSE(r.site.visited());
}

TEST_CASE("limits and loops are answered as documented") {
    rig_options o;
    o.limits.head.bytes = 2048;
    o.limits.head.start_line = 512;
    rig r(o);
    auto answer = [&](std::string const& request) {
        auto client = r.client();
        client.send(request);
        auto const head = client.read_head();
        return head.substr(9, 3);
    };
    CHECK(answer("GET http://h/" + std::string(600, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n") == "414");
    CHECK(answer("GET http://h/ HTTP/1.1\r\nHost: h\r\nX: " + std::string(3000, 'a') + "\r\n\r\n") == "431");
    CHECK(answer("GET / HTTP/1.1\r\nHost: h\r\n\r\n") == "400");
    CHECK(answer("GET http://h/ HTTP/1.1\r\nHost: h\r\nExpect: magic\r\n\r\n") == "417");
    CHECK(answer("GET http://10.0.0.1/ HTTP/1.1\r\nHost: h\r\n\r\n") == "403");
    CHECK(answer("GET http://0x0a000001/ HTTP/1.1\r\nHost: h\r\n\r\n") == "403");
    CHECK(answer("GET http://[::ffff:10.0.0.1]/ HTTP/1.1\r\nHost: h\r\n\r\n") == "403");

    // A request that comes back carries our Via.
    auto client = r.client();
    client.send(r.get("/"));
    auto site = r.site.accept();
    auto const head = site.read_head();
    auto const at = head.find("Via: ");
    auto const via = head.substr(at, head.find("\r\n", at) + 2 - at);
    CHECK(answer("GET " + r.url("/") + " HTTP/1.1\r\nHost: h\r\n" + via + "\r\n") == "502");
}

TEST_CASE("a slow reader slows its writer, and gets every byte") {
    rig r;
    auto client = r.client();
    client.send(r.get("/"));
    auto site = r.site.accept();
    (void)site.read_head();
    constexpr std::size_t size = 48 * 1024 * 1024;
    site.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n");
    std::string block(1024 * 1024, '.');
    for (std::size_t i = 0; i < block.size(); ++i) block[i] = static_cast<char>('a' + i % 23);
    std::atomic<std::size_t> sent{0};
    std::thread writer([&] {
        for (; sent < size; sent += block.size()) site.send(block);
    });
    (void)client.read_head();
    CHECK(r.site.visited() == false);  // a pause in which an unbounded buffer would have taken all
    CHECK(sent < size);
    bool equal = true;
    for (std::size_t got = 0; got < size; got += block.size()) equal = equal && client.read(block.size()) == block;
    writer.join();
    CHECK(equal);
}

TEST_CASE("a chunk's size line that arrives alone is progress, both ways") {
    rig r;
    auto client = r.client();
    client.send("POST " + r.url("/") + " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    auto site = r.site.accept();
    (void)site.read_head();
    client.send("3\r\n");
    CHECK(site.silent());  // the size line went through by itself
    client.send("abc\r\n0\r\n\r\n");
    CHECK(site.read(13) == "3\r\nabc\r\n0\r\n\r\n");
    site.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    (void)client.read_head();
    site.send("2\r\n");
    CHECK(client.silent());
    site.send("de\r\n0\r\n\r\n");
    CHECK(client.read(12) == "2\r\nde\r\n0\r\n\r\n");
}

TEST_CASE("trailers are passed on where both sides take them") {
    rig r;
    auto client = r.client();
    client.send("POST " + r.url("/") +
                " HTTP/1.1\r\nHost: x\r\nTE: trailers\r\nConnection: TE\r\nTrailer: Sum\r\n"
                "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nSum: 7\r\nHost: evil\r\n\r\n");
    auto site = r.site.accept();
    auto const head = site.read_head();
    CHECK(head.find("\r\nTE: trailers\r\n") != std::string::npos);
    CHECK(head.find("\r\nTrailer: Sum\r\n") != std::string::npos);
    CHECK(site.read(19) == "1\r\na\r\n0\r\nSum: 7\r\n\r\n");
    site.send("HTTP/1.1 200 OK\r\nTrailer: End\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nb\r\n0\r\nEnd: 1\r\n\r\n");
    CHECK(client.read_head().find("\r\nTrailer: End\r\n") != std::string::npos);
    CHECK(client.read(19) == "1\r\nb\r\n0\r\nEnd: 1\r\n\r\n");

    client.send(r.get("/"));  // this one does not say that it takes them
    (void)site.read_head();
    site.send("HTTP/1.1 200 OK\r\nTrailer: End\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nb\r\n0\r\nEnd: 1\r\n\r\n");
    CHECK(client.read_head().find("Trailer") == std::string::npos);
    CHECK(client.read(11) == "1\r\nb\r\n0\r\n\r\n");
}

TEST_CASE("Expect: 100-continue is the origin's to answer, and the body waits for it") {
    rig r;
    auto client = r.client();
    std::string const ask =
        "PUT " + r.url("/") + " HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";
    SECTION("told to go on") {
        client.send(ask + "body");  // one that does not wait: its body does all the same
        auto site = r.site.accept();
        (void)site.read_head();
        CHECK(site.silent());
        site.send("HTTP/1.1 100 Continue\r\n\r\n");
        CHECK(client.read_head().starts_with("HTTP/1.1 100 Continue\r\n"));
        CHECK(site.read(4) == "body");
        site.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        CHECK(client.read_head().find("Connection: close") == std::string::npos);
        client.send(r.get("/next"));
        CHECK(site.read_head().starts_with("GET /next "));
    }
    SECTION("refused: the body is never sent, and the connection ends") {
        client.send(ask);
        auto site = r.site.accept();
        (void)site.read_head();
        site.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno");
        auto const head = client.read_head();
        CHECK(head.starts_with("HTTP/1.1 413 "));
        CHECK(head.find("Connection: close\r\n") != std::string::npos);
        CHECK(client.read_to_end() == "no");
        CHECK(site.ended());
    }
}

TEST_CASE("Max-Forwards: counted down, and answered here at 0") {
    rig r;
    auto client = r.client();
    client.send("OPTIONS " + r.url("/") + " HTTP/1.1\r\nHost: x\r\nMax-Forwards: 2\r\n\r\n");
    auto site = r.site.accept();
    CHECK(site.read_head().find("\r\nMax-Forwards: 1\r\n") != std::string::npos);
    site.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    (void)client.read_head();
    client.send("TRACE " + r.url("/t") + " HTTP/1.1\r\nHost: x\r\nMax-Forwards: 0\r\nCookie: secret\r\n\r\n");
    CHECK(client.read_head().find("\r\nContent-Type: message/http\r\n") != std::string::npos);
    auto const back = client.read_head();
    CHECK(back.starts_with("TRACE " + r.url("/t") + " HTTP/1.1\r\n"));
    CHECK(back.find("secret") == std::string::npos);
    client.send("GET " + r.url("/g") + " HTTP/1.1\r\nHost: x\r\nMax-Forwards: 0\r\n\r\n");  // means nothing there
    CHECK(site.read_head().find("\r\nMax-Forwards: 0\r\n") != std::string::npos);
}

TEST_CASE("an answer without Date gets one, and so do the proxy's own") {
    rig r;
    auto client = r.client();
    client.send(r.get("/"));
    auto site = r.site.accept();
    (void)site.read_head();
    site.send("HTTP/1.1 204 No Content\r\n\r\n");
    CHECK(client.read_head().find("\r\nDate: ") != std::string::npos);
    client.send(r.get("/"));
    (void)site.read_head();
    site.send("HTTP/1.1 204 No Content\r\nDate: x\r\n\r\n");
    auto const head = client.read_head();
    CHECK(head.find("Date: x\r\n") != std::string::npos);
    CHECK(head.find("Date: ") == head.rfind("Date: "));
    client.send("nonsense\r\n\r\n");
    CHECK(client.read_head().find("\r\nDate: ") != std::string::npos);
}

TEST_CASE("thousands of small chunks that arrive together are all passed on, both ways") {
    rig r;
    constexpr int chunks = 6000;
    std::string body;
    for (int i = 0; i < chunks; ++i) body += "1\r\nx\r\n";
    body += "0\r\n\r\n";
    auto client = r.client();
    client.send("POST " + r.url("/") + " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + body);
    auto site = r.site.accept();
    (void)site.read_head();
    std::string got;
    while (!got.ends_with("\r\n0\r\n\r\n")) got += site.read(1);
    CHECK(std::count(got.begin(), got.end(), 'x') == chunks);
    site.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body);
    (void)client.read_head();
    got.clear();
    while (!got.ends_with("\r\n0\r\n\r\n")) got += client.read(1);
    CHECK(std::count(got.begin(), got.end(), 'x') == chunks);
}
