#include "jitproxy/app/audit_recorder.hpp"

#include <algorithm>
#include <array>

#include "jitproxy/base/log.hpp"

namespace jitproxy::app {
namespace {

// What is decided, and by whom. The state of the authorization server, of the journal and of the trail itself is not.
bool is_decision(std::string_view type) {
    static constexpr std::array<std::string_view, 8> kinds{"client.",  "daemon.",  "decision.", "grant.",
                                                           "request.", "session.", "task.",     "token."};
    return std::any_of(kinds.begin(), kinds.end(), [&](auto kind) { return type.starts_with(kind); });
}

audit::entry entry_of(jit::event const& e) {
    return {e.type, e.session_id, jit::to_json(e.who), e.data};
}

}  // namespace

audit_recorder::audit_recorder(std::filesystem::path const& file, std::function<wall_time()> clock,
                               jit::event_sink& next)
    : trail_(file.empty() ? nullptr : std::make_unique<audit::trail>(file, std::move(clock))), next_(next) {}

void audit_recorder::on_event(jit::event const& e) {
    if (trail_ && is_decision(e.type)) judge(trail_->append(entry_of(e)));
    next_.on_event(e);
}

result<void> audit_recorder::ready() {
    if (!trail_) return {};
    auto done = trail_->ready();
    judge(done);
    return done;
}

result<void> audit_recorder::begin(jit::event const& e) {
    if (trail_)
        if (auto written = trail_->append(entry_of(e)); !written) return written;
    next_.on_event(e);
    return {};
}

// Once a trouble, not once a line.
void audit_recorder::judge(result<void> const& written) {
    if (failing_ == !written) return;
    failing_ = !written;
    if (!failing_) {
        log::warning("the audit trail is written again", {{"file", trail_->file().string()}});
        return next_.on_event({"audit.written_again", {}, {{"file", trail_->file().string()}}, {}});
    }
    log::error("the audit trail cannot be written: no session is opened and no permission asked for until it can be",
               {{"file", trail_->file().string()}, {"reason", written.error().detail}});
    next_.on_event({"audit.failed", {}, {{"reason", written.error().detail}}, {}});
}

json::object audit_recorder::status() {
    if (!trail_) return {{"state", "off"}};
    auto const tried = ready();
    json::object out{
        {"state", tried ? "written" : "failing"}, {"file", trail_->file().string()}, {"failures", trail_->failures()}};
    if (!tried) out["reason"] = tried.error().detail;
    return out;
}

std::vector<control::metric> audit_recorder::metrics() {
    bool const good = !ready().has_error();
    return {{"jitproxy_audit_failing",
             "1 while the audit trail cannot be written: nothing is begun that belongs into it",
             control::metric_kind::gauge,
             good ? 0U : 1U,
             {}},
            {"jitproxy_audit_failures_total",
             "Decisions that could not be written to the audit trail",
             control::metric_kind::counter,
             trail_ ? trail_->failures() : 0,
             {}}};
}

}  // namespace jitproxy::app
