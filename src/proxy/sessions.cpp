#include "jitproxy/proxy/sessions.hpp"

#include "jitproxy/http/forward.hpp"

namespace jitproxy::proxy {

void session_table::publish(jit::snapshot_ptr session) {
    if (session->automatic) automatic_ = session->session_id;
    sessions_[session->session_id] = std::move(session);
}

void session_table::withdraw(std::string_view session_id) {
    auto const found = sessions_.find(session_id);
    if (found != sessions_.end()) sessions_.erase(found);
    if (automatic_ == session_id) automatic_.clear();
}

jit::snapshot_ptr session_table::find(std::string_view session_id) const {
    auto const found = sessions_.find(session_id);
    return found == sessions_.end() ? nullptr : found->second;
}

jit::snapshot_ptr session_table::automatic() const {
    auto found = find(automatic_);
    return found && found->accepts() ? found : nullptr;
}

result<std::string> session_table::authenticate(http::request_head const& head, bool required) const {
    auto const credentials = http::proxy_credentials(head);
    if (!credentials) {
        if (head.find(http::field_id::proxy_authorization) != nullptr)
            return make_error(errc::session_unknown,
                              "Proxy-Authorization must be Basic, with a session's id and secret");
        if (required)
            return make_error(
                errc::session_required,
                "this proxy serves only sessions: open one with `jitproxy session open` and use its proxy URL");
        return std::string();
    }
    auto const session = find(credentials->user);
    bool const known = session && session->has_secret(credentials->password);
    // Whoever has its secret is told that it is suspended; another session would not help.
    if (known && !session->suspended.empty()) return session->refusal();
    if (!known || !session->accepts())
        return make_error(errc::session_unknown,
                          "no open session has these proxy credentials; it may have been closed");
    return credentials->user;
}

}  // namespace jitproxy::proxy
