// HTTP/1.1 to one authorization server: a few kept connections, every call bounded in time and size.
#pragma once
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>

#include "jitproxy/base/clock.hpp"
#include "jitproxy/base/error.hpp"
#include "jitproxy/lumoauth/location.hpp"
#include "jitproxy/lumoauth/wire.hpp"

namespace jitproxy::lumoauth {

struct transport_options {
    location at;
    std::string ca_file;
    std::string user_agent;
    milliseconds timeout{10'000};
    std::size_t connections = 8;
    std::size_t head_limit = 32 * 1024;
    std::size_t answer_limit = 256 * 1024;
    // A kept connection may be closed by the server at any moment. One that rests longer than the first is not used for
    // a request that must not be sent twice; longer than the second, for none.
    milliseconds surely_alive{1'000};
    milliseconds longest_rest{30'000};
    std::string name_servers;  // in place of the system's; tests
};

class transport {
  public:
    // Throws failure (configuration) where ca_file cannot be read.
    transport(boost::asio::io_context& io, transport_options options);
    ~transport();  // calls under way are dropped, not called back
    transport(transport const&) = delete;
    transport& operator=(transport const&) = delete;

    // Calls back on the io_context's thread, never from within this call. The answer may have any status. Errors:
    // as_unreachable (nothing was sent), as_unclear, as_malformed (no HTTP, or too large), bad_argument (a bearer that
    // fits no header field). The details name host and cause, never a body.
    void send(wire_request request, std::function<void(result<wire_answer>)> done);

  private:
    struct impl;
    std::shared_ptr<impl> impl_;
};

}  // namespace jitproxy::lumoauth
