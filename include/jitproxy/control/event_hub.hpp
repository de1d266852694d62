// What happens, to everyone who listens at GET /v1/events. Used on the control thread only.
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "jitproxy/jit/ports.hpp"

namespace jitproxy::control {

// As text of a server-sent event stream.
[[nodiscard]] std::string event_text(jit::event const& e);

class event_hub final : public jit::event_sink {
  public:
    static constexpr std::size_t queue_limit = 256;  // events that a slow listener may lag behind

    // One listener. Events wait here as text of a server-sent event stream; when too many wait, the oldest are dropped
    // and the listener is told how many it missed.
    class subscription {
      public:
        // The next piece of the stream; empty: nothing waits.
        [[nodiscard]] std::string next();
        [[nodiscard]] bool ended() const noexcept { return ended_; }

      private:
        friend class event_hub;
        std::function<void()> wake_;
        std::deque<std::shared_ptr<std::string const>> queue_;
        std::uint64_t missed_ = 0;
        bool ended_ = false;
    };

    // `wake` is called when something waits, never from within next(). The subscription ends when it is dropped.
    [[nodiscard]] std::shared_ptr<subscription> subscribe(std::function<void()> wake);
    void on_event(jit::event const& e) override;
    void end();  // wakes every listener to find its stream ended

    [[nodiscard]] std::map<std::string, std::uint64_t> const& counts() const noexcept { return counts_; }
    [[nodiscard]] std::size_t listeners() const;

  private:
    std::vector<std::weak_ptr<subscription>> subscriptions_;
    std::map<std::string, std::uint64_t> counts_;  // by type
    std::uint64_t last_id_ = 0;
};

}  // namespace jitproxy::control
