// The composition root: the one place that sees every room and puts the daemon together.
#pragma once
#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "jitproxy/app/config_load.hpp"
#include "jitproxy/base/error.hpp"
#include "jitproxy/base/secret.hpp"
#include "jitproxy/control/address.hpp"
#include "jitproxy/control/api.hpp"

namespace jitproxy::app {

struct composition_options {
    std::filesystem::path state;  // CA, bundle, truststore, journal; made if missing
    std::filesystem::path
        orphans;  // holds state directories of ended `run`s, whose open tasks are taken over; may be empty
    control::address control;
    std::filesystem::path control_token_file;  // of a TCP control address; made if missing
    std::vector<int> proxy_sockets;            // listening already, in place of [listen] proxy; owned
    std::string config_file;                   // for status
    std::function<result<void>()> reload;      // POST /v1/reload
};

class composition {
  public:
    // Throws failure: configuration, storage. `io` is the control thread's.
    composition(boost::asio::io_context& io, config const& c, std::vector<agent> const& agents,
                composition_options options);
    ~composition();
    composition(composition const&) = delete;
    composition& operator=(composition const&) = delete;

    // Listens, fetches the agent's token, completes what an earlier life left open. Errors: configuration.
    [[nodiscard]] result<void> start();
    [[nodiscard]] std::vector<control::listener_info> listeners() const;
    // Rules, CA and log at once; what cannot change without a restart is named in the log. Errors: configuration,
    // storage; then nothing has changed.
    [[nodiscard]] result<void> replace(config const& c, std::vector<agent> const& agents);

    // Calls back once every thread has done something since.
    void when_alive(std::function<void()> done);
    [[nodiscard]] std::string status_line() const;  // "2 sessions, 1 request waits for a decision"
    // Ids of the tasks that are open at the authorization server, as far as is known.
    [[nodiscard]] std::vector<std::string> unconfirmed_tasks() const;

    // Stops accepting, lets requests in flight finish, completes every session. Tells whether every completion was
    // confirmed in time; what was not stays in the journal.
    void stop(std::function<void(bool confirmed)> done);

  private:
    struct impl;
    std::shared_ptr<impl> impl_;
};

}  // namespace jitproxy::app
