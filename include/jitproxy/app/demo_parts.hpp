// What the demonstration is made of: the emulator's process, the agent, and what they are watched with.
#pragma once
#include <sys/types.h>

#include <deque>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "jitproxy/base/clock.hpp"
#include "jitproxy/base/error.hpp"
#include "jitproxy/base/json.hpp"
#include "jitproxy/control/address.hpp"

namespace jitproxy::app {

// The agent's whole code, a shell script; $1 is the API's base URL.
[[nodiscard]] std::string_view demo_agent_script() noexcept;

// A process of ours with its standard output on a pipe; killed when this goes, and by the kernel should we be killed.
class piped_process {
  public:
    piped_process() = default;
    piped_process(piped_process const&) = delete;
    piped_process& operator=(piped_process const&) = delete;
    ~piped_process();
    [[nodiscard]] result<void> start(std::vector<std::string> const& argv, std::vector<std::string> const& variables);
    // The next whole line, if it comes within `timeout`; nullopt: none yet, or the end.
    [[nodiscard]] std::optional<std::string> line(milliseconds timeout);
    [[nodiscard]] bool ended() const noexcept { return ended_; }
    int stop();  // SIGTERM, and its exit code

  private:
    pid_t pid_ = -1;
    int out_ = -1;
    bool ended_ = false;
    std::string buffer_;
};

struct emulator_urls {
    std::string authorization_server;
    std::string api_port;
    std::string ca_file;
};
// Starts it and waits until it listens. Errors: internal.
[[nodiscard]] result<emulator_urls> start_emulator(piped_process& process, std::filesystem::path const& binary,
                                                   std::filesystem::path const& directory, std::string const& api_name,
                                                   std::string const& client_secret, std::string const& user_token);
// GET /emulator/state.
[[nodiscard]] result<json::object> emulator_state(std::string const& authorization_server);

// Events from another thread, for this one.
class event_queue {
  public:
    void push(std::string name, json::object data) {
        std::lock_guard const lock(mutex_);
        events_.emplace_back(std::move(name), std::move(data));
    }
    [[nodiscard]] std::optional<std::pair<std::string, json::object>> pop() {
        std::lock_guard const lock(mutex_);
        if (events_.empty()) return std::nullopt;
        auto out = std::move(events_.front());
        events_.pop_front();
        return out;
    }

  private:
    std::mutex mutex_;
    std::deque<std::pair<std::string, json::object>> events_;
};

}  // namespace jitproxy::app
