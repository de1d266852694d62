// Connections to origins over TLS: what is verified, what is resumed, what may rest in the pool.
#include "catch.hpp"
#include "certificate.hpp"
#include "directory.hpp"
#include "far_end.hpp"
#include "jitproxy/net/upstreams.hpp"

namespace net = jitproxy::net;
using namespace jitproxy::net::test;
using jitproxy::errc;
using jitproxy::milliseconds;
using jitproxy::http::scheme;

namespace {

struct secured {
    net::endpoint_ptr stream;
    std::unique_ptr<far_end> origin;
};

struct tls_pool : here {
    jitproxy::test::directory files;
    certificate_authority ca;
    std::shared_ptr<SSL_CTX> serving = ca.serving("DNS:localhost,IP:127.0.0.1");
    listener site;
    net::upstream_options options;
    std::optional<net::upstreams> from;
    net::waker user;
    jitproxy::policy::api_ptr trusted;  // an API whose ca_file is ours
    jitproxy::policy::api_ptr other;    // another one with the same
    net::destination to;

    tls_pool() {
        ca.write(files.file("ca.pem"));
        SSL_CTX_set_session_id_context(serving.get(), reinterpret_cast<unsigned char const*>("test"), 4);
        trusted = api("trusted", files.file("ca.pem"));
        other = api("other", files.file("ca.pem"));
        from.emplace(io, buffers, options, net::resolver_options{});
        from->set_reach(reach({trusted, other}));
        to = to_origin(scheme::https, "localhost", site.port(), trusted);
    }
    static jitproxy::policy::api_ptr api(char const* name, std::string const& ca_file) {
        auto a = std::make_shared<jitproxy::policy::api>();
        a->name = name;
        a->ca_file = ca_file;
        return a;
    }
    net::reach reach(std::vector<jitproxy::policy::api_ptr> const& apis) {
        return {rules_for(), *net::upstream_tls::create(apis)};
    }
    // Until the handshake is over on both sides; the origin's session tickets are on their way then.
    secured connect() { return connect(to); }
    secured connect(net::destination const& where) {
        seeker who(*this);
        who.start(*from, where);
        return finish(who);
    }
    secured finish(seeker& who) {
        secured made;
        made.origin = accept(site, serving.get());
        ends = {made.origin.get()};
        made.stream = who.finish();
        made.stream->set_waker(&user);
        run_until([&] { return made.origin->secured(); });
        ends.clear();
        return made;
    }
    // As a request and its answer do: the tickets are read with it.
    void use(secured& c) {
        c.origin->send("answer");
        std::string got;
        run_until([&] {
            char bytes[100];
            got.append(bytes, c.stream->try_read(bytes).bytes);
            return got == "answer";
        });
    }
    jitproxy::error fail(net::destination const& where) {
        seeker who(*this);
        who.start(*from, where);
        auto const origin = accept(site, serving.get());
        ends = {origin.get()};
        auto e = who.fail();
        ends.clear();
        return e;
    }
    static bool arrived(net::endpoint& stream) {
        pollfd p{stream.native_handle(), POLLIN, 0};
        return ::poll(&p, 1, 0) == 1;
    }
};

bool resumed(secured const& c) {
    CHECK(SSL_session_reused(c.stream->tls()) == SSL_session_reused(c.origin->tls()));
    return SSL_session_reused(c.stream->tls()) != 0;
}

}  // namespace

TEST_CASE("an origin is verified by its name, and told which one is meant") {
    tls_pool w;
    SECTION("a name, in SNI too") {
        auto c = w.connect();
        CHECK(SSL_get_verify_result(c.stream->tls()) == X509_V_OK);
        CHECK(std::string(SSL_get_servername(c.origin->tls(), TLSEXT_NAMETYPE_host_name)) == "localhost");
        CHECK(SSL_version(c.stream->tls()) == TLS1_3_VERSION);
        w.use(c);
    }
    SECTION("an address, which SNI can't carry (RFC 6066 3)") {
        auto const c = w.connect(to_origin(scheme::https, "127.0.0.1", w.site.port(), w.trusted));
        CHECK(SSL_get_servername(c.origin->tls(), TLSEXT_NAMETYPE_host_name) == nullptr);
    }
    SECTION("TLS 1.2 is old enough") {
        SSL_CTX_set_max_proto_version(w.serving.get(), TLS1_2_VERSION);
        auto const c = w.connect();
        CHECK(SSL_version(c.stream->tls()) == TLS1_2_VERSION);
    }
    SECTION("a tunnel's connection is not looked into") {
        seeker who(w);
        who.start(*w.from, w.to, false);
        CHECK(who.finish()->tls() == nullptr);
    }
}

TEST_CASE("a certificate that does not verify is tls_bad_certificate") {
    tls_pool w;
    SECTION("for another name") {
        w.serving = w.ca.serving("DNS:elsewhere.test,DNS:*.localhost");
    }
    SECTION("for a name where an address was meant") {
        w.to = to_origin(scheme::https, "127.0.0.1", w.site.port(), w.trusted);
        w.serving = w.ca.serving("DNS:localhost,DNS:127.0.0.1");
    }
    SECTION("from an authority that nobody trusts") {
        w.serving = certificate_authority().serving("DNS:localhost");
    }
    SECTION("from an authority that is trusted for an API only, without it") {
        w.to.api = nullptr;
    }
    auto const e = w.fail(w.to);
    CHECK(e.code == errc::tls_bad_certificate);
    CHECK(e.detail.starts_with(w.to.origin + ": the certificate did not verify: "));
}

