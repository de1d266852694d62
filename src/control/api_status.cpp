// What the daemon is doing: GET /v1/status and /metrics.
#include <unistd.h>

#include "api_impl.hpp"
#include "jitproxy/control/documents.hpp"

namespace jitproxy::control {

json::object api::impl::status() const {
    json::array listeners;
    for (auto const& l : view.listeners()) listeners.push_back(json::object{{"kind", l.kind}, {"address", l.address}});
    std::size_t open = 0;
    for (auto const& s : manager.sessions()) open += s.status == jit::session_status::open ? 1 : 0;
    std::size_t pending = 0;
    for (auto const& info : manager.requests()) pending += info.status == "pending" ? 1 : 0;
    auto const recovered = manager.recovered();
    json::array uncertain;
    for (auto const& t : recovered.uncertain)
        uncertain.push_back(json::object{{"session_id", t.session_id}, {"opened_at", format_rfc3339(t.opened_at)}});
    auto const agents = manager.agent_tokens();
    json::array agent_tokens;
    for (auto const& t : agents) agent_tokens.push_back(agent_token_document(t));
    auto const uptime = std::chrono::duration_cast<seconds>(clock.now() - started);
    return {
        {"version", view.version},
        {"pid", static_cast<std::int64_t>(getpid())},
        {"uptime_seconds", uptime.count()},
        {"started_at", format_rfc3339(clock.wall_now() - uptime)},
        {"config_file", view.config_file},
        {"listeners", listeners},
        {"session_default", view.session_required ? "required" : "auto"},
        {"sessions", open},
        {"pending_requests", pending},
        {"live_grants", manager.live_grants()},
        {"recovering_tasks", recovered.waiting.size()},
        {"uncertain_tasks", uncertain},
        {"agent_token", agent_token_document(agents.front())},
        {"agent_tokens", agent_tokens},
        {"counters", view.counters()},
    };
}

std::string api::impl::metrics() const {
    std::map<std::string, std::uint64_t> sessions{{"open", 0}, {"closing", 0}};
    for (auto const& s : manager.sessions()) ++sessions[std::string(jit::to_string(s.status))];
    std::uint64_t pending = 0;
    for (auto const& info : manager.requests()) pending += info.status == "pending" ? 1 : 0;
    std::vector<metric> all{
        {"jitproxy_build_info", "The version that runs", metric_kind::gauge, 1, {{"version", view.version}}}};
    for (auto const& [status, n] : sessions)
        all.push_back({"jitproxy_sessions", "Sessions by status", metric_kind::gauge, n, {{"status", status}}});
    all.push_back({"jitproxy_pending_requests", "Permission requests that wait", metric_kind::gauge, pending, {}});
    all.push_back({"jitproxy_live_grants", "Scoped tokens at hand", metric_kind::gauge, manager.live_grants(), {}});
    for (auto const& t : manager.agent_tokens())
        all.push_back({"jitproxy_agent_token_live",
                       "1 while the agent's token is at hand",
                       metric_kind::gauge,
                       t.state == "live" ? 1U : 0U,
                       {{"agent", t.agent}}});
    auto const recovered = manager.recovered();
    all.push_back({"jitproxy_recovering_tasks",
                   "Tasks of earlier lives that are not confirmed to be complete yet",
                   metric_kind::gauge,
                   recovered.waiting.size(),
                   {}});
    for (auto const& [how, n] : recovered.results)
        all.push_back({"jitproxy_recovered_tasks_total",
                       "Tasks that were left open, by what became of them",
                       metric_kind::counter,
                       n,
                       {{"result", how}}});
    all.push_back({"jitproxy_event_listeners", "Open event streams", metric_kind::gauge, events.listeners(), {}});
    for (auto const& [type, n] : events.counts())
        all.push_back({"jitproxy_events_total", "What happened, by type", metric_kind::counter, n, {{"type", type}}});
    for (auto& m : view.metrics()) all.push_back(std::move(m));
    return render_metrics(all);
}

}  // namespace jitproxy::control
