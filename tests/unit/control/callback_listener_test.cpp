#include "jitproxy/control/callback_listener.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <vector>

#include "catch.hpp"

using namespace jitproxy;
using namespace jitproxy::control;
namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr auto use_tuple = asio::as_tuple(asio::use_awaitable);

struct listening {
    asio::io_context io{1};
    std::vector<std::string> hints;
    std::unique_ptr<callback_listener> callbacks;

    explicit listening(callback_options o = {}) {
        o.address.host = "127.0.0.1";
        callbacks = std::make_unique<callback_listener>(io, std::move(o),
                                                        [this](std::string const& id) { hints.push_back(id); });
        REQUIRE(callbacks->start().has_value());
    }
    // Sends the bytes and gives all that comes until the end.
    std::string raw(std::string bytes) {
        std::string got;
        bool done = false;
        asio::co_spawn(
            io,
            [&]() -> asio::awaitable<void> {
                tcp::socket s(io);
                tcp::endpoint const to(asio::ip::address_v4::loopback(), callbacks->listener().port);
                co_await s.async_connect(to, use_tuple);
                co_await asio::async_write(s, asio::buffer(bytes), use_tuple);
                co_await asio::async_read(s, asio::dynamic_buffer(got), use_tuple);
                done = true;
            },
            asio::detached);
        io.restart();
        while (!done && io.run_one() > 0) {
        }
        return got;
    }
    std::string call(std::string const& target, std::string const& body = {}) {
        return raw("POST " + target + " HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) +
                   "\r\n\r\n" + body);
    }
    // The path of a URL of ours.
    std::string path_of(std::string const& id) const {
        auto const url = callbacks->url_of(id);
        return url.substr(url.find('/', 8));
    }
};

}  // namespace

TEST_CASE("a callback with the right URL is a hint, and nothing else is") {
    listening l;
    CHECK(l.callbacks->url_of("a") ==
          "http://127.0.0.1:" + std::to_string(l.callbacks->listener().port) + l.path_of("a"));
    CHECK(l.call(l.path_of("local-a"), R"({"status": "approved"})").starts_with("HTTP/1.1 204"));
    CHECK(l.call("/behind/a/gateway" + l.path_of("local-b") + "?x=1").starts_with("HTTP/1.1 204"));
    CHECK(l.hints == std::vector<std::string>{"local-a", "local-b"});
    auto const secret = l.path_of("");
    for (auto const& target :
         {std::string("/"), std::string("/local-a"), std::string("//local-a"), secret,
          "/" + std::string(secret.size() - 2, 'x') + "/local-a", "/" + l.path_of("a").substr(2)}) {
        INFO(target);
        CHECK(l.call(target).starts_with("HTTP/1.1 404"));
    }
    CHECK(l.hints.size() == 2);
}

TEST_CASE("callbacks that are no HTTP, or too large, are dropped") {
    listening l({.patience = milliseconds{200}, .message_limit = 4096});
    CHECK(l.raw("nonsense\r\n\r\n").empty());
    CHECK(l.call(l.path_of("a"), std::string(5000, 'x')).empty());
    CHECK(l.raw("POST " + l.path_of("a") + " HTTP/1.1\r\n").empty());  // never ends: cut
    CHECK(l.hints.empty());
    CHECK(l.call(l.path_of("a")).starts_with("HTTP/1.1 204"));
}

TEST_CASE("the URL that it is reached by from outside, and another secret each time") {
    listening a({.url = "https://agents.example/jit/"});
    listening b({.url = "https://agents.example/jit/"});
    CHECK(a.callbacks->url_of("x").starts_with("https://agents.example/jit/"));
    CHECK(a.callbacks->url_of("x") != b.callbacks->url_of("x"));
    CHECK(a.callbacks->url_of("x").size() > std::string("https://agents.example/jit//x").size() + 30);
}

TEST_CASE("an address that is taken") {
    listening l;
    callback_options o;
    o.address = l.callbacks->listener();
    callback_listener second(l.io, o, [](std::string const&) {});
    auto const started = second.start();
    REQUIRE(started.has_error());
    CHECK(started.error().code == errc::in_use);
    CHECK(started.error().detail.find("callback address 127.0.0.1:") == 0);
}
