// Permission requests that outlive the process: how they are named in the journal's terms, and taken up again.
#include "jitproxy/base/id.hpp"
#include "permissions.hpp"

namespace jitproxy::jit {

std::string entry_key(std::string_view session_id, std::string_view origin, std::string_view needs) {
    std::string key(session_id);
    key.append("\n").append(origin).append("\n").append(needs);
    return key;
}

void permission_desk::resume(std::string const& session_id, open_permission const& p) {
    auto const space = p.need.find(' ');
    if (space == std::string::npos) return;
    auto const e = std::make_shared<permission_entry>(
        core_.ports.clock, permission_timing{core_.options.poll_first, core_.options.poll_longest});
    auto details = parse_json_object(std::string_view(p.need).substr(space + 1), errc::storage);
    if (!details) return core_.report(details.error(), session_id);
    e->local_id = random_id("local").replace(5, 1, "-");
    e->session_id = session_id;
    e->origin = p.need.substr(0, space);
    e->needs = p.need.substr(space + 1);
    e->key = entry_key(session_id, e->origin, e->needs);
    e->details = std::move(*details);
    e->api = p.api;
    e->justification = p.justification;
    e->created_at = p.asked_at;
    e->journaled = true;
    entries_[e->key] = e;
    request_state known;
    known.request_id = p.request_id;
    known.status_url = p.status_url;
    known.risk_level = p.risk_level;
    known.expires_at = p.expires_at;
    feed(e, machine::resumed{known});
}

}  // namespace jitproxy::jit
