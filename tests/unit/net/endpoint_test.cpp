// One connection, in the clear and over TLS, against a peer that reads and writes as the test says.
#include "jitproxy/net/endpoint.hpp"

#include <openssl/err.h>

#include <array>

#include "catch.hpp"
#include "certificate.hpp"
#include "directory.hpp"
#include "far_end.hpp"
#include "jitproxy/net/outbox.hpp"
#include "jitproxy/net/tls.hpp"

namespace net = jitproxy::net;
using namespace jitproxy::net::test;
using net::io_status;
using state = far_end::state;
using peer_state = net::endpoint::peer_state;

namespace {

// Counts how often it is woken.
struct counter {
    net::waker wakes;
    int times = 0;
    net::task<> root = run();
    counter() { root.start(); }
    net::task<> run() {
        for (;;) {
            co_await wakes.wait();
            ++times;
        }
    }
};

struct ends : here {
    std::unique_ptr<net::endpoint> near;
    std::unique_ptr<far_end> far;
    counter user;

    explicit ends(SSL_CTX* serving = nullptr, int buffers_of = 0) {
        listener site;
        boost::asio::ip::tcp::socket socket(io);
        boost::asio::ip::tcp::endpoint const at(make_address("127.0.0.1"), site.port());
        socket.open(at.protocol());
        if (buffers_of != 0) socket.set_option(boost::asio::socket_base::send_buffer_size(buffers_of));
        socket.connect(at);
        socket.native_non_blocking(true);
        near = std::make_unique<net::endpoint>(io, socket.release(), buffers);
        near->set_waker(&user.wakes);
        far = accept(site, serving);
        if (buffers_of != 0) ::setsockopt(far->fd(), SOL_SOCKET, SO_RCVBUF, &buffers_of, sizeof(buffers_of));
        here::ends = {far.get()};
    }
    io_status write(std::string_view text) {
        auto const done = near->try_write({&text, 1});
        CHECK((done.status != io_status::ok || done.bytes == text.size()));
        return done.status;
    }
    bool readable() {
        pollfd p{near->native_handle(), POLLIN, 0};
        return ::poll(&p, 1, 0) == 1;
    }
    // All that is there, once something is.
    std::string read() {
        std::string got;
        run_until([&] {
            char bytes[100];
            got.append(bytes, near->try_read(bytes).bytes);
            return !got.empty();
        });
        return got;
    }
    io_status status_of_read() {
        char byte = 0;
        return near->try_read({&byte, 1}).status;
    }
    void await_read_status(io_status wanted) {
        run_until([&] { return status_of_read() != io_status::blocked; });
        CHECK(status_of_read() == wanted);
    }
};

struct tls_keys {
    jitproxy::test::directory files;
    certificate_authority ca;
    std::shared_ptr<SSL_CTX> serving = ca.serving("DNS:localhost");
    jitproxy::policy::api_ptr api;
    std::shared_ptr<net::upstream_tls const> contexts;
    tls_keys() {
        ca.write(files.file("ca.pem"));
        auto a = std::make_shared<jitproxy::policy::api>();
        a->ca_file = files.file("ca.pem");
        api = a;
        contexts = *net::upstream_tls::create({api});
    }
};

struct tls_ends : private tls_keys, ends {
    explicit tls_ends(int buffers_of = 0) : ends(serving.get(), buffers_of) {
        REQUIRE(near->start_tls_connect(contexts->context(api.get()), "localhost", false, nullptr).has_value());
        run_until([&] {
            auto const step = near->handshake();
            REQUIRE((step.status == io_status::ok || step.status == io_status::blocked));
            return step.status == io_status::ok && far->secured();
        });
    }
};

std::string long_text(std::size_t size) {
    std::string text(size, ' ');
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i * 31 % 26);
    return text;
}

constexpr int small = 64 * 1024;

}  // namespace

TEST_CASE("bytes go both ways and are counted; blocked, the end and a reset are told apart") {
    ends w;
    CHECK(w.status_of_read() == io_status::blocked);
    CHECK(w.write("question") == io_status::ok);
    w.run_until([&] { return w.far->received == "question"; });
    w.far->send("answer");
    CHECK(w.read() == "answer");
    CHECK(w.near->bytes_out == 8);
    CHECK(w.near->bytes_in == 6);
    SECTION("the end") {
        w.far->end();
        w.await_read_status(io_status::eof);
        CHECK(w.write("still") == io_status::ok);  // only its side has ended
        w.near->shutdown_send();
        w.run_until([&] { return w.far->seen == state::ended; });
        CHECK(w.far->received == "questionstill");
    }
    SECTION("a reset") {
        w.far->reset();
        w.await_read_status(io_status::failed);
        CHECK(w.write("x") == io_status::failed);
        CHECK(w.near->look() == peer_state::gone);
    }
    SECTION("ours") {
        w.near->reset();
        CHECK_FALSE(w.near->is_open());
        w.run_until([&] { return w.far->seen == state::broken; });
    }
}

