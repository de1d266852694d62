// The control API without sockets: a request in, an answer out. Used on the control thread only.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "jitproxy/control/event_hub.hpp"
#include "jitproxy/control/metrics.hpp"
#include "jitproxy/jit/task_manager.hpp"

namespace jitproxy::control {

struct listener_info {
    std::string kind;     // "proxy" or "control"
    std::string address;  // "127.0.0.1:8080", "unix:/run/…"
};

// What only the composition root knows.
struct daemon_view {
    // How a client reaches the proxy: proxy_url, ca_file, ca_bundle, env. With a session its credentials are in the
    // URL; null: without credentials.
    std::function<json::object(jit::session_snapshot const*)> access;
    std::function<std::vector<listener_info>()> listeners;
    std::function<std::vector<metric>()> metrics;  // of the data path and the AS
    std::function<json::object()> counters;        // of the data path, for status
    std::function<result<void>()> reload;          // as SIGHUP
    std::string version;
    std::string config_file;
    bool session_required = false;
};

struct request {
    std::string method;
    std::string target;  // origin form
    std::string body;    // wiped after use: it may hold a user's token
};
struct response {
    unsigned status = 200;
    std::string content_type = "application/json";
    std::string body;
    std::vector<std::pair<std::string, std::string>> fields;  // beyond the content's

    bool event_stream = false;     // the server goes on with the hub's events, behind the body
    std::string opened_session;    // to be closed if this answer cannot be delivered
    std::string attached_session;  // to be closed when the connection ends
};

class api {
  public:
    static constexpr seconds default_close_wait{30};
    static constexpr seconds longest_close_wait{600};
    static constexpr std::size_t longest_list = 1000;  // items of a list; the newest

    api(jit::task_manager& manager, scheduler& clock, event_hub& events, daemon_view view);
    ~api();
    api(api const&) = delete;
    api& operator=(api const&) = delete;

    // Answers exactly once, at once or later.
    void handle(request r, std::function<void(response)> const& respond);
    // The connection that a session was attached to, or that its answer was meant for, is gone.
    void abandon(std::string const& session_id);

    struct impl;

  private:
    std::shared_ptr<impl> impl_;
};

}  // namespace jitproxy::control
