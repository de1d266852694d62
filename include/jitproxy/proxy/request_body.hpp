// A request's body as the exchange sees it: a stream that can begin again. What was read from the client comes from the
// replay store, what was not yet read comes from the client.
#pragma once
#include "jitproxy/proxy/body.hpp"
#include "jitproxy/proxy/replay.hpp"

namespace jitproxy::proxy {

class request_body {
  public:
    // keep: record what is read. Without it, replayable() ends with the first byte.
    request_body(http::body_framing framing, replay_limits const& limits, bool keep)
        : reader_(framing, errc::malformed_request), store_(limits), keep_(keep) {}

    [[nodiscard]] body_status next(net::endpoint& client, std::span<char> scratch, pieces& out);
    void rewind() noexcept { position_ = 0; }
    // Can it be sent from its first byte?
    [[nodiscard]] bool replayable() const noexcept { return taken_ == 0 || (keep_ && store_.intact()); }
    // The last byte was given out.
    [[nodiscard]] bool at_end() const noexcept { return reader_.complete() && position_ == taken_; }
    // The last byte was read from the client.
    [[nodiscard]] bool complete() const noexcept { return reader_.complete(); }
    [[nodiscard]] std::string_view trailers() const noexcept { return reader_.trailers(); }
    // The client has sent nothing of it that was read.
    [[nodiscard]] bool untouched() const noexcept { return taken_ == 0 && !reader_.complete(); }
    // No replay will be asked for any more.
    void stop_keeping() noexcept;

  private:
    body_reader reader_;
    replay_store store_;
    bool keep_;
    std::uint64_t position_ = 0;  // given out since the last rewind
    std::uint64_t taken_ = 0;     // read from the client
};

}  // namespace jitproxy::proxy
