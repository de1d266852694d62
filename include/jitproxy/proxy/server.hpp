// The data path as a whole: worker threads, listeners, connections. What the composition root makes and everything else
// in this room serves.
#pragma once
#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "jitproxy/ca/authority.hpp"
#include "jitproxy/http/head.hpp"
#include "jitproxy/jit/task_manager.hpp"
#include "jitproxy/net/resolver.hpp"
#include "jitproxy/policy/rules.hpp"
#include "jitproxy/proxy/counters.hpp"
#include "jitproxy/proxy/request_record.hpp"

namespace jitproxy::proxy {

struct timeouts {  // each is the longest that one step may take without progress
    milliseconds client_head{30'000};
    milliseconds client_idle{300'000};  // between requests on a kept connection
    milliseconds body_idle{60'000};     // either body, no byte moved
    milliseconds connect{10'000};       // one address
    milliseconds tls_handshake{10'000};
    milliseconds upstream_head{60'000};
    milliseconds continue_wait{1'000};  // for the origin's 100 (Continue), before the client is told to go on
    milliseconds tunnel_idle{600'000};
    milliseconds pool_idle{60'000};
    milliseconds linger{2'000};  // for the client's end, after ours (with TLS: its close_notify)
    milliseconds drain{10'000};  // requests in flight at shutdown, or when their session is closed
};
struct limits {
    http::head_limits head;
    std::size_t connections = 10'000;                 // of clients, over all workers
    std::size_t session_connections = 10'000;         // of them in one session; clients without credentials are one
    std::size_t replay_memory = 256 * 1024;           // of a request body, in memory
    std::uint64_t replay_file = 64ULL * 1024 * 1024;  // and in an unlinked temporary file beyond that
    std::size_t held_body = 64 * 1024;                // of an API's 403 while permission is sought
    std::size_t pool_per_origin = 64;                 // idle upstream connections a worker keeps for one origin
};
struct server_options {
    std::vector<boost::asio::ip::tcp::endpoint> listen;  // port 0: any
    std::vector<int> passed;                             // sockets that listen already, in place of `listen`; owned
    unsigned workers = 1;
    proxy::timeouts timeouts;
    proxy::limits limits;
    request_log logged = request_log::all;  // which requests get a line in the log
    bool session_required = false;          // [session] default = "required"
    // Local users that may connect, judged by whose the client's socket is; empty: whoever can reach the listener.
    std::vector<uid_t> allow_users;
    // Clients that were refused for that: why the latest was, and how many since the last call. On a worker's thread,
    // once a second of each at most.
    std::function<void(error const& why, std::uint64_t clients)> on_user_denied;
    net::resolver_options resolver;
    std::string temporary_directory;     // for replay files; empty: the system's
    std::function<steady_time()> clock;  // what deadlines are counted by; empty: the steady clock; tests
};

// Made and used on the control thread. Workers have threads of their own; the task manager is only ever called on the
// control thread's io_context.
class server final : public jit::snapshot_sink {
  public:
    server(boost::asio::io_context& control, server_options options, policy::rules_ptr rules,
           std::shared_ptr<ca::authority const> authority);
    ~server() override;
    server(server const&) = delete;
    server& operator=(server const&) = delete;

    // The task manager takes this server as its snapshot sink, so it is made after it and handed in here, before
    // start().
    void attach(jit::task_manager& manager);
    [[nodiscard]] result<void> start();  // errors: configuration (address cannot be listened on)
    [[nodiscard]] std::vector<boost::asio::ip::tcp::endpoint> listeners() const;  // with the real ports

    // New configuration for requests that begin from now on. Connections and sessions stay.
    // Errors: configuration (a ca_file or client certificate); then the old one stays.
    [[nodiscard]] result<void> replace_rules(policy::rules_ptr rules, std::shared_ptr<ca::authority const> authority);

    // Of requests that end from now on.
    void set_request_log(request_log which);
    // For heads, bodies and connections that begin from now on; a body that is being kept for replay may grow to the
    // new size. Connections beyond a lower limit stay.
    void replace_limits(proxy::limits const& l);

    // Calls back on the control thread once every worker has come round.
    void when_alive(std::function<void()> done);

    void stop_accepting();
    // Stops accepting, lets requests in flight finish within timeouts.drain, cuts the rest; calls back on the control
    // thread.
    void drain(std::function<void()> done);
    [[nodiscard]] proxy::counters counters() const;

    void publish(jit::snapshot_ptr session) override;
    void drain(std::string const& session_id, std::function<void()> done) override;
    void withdraw(std::string const& session_id) override;

  private:
    struct impl;
    std::shared_ptr<impl> impl_;
};

}  // namespace jitproxy::proxy