TEST_CASE("several pieces leave as one write, empty ones and very many too") {
    ends w;
    std::string wanted;
    std::vector<std::string> texts;
    texts.reserve(200);
    for (int i = 0; i < 200; ++i) texts.push_back(i % 3 == 0 ? "" : std::to_string(i) + ' ');
    std::vector<std::string_view> pieces(texts.begin(), texts.end());
    for (auto const& text : texts) wanted += text;
    net::outbox out;
    CHECK(out.send(*w.near, pieces) == io_status::blocked);  // the system takes 64 at a time
    while (!out.empty(*w.near)) REQUIRE(out.flush(*w.near) == io_status::ok);
    w.run_until([&] { return w.far->received.size() == wanted.size(); });
    CHECK(w.far->received == wanted);
}

TEST_CASE("a peer that reads slowly gets everything in order, and writing waits for it") {
    ends w(nullptr, small);
    auto const text = long_text(2'000'000);
    w.far->most_received = 1;
    std::string_view left = text;
    auto write = [&] {
        while (!left.empty()) {
            auto const done = w.near->try_write({&left, 1});
            if (done.status != io_status::ok) {
                CHECK(done.status == io_status::blocked);
                CHECK(done.bytes == 0);
                return;
            }
            left.remove_prefix(done.bytes);
        }
    };
    write();
    w.settle();
    write();
    REQUIRE_FALSE(left.empty());
    w.near->wait_write();
    w.near->wait_write();  // one wait, however often it is asked for
    w.far->most_received = std::string::npos;
    w.run_until([&] { return w.user.times == 1; });
    w.run_until([&] {
        write();
        return left.empty();
    });
    w.run_until([&] { return w.far->received.size() == text.size(); });
    CHECK(w.far->received == text);
    CHECK(w.user.times == 1);
}

TEST_CASE("looking takes nothing") {
    ends w;
    CHECK(w.near->look() == peer_state::quiet);
    w.far->send("abc");
    w.run_until([&] { return w.near->look() != peer_state::quiet; });
    CHECK(w.near->look() == peer_state::has_data);
    CHECK(w.read() == "abc");
    CHECK(w.near->look() == peer_state::quiet);
    w.near->buffer().put_back("c");
    CHECK(w.near->look() == peer_state::has_data);
    w.near->buffer().consume(1);
    SECTION("the end") {
        w.far->end();
    }
    SECTION("the end, behind something unread") {
        w.far->send("unread");
        w.far->end();
        w.run_until([&] { return w.near->look() == peer_state::gone; });
    }
    SECTION("a reset") {
        w.far->reset();
    }
    SECTION("closed by ourselves") {
        w.near->close();
    }
    w.run_until([&] { return w.near->look() != peer_state::quiet; });
    CHECK(w.near->look() == peer_state::gone);
}

TEST_CASE("nobody is woken for a connection that is gone or rests") {
    ends w;
    CHECK(w.status_of_read() == io_status::blocked);
    w.near->wait_read();
    w.near->wait_write();
    SECTION("destroyed") {
        w.near.reset();
    }
    SECTION("resting") {
        w.near->set_waker(nullptr);
        w.far->send("x");
        w.run_until([&] { return w.readable(); });
    }
    w.settle();
    CHECK(w.user.times == 0);
}

TEST_CASE("over TLS: bytes both ways, the end, and what is no end") {
    tls_ends w;
    CHECK(w.status_of_read() == io_status::blocked);
    CHECK(w.write("question") == io_status::ok);
    w.run_until([&] { return w.far->received == "question"; });
    w.far->send("answer");
    CHECK(w.read() == "answer");
    CHECK(w.near->bytes_out == 8);
    CHECK(w.near->bytes_in == 6);
    SECTION("ended with close_notify") {
        w.far->end();
        w.await_read_status(io_status::eof);
    }
    SECTION("ended without: cut") {
        ::shutdown(w.far->fd(), SHUT_WR);
        w.await_read_status(io_status::failed);
        CHECK(w.write("x") == io_status::failed);
        CHECK(w.near->look() == peer_state::gone);
    }
    SECTION("cut behind the last bytes, which still count") {
        w.far->send("last");
        ::shutdown(w.far->fd(), SHUT_WR);
        CHECK(w.read() == "last");
        w.await_read_status(io_status::failed);
    }
    SECTION("ended by us with close_notify") {
        w.near->shutdown_send();
        w.run_until([&] { return w.far->seen != state::open; });
        CHECK(w.far->seen == state::ended);
    }
}

