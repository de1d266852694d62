// A scripted server on loopback: each request that comes takes the next step of the script, whatever its connection.
#pragma once
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace jitproxy::test {

struct step {
    enum class then : std::uint8_t {
        keep,   // the connection stays open
        close,  // orderly, with close_notify on TLS
        cut,    // closed without TLS's goodbye
        reset,  // RST
    };
    std::string bytes;  // empty: nothing is sent
    then after = then::keep;
};

// A whole answer with a body and its Content-Length. `fields` end with CRLF each.
std::string reply(int status, std::string_view body = {}, std::string_view fields = {});

class server {
  public:
    struct request {
        std::string head;  // with the final empty line
        std::string body;
        int connection;  // the first is 1

        [[nodiscard]] std::string line() const { return head.substr(0, head.find('\r')); }
        [[nodiscard]] bool has(std::string_view field_line) const {  // exactly, as "Host: x"
            return head.find("\r\n" + std::string{field_line} + "\r\n") != std::string::npos;
        }
    };

    // `tls` null: plain. `mute`: accepts and then says nothing, not even in a handshake.
    explicit server(boost::asio::io_context& io, boost::asio::ssl::context* tls = nullptr, bool mute = false);
    ~server();

    std::deque<step> script;
    std::vector<request> requests;
    int connections = 0;
    int handshakes = 0;  // that succeeded

    [[nodiscard]] std::uint16_t port() const;
    [[nodiscard]] std::string url(std::string_view host = "127.0.0.1") const;
    [[nodiscard]] std::size_t open() const;  // connections that neither side has closed
    // Closes every connection that is open now.
    void hang_up();

    struct impl;

  private:
    std::shared_ptr<impl> impl_;
};

}  // namespace jitproxy::test
