// Permission requests that outlive the process: how they are named in the journal's terms, and taken up again.
#include <algorithm>

#include "permissions.hpp"

namespace jitproxy::jit {

std::string entry_key(std::string_view session_id, std::string_view origin, std::string_view needs) {
    std::string key(session_id);
    key.append("\n").append(origin).append("\n").append(needs);
    return key;
}

// The same need at another origin is another. An origin has no space in it.
std::string journal_name(permission_entry const& e) {
    return e.origin + ' ' + e.needs;
}

void permission_desk::resume(std::string const& session_id, open_permission const& p) {
    auto const space = std::min(p.need.find(' '), p.need.size());
    auto const needs = p.need.substr(std::min(space + 1, p.need.size()));
    auto details = parse_json_object(needs, errc::storage);
    if (!details) return core_.report(details.error(), session_id);
    auto const e = make_entry(session_id, p.need.substr(0, space), needs, std::move(*details));
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
