// What the sources of the control API share.
#pragma once
#include <map>
#include <memory>
#include <string>

#include "jitproxy/control/api.hpp"
#include "jitproxy/control/query.hpp"

namespace jitproxy::control {

struct api::impl : std::enable_shared_from_this<impl> {
    using responder = std::function<void(response)>;

    jit::task_manager& manager;
    scheduler& clock;
    event_hub& events;
    daemon_view view;
    steady_time started;
    // Snapshots of sessions opened here: what `env --session` needs again. They hold the proxy secret, no bearer is
    // read from them.
    std::map<std::string, jit::snapshot_ptr> opened;

    impl(jit::task_manager& m, scheduler& c, event_hub& e, daemon_view v)
        : manager(m), clock(c), events(e), view(std::move(v)), started(c.now()) {}

    void route(request& r, responder const& respond);
    void sessions(request& r, parsed_target const& target, responder const& respond);
    void requests(request& r, parsed_target const& target, responder const& respond);
    void open_session(request& r, parsed_target const& target, responder const& respond);
    void close_session(std::string const& id, seconds wait, jit::actor const& who, responder const& respond);
    void decide(request& r, std::string const& id, bool approve, responder const& respond);
    [[nodiscard]] json::object status() const;
    [[nodiscard]] std::string metrics() const;
    void forget_closed();
};

}  // namespace jitproxy::control
