#include "jitproxy/control/documents.hpp"

namespace jitproxy::control {

json::value time_value(std::optional<wall_time> const& t) {
    if (!t) return nullptr;
    return json::value(format_rfc3339(*t));
}

json::object session_document(jit::session_info const& s) {
    return {
        {"session_id", s.session_id},
        {"task_id", s.task_id},
        {"name", s.name},
        {"agent", s.agent},
        {"status", jit::to_string(s.status)},
        {"automatic", s.automatic},
        {"opened_at", format_rfc3339(s.opened_at)},
        {"expires_at", time_value(s.expires_at)},
        {"completed_at", time_value(s.completed_at)},
        {"live_grants", s.live_grants},
        {"pending_requests", s.pending_requests},
    };
}

json::object closed_document(jit::session_info const& s) {
    bool const completed = s.status == jit::session_status::completed;
    return {
        {"session_id", s.session_id},
        {"task_id", s.task_id},
        {"status", completed ? "completed" : "closing"},
        {"completed_at", time_value(s.completed_at)},
    };
}

json::object request_document(jit::request_info const& r) {
    return {
        {"request_id", r.request_id},
        {"local_id", r.local_id},
        {"session_id", r.session_id},
        {"api", r.api},
        {"status", r.status},
        {"risk_level", r.risk_level},
        {"authorization_details", r.authorization_details},
        {"justification", r.justification},
        {"reason", r.reason},
        {"created_at", format_rfc3339(r.created_at)},
        {"expires_at", time_value(r.expires_at)},
    };
}

json::object agent_token_document(jit::agent_token_info const& t) {
    return {
        {"agent", t.agent},
        {"state", t.state},
        {"expires_at", time_value(t.expires_at)},
        {"last_error", t.last_error},
    };
}

}  // namespace jitproxy::control
