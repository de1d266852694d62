// One client that never pauses: nobody else notices, and the proxy stands it.
#include <atomic>
#include <thread>

#include "catch.hpp"
#include "rig.hpp"

using namespace jitproxy::proxy::test;
using jitproxy::seconds;

namespace {

// Sends the same block again and again, on a thread of its own, until the other side has had enough of it.
class flood {
  public:
    flood(peer client, std::string block)
        : client_(std::move(client)), block_(std::move(block)), thread_([this] {
              try {
                  for (;;) client_.send(block_);
              } catch (std::runtime_error const&) {
                  ended = true;
              }
          }) {}
    ~flood() { thread_.join(); }
    std::atomic<bool> ended{false};

  private:
    peer client_;
    std::string block_;
    std::thread thread_;
};

std::string repeat(std::string_view text, int times) {
    std::string all;
    for (int i = 0; i < times; ++i) all += text;
    return all;
}

}  // namespace

TEST_CASE("any number of pipelined requests that are answered at once") {
    rig r;
    constexpr int count = 20'000;
    auto client = r.client();
    std::string const head = "OPTIONS " + r.url("/") + " HTTP/1.1\r\nHost: x\r\nMax-Forwards: 0\r\n";
    std::thread writer([&] { client.send(repeat(head + "\r\n", count - 1) + head + "Connection: close\r\n\r\n"); });
    int answered = 0;
    while (client.read_head().find("Connection: close\r\n") == std::string::npos) ++answered;
    writer.join();
    CHECK(answered == count - 1);
}

TEST_CASE("empty lines without end before a request keep nobody waiting, and end with the idle time") {
    rig r;
    flood empty_lines(r.client(), repeat("\r\n", 100'000));
    auto client = r.client();
    client.send(r.get("/"));
    auto site = r.site.accept();
    CHECK(site.read_head().starts_with("GET / "));
    site.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    CHECK(client.read_head().starts_with("HTTP/1.1 200 "));
    CHECK_FALSE(empty_lines.ended);
    r.advance(seconds(301));
}

TEST_CASE("empty lines before a request are skipped, however they arrive") {
    rig r;
    auto client = r.client();
    client.send("\r\n\r");
    CHECK(client.silent());
    client.send("\n" + r.get("/"));
    CHECK(r.site.accept().read_head().starts_with("GET / "));
}
