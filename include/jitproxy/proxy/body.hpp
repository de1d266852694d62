// Bodies in motion: reading one off a connection as its framing says, writing it with another framing.
#pragma once
#include <array>
#include <boost/container/static_vector.hpp>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "jitproxy/http/framing.hpp"
#include "jitproxy/net/endpoint.hpp"

namespace jitproxy::proxy {

// Views into a worker's scratch memory (or a buffer that outlives their use): gone with the next read on that worker.
using pieces = boost::container::static_vector<std::string_view, 48>;

enum class body_status : std::uint8_t {
    data,     // pieces were added
    blocked,  // wait for the connection
    end,      // nothing more comes
    cut,      // the connection ended within the body
    bad,      // its framing is broken
};

class body_reader {
  public:
    body_reader() = default;
    body_reader(http::body_framing framing, errc on_error);
    // Once it was `cut` or `bad` it stays so: what comes behind is never read as if nothing had happened.
    [[nodiscard]] body_status read(net::endpoint& from, std::span<char> scratch, pieces& out);
    [[nodiscard]] bool broken() const noexcept { return broken_; }
    // Everything was read; the next byte on the connection belongs to another message.
    [[nodiscard]] bool complete() const noexcept { return complete_; }
    // As received; once complete.
    [[nodiscard]] std::string_view trailers() const noexcept { return decoder_.trailers(); }

  private:
    [[nodiscard]] body_status read_more(net::endpoint& from, std::span<char> scratch, pieces& out);
    [[nodiscard]] body_status decode(net::endpoint& from, std::string_view raw, bool from_buffer, pieces& out);
    http::body_framing framing_;
    http::chunk_decoder decoder_;
    std::uint64_t left_ = 0;
    bool complete_ = true;
    bool broken_ = false;
    body_status why_broken_ = body_status::cut;
};

// Frames pieces for the next hop. Adds at most three pieces; views into this object.
class body_writer {
  public:
    explicit body_writer(http::body_kind kind = http::body_kind::none) : kind_(kind) {}
    // `body` in, framed `out`; `last`: the body ends with these, and with the received `trailers`.
    void frame(pieces const& body, bool last, std::string_view trailers, pieces& out);

  private:
    http::body_kind kind_;
    bool ended_ = false;
    std::string end_;  // last chunk and trailers, where there are any
    std::array<char, 20> size_line_{};
};

}  // namespace jitproxy::proxy
