#include "jitproxy/proxy/tunnel.hpp"

#include "jitproxy/net/mailbox.hpp"
#include "jitproxy/net/outbox.hpp"
#include "jitproxy/proxy/worker.hpp"

namespace jitproxy::proxy {

namespace {

// One direction.
class flow {
  public:
    flow(net::endpoint& from, net::endpoint& to) : from_(from), to_(to) {}

    enum class progress : std::uint8_t { moved, waiting, over, failed };

    progress step(std::vector<char>& scratch) {
        if (over_) return progress::over;
        if (!out_.empty(to_)) {
            auto const flushed = out_.flush(to_);
            if (flushed == net::io_status::failed) return progress::failed;
            if (flushed == net::io_status::blocked) {
                to_.wait_write();
                return progress::waiting;
            }
        }
        if (ended_) {
            to_.shutdown_send();
            over_ = true;
            return progress::over;
        }
        std::string_view bytes;
        auto& buffered = from_.buffer();
        if (!buffered.empty()) {
            bytes = buffered.data();
        } else {
            auto const got = from_.try_read(scratch);
            if (got.status == net::io_status::failed) return progress::failed;
            if (got.status == net::io_status::blocked) {
                from_.wait_read();
                return progress::waiting;
            }
            if (got.status == net::io_status::eof) {
                ended_ = true;
                return progress::moved;
            }
            bytes = {scratch.data(), got.bytes};
        }
        auto const sent = out_.send(to_, {&bytes, 1});
        if (!buffered.empty()) {
            buffered.consume(bytes.size());
            buffered.release();
        }
        return sent == net::io_status::failed ? progress::failed : progress::moved;
    }
    [[nodiscard]] bool over() const noexcept { return over_; }

  private:
    net::endpoint& from_;
    net::endpoint& to_;
    net::outbox out_;
    bool ended_ = false;  // `from` has ended its side
    bool over_ = false;   // and `to` was told
};

}  // namespace

net::task<> run_tunnel(client_side client, net::endpoint& upstream) {
    flow up(client.stream, upstream);
    flow down(upstream, client.stream);
    auto& worker = client.worker;
    unsigned turns = 0;
    client.limit.expires_after(worker.options.timeouts.tunnel_idle);
    while (!(up.over() && down.over()) && !client.cut && !client.limit.expired()) {
        auto const upward = up.step(worker.scratch);
        auto const downward = down.step(worker.scratch);
        if (upward == flow::progress::failed || downward == flow::progress::failed) break;
        if (upward == flow::progress::moved || downward == flow::progress::moved) {
            client.limit.expires_after(worker.options.timeouts.tunnel_idle);
            if (++turns % net::turns_before_breath == 0) co_await net::breathe(worker.io, client.waker);
            continue;
        }
        if (up.over() && down.over()) break;
        co_await client.waker.wait();
    }
    if (!(up.over() && down.over())) {  // broken, idle for too long, or cut: that must not look like an end
        client.stream.reset();
        upstream.reset();
    }
    client.limit.never();
}

}  // namespace jitproxy::proxy
