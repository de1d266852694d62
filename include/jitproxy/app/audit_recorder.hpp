// What happens, into the audit trail and on to everyone else who listens.
#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "jitproxy/audit/trail.hpp"
#include "jitproxy/control/metrics.hpp"
#include "jitproxy/jit/ports.hpp"

namespace jitproxy::app {

// Used on the control thread.
class audit_recorder final : public jit::event_sink {
  public:
    // An empty file: there is no trail. `next` gets every event.
    audit_recorder(std::filesystem::path const& file, std::function<wall_time()> clock, jit::event_sink& next);

    void on_event(jit::event const& e) override;
    // For task_manager_options::ready: while lines cannot be written nothing is begun that belongs into the trail.
    // Tries each time, with a few system calls. Errors: storage.
    [[nodiscard]] result<void> ready();
    // As on_event, for the first line of a start. Errors: storage.
    [[nodiscard]] result<void> begin(jit::event const& e);

    // Both try as ready() does, so that they tell of now where nothing is begun.
    [[nodiscard]] json::object status();  // {"state": "off" | "written" | "failing", "file", "failures", "reason"}
    [[nodiscard]] std::vector<control::metric> metrics();

  private:
    void judge(result<void> const& written);

    std::unique_ptr<audit::trail> trail_;
    jit::event_sink& next_;
    bool failing_ = false;  // and was told
};

}  // namespace jitproxy::app