TEST_CASE("over TLS: session tickets are no data, whatever errors lie about in OpenSSL's queue") {
    tls_ends w;
    w.run_until([&] { return w.readable(); });  // tickets come behind the handshake
    if (GENERATE(false, true)) ERR_raise(ERR_LIB_USER, 1);
    CHECK(w.near->look() == peer_state::quiet);
    CHECK_FALSE(w.readable());
    CHECK(w.near->look() == peer_state::quiet);
    w.far->send("abc");
    CHECK(w.read() == "abc");
    ERR_clear_error();
}

TEST_CASE("over TLS: a record that was read ahead is data too, though the socket has none") {
    tls_ends w;
    w.far->send("answer");
    w.far->send("unasked");
    std::array<char, 6> bytes{};
    w.run_until([&] { return w.near->try_read(bytes).bytes == bytes.size(); });
    w.settle();
    CHECK(w.near->look() == peer_state::has_data);
    CHECK(w.read() == "unasked");
    CHECK(w.near->look() == peer_state::quiet);
}

TEST_CASE("over TLS: key updates, however many, are not all read at once") {
    tls_ends w;
    (void)w.near->look();  // tickets
    for (int i = 0; i < 6000; ++i) {
        REQUIRE(SSL_key_update(w.far->tls(), SSL_KEY_UPDATE_NOT_REQUESTED) == 1);
        REQUIRE(SSL_do_handshake(w.far->tls()) == 1);
    }
    w.far->send("data");
    w.run_until([&] { return w.readable(); });
    CHECK(w.status_of_read() == io_status::blocked);
    CHECK(w.readable());
    CHECK(w.read() == "data");
}

TEST_CASE("over TLS: a peer that reads slowly gets everything in order, and then the end") {
    tls_ends w(small);
    auto const text = long_text(2'000'000);
    w.far->most_received = 1;
    net::outbox out;
    std::string_view const piece = text;
    REQUIRE(out.send(*w.near, {&piece, 1}) == io_status::blocked);
    w.settle();
    CHECK_FALSE(w.near->flushed());
    w.far->most_received = std::string::npos;
    w.run_until([&] { return out.flush(*w.near) == io_status::ok; });
    w.near->shutdown_send();
    w.run_until([&] { return w.far->seen != state::open; });
    CHECK(w.far->seen == state::ended);
    CHECK(w.far->received == text);
}

TEST_CASE("over TLS: ending while something is unsent sends it, and close_notify behind it") {
    tls_ends w(small);
    auto const text = long_text(1'000'000);
    w.far->most_received = 1;
    REQUIRE(w.write(text) == io_status::ok);  // taken: as records that the socket has no room for
    REQUIRE_FALSE(w.near->flushed());
    w.near->shutdown_send();
    w.far->most_received = std::string::npos;
    w.run_until([&] {
        CHECK(w.status_of_read() == io_status::blocked);  // as one who waits for the peer's end does
        return w.far->seen != state::open;
    });
    CHECK(w.far->seen == state::ended);
    CHECK(w.far->received == text);
    CHECK(w.write("more") == io_status::failed);
}

TEST_CASE("over TLS: a connection that was closed leaves the next owner of its descriptor alone") {
    tls_ends w;
    int two[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, two) == 0);
    (void)w.near->look();  // tickets
    auto const fd = w.near->native_handle();
    if (GENERATE(false, true))
        w.near->close();
    else
        w.near->reset();
    REQUIRE(::dup2(two[0], fd) == fd);  // as it would be got by whoever opens something next
    REQUIRE(::write(two[1], "not yours", 9) == 9);
    CHECK(w.status_of_read() == io_status::failed);
    CHECK(w.write("x") == io_status::failed);
    CHECK(w.near->handshake().status == io_status::failed);
    CHECK(w.near->look() == peer_state::gone);
    char bytes[20];
    CHECK(::read(fd, bytes, sizeof(bytes)) == 9);
    CHECK(::read(two[1], bytes, sizeof(bytes)) == -1);
    for (int const one : {fd, two[0], two[1]}) ::close(one);
}
