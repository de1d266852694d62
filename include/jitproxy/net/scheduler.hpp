// The process's own clock and timers: the scheduler port over an io_context.
#pragma once
#include <boost/asio/io_context.hpp>
#include <memory>

#include "jitproxy/base/clock.hpp"

namespace jitproxy::net {

// Used on the thread that runs `io`. Callbacks that are still due when it is destroyed are dropped, and so are those
// of a cancelled timer even where it has expired already.
class asio_scheduler final : public jitproxy::scheduler {
  public:
    explicit asio_scheduler(boost::asio::io_context& io);
    ~asio_scheduler() override;
    asio_scheduler(asio_scheduler const&) = delete;
    asio_scheduler& operator=(asio_scheduler const&) = delete;

    [[nodiscard]] steady_time now() const override;
    [[nodiscard]] wall_time wall_now() const override;
    timer_id call_after(milliseconds delay, std::function<void()> callback) override;
    void cancel(timer_id id) override;

  private:
    struct impl;
    std::shared_ptr<impl> impl_;
};

}  // namespace jitproxy::net