TEST_CASE("TLS older than 1.2 is refused") {
    tls_pool w;
    SSL_CTX_set_min_proto_version(w.serving.get(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(w.serving.get(), TLS1_1_VERSION);
    SSL_CTX_set_security_level(w.serving.get(), 0);
    auto const e = w.fail(w.to);
    CHECK(e.code == errc::tls_failed);
    INFO(e.detail);
    CHECK(e.detail.find("version") != std::string::npos);
}

TEST_CASE("an origin that does not speak TLS, or hangs up, is tls_failed") {
    tls_pool w;
    seeker who(w);
    who.start(*w.from, w.to);
    auto const origin = w.accept(w.site);
    SECTION("HTTP") {
        origin->send("HTTP/1.1 400 Bad Request\r\n\r\n");
    }
    SECTION("the end") {
        origin->end();
    }
    SECTION("a reset") {
        origin->reset();
    }
    auto const e = who.fail();
    CHECK(e.code == errc::tls_failed);
    CHECK(e.detail.starts_with(w.to.origin + ": TLS handshake failed"));
}

TEST_CASE("a handshake has the time of [timeouts] tls_handshake, from its own beginning") {
    tls_pool w;
    seeker who(w);
    who.start(*w.from, w.to);
    auto const origin = w.accept(w.site);  // says nothing
    w.run_until([&] {
        origin->pump();
        return !origin->received.empty();  // a ClientHello
    });
    w.pass(w.options.tls_handshake - milliseconds{100});
    CHECK_FALSE(who.outcome.has_value());
    w.pass(milliseconds{100});
    auto const e = who.fail();
    CHECK(e.code == errc::tls_failed);
    CHECK(e.detail == w.to.origin + ": the TLS handshake took too long");
}

TEST_CASE("the next connection to an origin resumes its TLS session") {
    tls_pool w;
    auto const version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
    SSL_CTX_set_max_proto_version(w.serving.get(), version);
    auto first = w.connect();
    CHECK_FALSE(resumed(first));
    w.use(first);
    auto second = w.connect();
    CHECK(resumed(second));
    w.use(second);
    CHECK(resumed(w.connect()));

    SECTION("but not for another API") {
        CHECK_FALSE(resumed(w.connect(to_origin(scheme::https, "localhost", w.site.port(), w.other))));
    }
    SECTION("nor for another name of the same server") {
        CHECK_FALSE(resumed(w.connect(to_origin(scheme::https, "127.0.0.1", w.site.port(), w.trusted))));
    }
    SECTION("nor under new rules") {
        w.from->set_reach(w.reach({w.trusted, w.other}));
        CHECK_FALSE(resumed(w.connect()));
    }
}

TEST_CASE("a session that was accepted under old rules is not resumed under new ones, which may trust others") {
    tls_pool w;
    seeker who(w);
    who.start(*w.from, w.to);  // not yet connected
    w.from->set_reach(w.reach({w.api("trusted", "")}));
    auto c = w.finish(who);
    w.use(c);  // with a ticket
    CHECK(w.fail(w.to).code == errc::tls_bad_certificate);
}

TEST_CASE("session tickets that wait to be read are no data: the connection is lent again") {
    tls_pool w;
    auto c = w.connect();
    w.run_until([&] { return w.arrived(*c.stream); });
    auto const* const stream = c.stream.get();
    w.from->give_back(w.to, std::move(c.stream));
    c.stream = w.from->take_idle(w.to, w.user);
    REQUIRE(c.stream.get() == stream);
    w.use(c);
    CHECK(resumed(w.connect()));  // and they were taken
}

TEST_CASE("what became of another connection says nothing about this one") {
    tls_pool w;
    auto good = w.connect();
    auto cut = w.connect();
    w.run_until([&] { return w.arrived(*good.stream) && w.arrived(*cut.stream); });
    auto const* const stream = good.stream.get();
    w.from->give_back(w.to, std::move(good.stream));
    w.from->give_back(w.to, std::move(cut.stream));
    ::shutdown(cut.origin->fd(), SHUT_WR);  // without close_notify: an error for OpenSSL
    w.settle();
    auto const lent = w.from->take_idle(w.to, w.user);
    CHECK(lent.get() == stream);
}

TEST_CASE("a TLS connection that is not quiet is never used again") {
    tls_pool w;
    auto c = w.connect();
    w.use(c);
    auto& stream = *c.stream;
    SECTION("with a record that nobody asked for") {
        c.origin->send("HTTP/1.1 408 Request Timeout\r\n\r\n");
    }
    SECTION("with a record that came in one piece with the answer") {
        c.origin->send("answer");
        c.origin->send("HTTP/1.1 200 OK\r\n\r\n");
        w.settle();
        char bytes[6];
        w.run_until([&] { return stream.try_read(bytes).bytes == 6; });
        w.from->give_back(w.to, std::move(c.stream));
        CHECK(w.from->take_idle(w.to, w.user) == nullptr);
        return;
    }
    SECTION("ended by the origin") {
        c.origin->end();
    }
    SECTION("cut by the origin") {
        c.origin->close();
    }
    w.run_until([&] { return w.arrived(stream); });
    w.from->give_back(w.to, std::move(c.stream));
    CHECK(w.from->take_idle(w.to, w.user) == nullptr);
}
