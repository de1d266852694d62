// What can go wrong between the client and the server.
#include <fstream>

#include "certificates.hpp"
#include "fixture.hpp"

using namespace jitproxy;
using test::fixture;
using test::reply;
using test::step;
using test::token_body;
using then = step::then;

namespace {

constexpr milliseconds short_while{150};

template <class T>
void failed(result<T> const& r, errc code, std::string_view because = {}) {
    REQUIRE(r.has_error());
    INFO(r.error());
    CHECK(r.error().code == code);
    CHECK(r.error().detail.find(because) != std::string::npos);
    for (auto const* secret : {"tok-1", "bearer-123", "client-secret-1"}) {
        CHECK(r.error().detail.find(secret) == std::string::npos);
    }
}

std::string chunked(std::string_view body) {
    return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string{body};
}

struct ca_file {
    explicit ca_file(test::test_ca const& ca) {
        REQUIRE(::mkstemp(name.data()) >= 0);
        std::ofstream{name} << ca.certificate();
    }
    ~ca_file() { std::remove(name.c_str()); }
    std::string name = "/tmp/jitproxy-test-ca-XXXXXX";
};

}  // namespace

TEST_CASE("answers that are whole in every framing") {
    fixture f;
    f.answers({chunked("11\r\n{\"access_token\": \r\n3\r\n\"a\"\r\n1\r\n}\r\n0\r\nX-T: 1\r\n\r\n")});
    CHECK(f.token() == "a");
    f.answers({"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + reply(200, token_body)});
    CHECK(f.token() == "tok-1");
    f.answers({"HTTP/1.0 200 OK\r\n\r\n" + token_body, then::close});  // ends with its connection
    CHECK(f.token() == "tok-1");
    f.answers({reply(200, token_body, "Connection: close\r\n")});
    CHECK(f.token() == "tok-1");
    f.answers({reply(200, token_body)});
    CHECK(f.token() == "tok-1");
    CHECK(f.as->connections == 3);
}

TEST_CASE("an answer that comes too late, or not at all") {
    fixture f;
    f.connect(f.as->url(), short_while);
    failed(f.fetch(), errc::as_unclear, "no answer in time");
    f.answers({"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"access"});  // stops half way
    failed(f.fetch(), errc::as_unclear, "no answer in time");
    f.answers({"HTTP/1.1 200 OK\r\nX: "});
    failed(f.fetch(), errc::as_unclear, "no answer in time");
    CHECK(f.as->requests.size() == 3);  // none was sent again
    f.answers(200, token_body);
    CHECK(f.fetch().has_value());  // and the next is not harmed
}

TEST_CASE("waiting for a turn counts too") {
    fixture f;
    f.connect(f.as->url(), short_while, "", 1);
    int unreachable = 0;
    for (int i = 0; i < 3; ++i) {
        f.client->fetch_agent_token(0, [&](result<jit::access_token> t) {
            if (t.has_error() && (t.error().code == errc::as_unreachable || t.error().code == errc::as_unclear))
                ++unreachable;
        });
    }
    auto const began = std::chrono::steady_clock::now();
    while (unreachable < 3 && f.io.run_one() > 0) {
    }
    CHECK(unreachable == 3);
    CHECK(std::chrono::steady_clock::now() - began < 10 * short_while);
    f.answers(200, token_body);
    CHECK(f.fetch().has_value());  // the turns came back
}

TEST_CASE("a server that is not there, or does not speak TLS") {
    fixture f;
    auto const url = f.as->url();
    f.as.reset();
    failed(f.fetch(), errc::as_unreachable,
           "cannot connect to the authorization server " + url + ": Connection refused");

    test::server plain{f.io};
    plain.script.push_back({reply(400), then::close});
    f.connect("https://127.0.0.1:" + std::to_string(plain.port()), short_while);
    failed(f.fetch(), errc::as_unreachable, "TLS");
}

TEST_CASE("a handshake that never comes to an end") {
    fixture f;
    test::server mute{f.io, nullptr, true};
    f.connect("https://127.0.0.1:" + std::to_string(mute.port()), short_while);
    failed(f.fetch(), errc::as_unreachable, "no answer in time");
}

TEST_CASE("answers that break off") {
    fixture f;
    for (auto const& s :
         {step{"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + token_body, then::close},
          step{"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + token_body, then::reset},
          step{chunked("40\r\n{\"access_"), then::close}, step{chunked("0\r\n"), then::close},
          step{"HTTP/1.1 200 OK\r\nContent-Le", then::close}, step{"", then::close}, step{"", then::reset}}) {
        INFO(s.bytes);
        f.answers(s);
        failed(f.fetch(), errc::as_unclear, "cannot read from the authorization server");
    }
}

TEST_CASE("answers that are too large, no HTTP, or no JSON") {
    fixture f;
    std::string const large(300'000, ' ');
    for (auto const& s :
         {step{reply(200, large)}, step{chunked("493e0\r\n" + large + "\r\n0\r\n\r\n")},
          step{"HTTP/1.0 200 OK\r\n\r\n" + large, then::close},
          step{"HTTP/1.1 200 OK\r\nX: " + std::string(40'000, 'x') + "\r\nContent-Length: 0\r\n\r\n"},
          step{"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n"},
          step{"HTTP/1.1 200 OK\r\nContent-Length: nine\r\n\r\n"}, step{"SSH-2.0-OpenSSH_9.2\r\n", then::close},
          step{"HTTP/2 200\r\n\r\n"}, step{chunked("zz\r\n")}, step{"HTTP/1.1 101 Switching\r\n\r\n"},
          step{reply(200, "<html>tok-1</html>")}, step{reply(200, "{\"access_token\": \"tok-1\"")},
          step{reply(200, std::string(5000, '['))}, step{reply(200)}, step{reply(204)}}) {
        INFO(s.bytes.substr(0, 60));
        f.answers(s);
        failed(f.fetch(), errc::as_malformed);
    }
    std::string interim;
    for (int i = 0; i < 100; ++i) interim += "HTTP/1.1 103 Early Hints\r\n\r\n";
    f.answers({interim});
    failed(f.fetch(), errc::as_malformed);
}

TEST_CASE("a kept connection that the server has closed is not used") {
    fixture f;
    f.answers({reply(201, R"({"task_id": "t"})"), then::close});
    CHECK(f.create_task().has_value());
    while (f.io.poll() > 0) {
    }
    f.answers(201, R"({"task_id": "t"})");
    CHECK(f.create_task().has_value());
    CHECK(f.as->connections == 2);
    CHECK(f.as->requests.size() == 2);
}

TEST_CASE("a kept connection that dies under a request: sent again only where that does no harm") {
    fixture f;
    f.answers(200, token_body);
    REQUIRE(f.fetch().has_value());

    SECTION("a token, once") {
        f.answers({"", then::reset});
        f.answers(200, token_body);
        CHECK(f.fetch().has_value());
        CHECK(f.as->requests.size() == 3);
        CHECK(f.as->connections == 2);
    }
    SECTION("a token, twice: given up") {
        f.answers({"", then::close});
        f.answers({"", then::close});
        failed(f.fetch(), errc::as_unclear);
        CHECK(f.as->requests.size() == 3);
    }
    SECTION("completion") {
        f.answers({"", then::close});
        f.answers(204);
        CHECK(f.complete().has_value());
        CHECK(f.as->requests.size() == 3);
    }
    SECTION("a poll") {
        f.answers({"", then::close});
        f.answers(200, R"({"request_id": "r", "status": "pending"})");
        CHECK(f.poll({.request_id = "r"}).has_value());
        CHECK(f.as->requests.size() == 3);
    }
    SECTION("a task: no") {
        f.answers({"", then::close});
        failed(f.create_task(), errc::as_unclear);
        CHECK(f.as->requests.size() == 2);
    }
    SECTION("a permission request: no") {
        f.answers({"", then::close});
        failed(f.ask(), errc::as_unclear);
        CHECK(f.as->requests.size() == 2);
    }
    SECTION("an exchange: no") {
        f.answers({"", then::close});
        failed(f.exchange({.request_id = "r"}), errc::as_unclear);
        CHECK(f.as->requests.size() == 2);
    }
    SECTION("a token whose answer had begun: no") {
        f.answers({"HTTP/1.1 200", then::close});
        failed(f.fetch(), errc::as_unclear);
        CHECK(f.as->requests.size() == 2);
    }
}

TEST_CASE("more bytes than the answer has: the connection is not trusted again") {
    fixture f;
    f.answers({reply(200, token_body) + reply(200, R"({"access_token": "smuggled"})")});
    CHECK(f.token() == "tok-1");
    f.answers(200, token_body);
    CHECK(f.token() == "tok-1");
    CHECK(f.as->connections == 2);
}

TEST_CASE("TLS: verified against the given roots, and kept") {
    test::test_ca const ca;
    ca_file const roots{ca};
    auto tls = ca.serving("DNS:localhost,IP:127.0.0.1");
    fixture f{tls};
    for (auto const* host : {"127.0.0.1", "localhost", "LOCALHOST"}) {
        INFO(host);
        f.connect(f.as->url(host), seconds{10}, roots.name);
        f.answers(200, token_body);
        auto const t = f.fetch();
        INFO((t ? "" : t.error().detail));
        REQUIRE(t.has_value());
        f.answers(200, token_body);
        CHECK(f.fetch().has_value());
    }
    CHECK(f.as->connections == 3);  // one for each client
}

TEST_CASE("TLS: a certificate that does not verify gets no secret") {
    test::test_ca const ca;
    test::test_ca const another{"another CA"};
    ca_file const roots{ca};
    auto const refuse = [&](boost::asio::ssl::context tls, std::string const& ca_name, char const* because) {
        fixture f{tls};
        f.connect(f.as->url("localhost"), seconds{10}, ca_name);
        failed(f.fetch(), errc::as_unreachable, because);
        CHECK(f.as->requests.empty());
    };
    refuse(ca.serving("DNS:other.example,IP:127.0.0.1"), roots.name, "hostname mismatch");
    refuse(ca.serving("DNS:*.localhost"), roots.name, "hostname mismatch");
    refuse(ca.serving("DNS:localhost", -1), roots.name, "certificate has expired");
    refuse(another.serving("DNS:localhost"), roots.name, "issuer certificate");
    refuse(ca.serving("DNS:localhost"), "", "issuer certificate");

    auto tls = ca.serving("DNS:localhost,DNS:127.0.0.1");  // an address is no name
    fixture f{tls};
    f.connect(f.as->url("127.0.0.1"), seconds{10}, roots.name);
    failed(f.fetch(), errc::as_unreachable, "IP address mismatch");
}

TEST_CASE("TLS: older than 1.2 is refused") {
    test::test_ca const ca;
    ca_file const roots{ca};
    auto tls = ca.serving("DNS:localhost");
    SSL_CTX_set_min_proto_version(tls.native_handle(), TLS1_1_VERSION);
    SSL_CTX_set_max_proto_version(tls.native_handle(), TLS1_1_VERSION);
    SSL_CTX_set_cipher_list(tls.native_handle(), "DEFAULT@SECLEVEL=0");
    fixture f{tls};
    f.connect(f.as->url("localhost"), seconds{10}, roots.name);
    failed(f.fetch(), errc::as_unreachable, "agree on TLS");
    CHECK(f.as->handshakes == 0);
}

TEST_CASE("TLS: a body that ends with the connection counts only where the server said goodbye") {
    test::test_ca const ca;
    ca_file const roots{ca};
    auto tls = ca.serving("DNS:localhost");
    fixture f{tls};
    f.connect(f.as->url("localhost"), seconds{10}, roots.name);
    f.answers({"HTTP/1.1 200 OK\r\n\r\n" + token_body, then::close});
    CHECK(f.fetch().has_value());
    f.answers({"HTTP/1.1 200 OK\r\n\r\n" + token_body, then::cut});
    failed(f.fetch(), errc::as_unclear, "closed before the whole answer");
    f.answers({"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + token_body, then::close});
    failed(f.fetch(), errc::as_unclear, "closed before the whole answer");
}
