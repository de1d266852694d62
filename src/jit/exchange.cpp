#include "jitproxy/jit/exchange.hpp"

#include <utility>

namespace jitproxy::jit {

namespace {

permission_outcome failed(std::string reason, int retry_after = 0) {
    permission_outcome why;
    why.status = permission_status::error;
    why.reason = std::move(reason);
    why.retry_after = retry_after;
    return why;
}

// What a client gets that cannot be served again in this exchange, although its next attempt would succeed.
permission_outcome granted_for_next_time(permission_outcome const& granted) {
    permission_outcome why;
    why.status = permission_status::pending;
    why.request_id = granted.request_id;
    why.reason = "permission was granted, but the request body is too large to be sent again: send the request again";
    why.retry_after = 1;
    return why;
}

}  // namespace

exchange_action exchange::resume(exchange_event const& event) {
    return std::visit([this](auto const& e) { return on(e); }, event);
}

exchange_action exchange::on(request_ready const& e) {
    if (state_ != state::idle) return illegal("request_ready");
    if (e.protected_api && !e.session) return illegal("request_ready without a session for a protected API");
    safe_to_repeat_ = e.safe_to_repeat;
    if (!e.protected_api) return send(nullptr);
    protected_ = true;
    keep_authorization_ = e.keep_authorization;
    session_ = e.session;
    if (!session_->accepts()) return answer(closed());
    // The agent's own Authorization wins for the first attempt, even where a grant is at hand. Where the API does not
    // find it enough, permission is sought as ever, and the next attempt carries the scoped token: that is what the
    // API asked for.
    if (keep_authorization_) return send_own();
    if (e.grant != nullptr && e.grant->token) return send_with_grant(e.grant->token, e.grant->grant_id, e.grant->used);
    if (!session_->bearer) {  // taken up again after a restart: its first bearer is on the way
        bearer_renewed_ = true;
        state_ = state::refreshing;
        return refresh_bearer{session_->bearer_generation, {}};
    }
    return send_own();
}

exchange_action exchange::on(response_started const& e) {
    if (state_ != state::sent) return illegal("response_started");
    // What is none of our business passes unchanged, whatever it looks like.
    if (!protected_) return relay();
    replayable_ = e.replayable;
    switch (e.signal) {
        case signal_kind::none:
            return relay();
        case signal_kind::malformed:
            return relay(failed("the API's answer names a missing permission in a form that cannot be understood"));
        case signal_kind::permission:
            return permission_wanted(e);
        case signal_kind::dead_token:
            return token_refused(e);
    }
    return illegal("response_started with an unknown signal");
}

exchange_action exchange::permission_wanted(response_started const& e) {
    if (fresh_grant_ && e.needs == granted_needs_)
        return relay(failed("the API did not accept the token that was granted for exactly what it named"));
    if (permissions_ >= max_permissions_)
        return relay(failed("the API asked for yet another permission after " + std::to_string(permissions_) +
                            " had been granted for this request"));
    // A request that cannot be sent again still has its permission asked for: the client's next attempt finds it.
    needs_ = e.needs;
    state_ = state::asking;
    return ask_permission{fresh_grant_ ? std::string{} : grant_in_use_};
}

exchange_action exchange::token_refused(response_started const& e) {
    if (!grant_in_use_.empty()) {
        if (grant_dropped_) return relay();
        grant_dropped_ = true;
        state_ = state::refreshing;
        return refresh_bearer{session_->bearer_generation, grant_in_use_};
    }
    // The agent's own Authorization is the agent's to renew, and a bearer that is refused when fresh stays refused.
    if (!bearer_ || bearer_renewed_) return relay();
    bearer_renewed_ = true;
    state_ = state::refreshing;
    replayable_ = e.replayable;
    return refresh_bearer{session_->bearer_generation, {}};
}

exchange_action exchange::on(permission_decided const& e) {
    if (state_ != state::asking) return illegal("permission_decided");
    permission_outcome const& outcome = e.outcome;
    if (outcome.instead) return answer(error{*outcome.instead, outcome.reason, outcome.retry_after});
    if (outcome.status != permission_status::granted) return relay(outcome);
    if (!outcome.token) return illegal("permission_decided: granted without a token");
    if (!replayable_) return relay(granted_for_next_time(outcome));
    ++permissions_;
    fresh_grant_ = !outcome.cached;
    granted_needs_ = std::move(needs_);
    return send_with_grant(outcome.token, outcome.grant_id, outcome.used);
}

exchange_action exchange::on(bearer_refreshed const& e) {
    if (state_ != state::refreshing) return illegal("bearer_refreshed");
    // The agent has no token of its own: the API's 401 would blame it for what only the proxy can mend.
    if (e.session.has_error()) return answer(e.session.error());
    if (!*e.session) return illegal("bearer_refreshed without a session");
    session_ = *e.session;
    grant_in_use_.clear();
    used_.reset();
    fresh_grant_ = false;
    if (!session_->accepts()) return answer(closed());
    if (!replayable_)
        return relay(
            failed("the API refused a token that had died, and the request body is too large to be sent again "
                   "with the new one: send the request again",
                   1));
    return send_own();
}

exchange_action exchange::on(upstream_failed const& e) {
    // RFC 9112 9.6: an answer that was cut must be seen to be cut.
    if (state_ == state::relaying) {
        state_ = state::done;
        return abandon{};
    }
    if (state_ != state::sent) return illegal("upstream_failed");
    // RFC 9110 9.2.2 and 9112 9.3.1: an idle connection may have been closed by the origin while the request was on its
    // way. Only what may be repeated is, since nobody can prove that the origin did not act on it.
    if (e.reused_connection && e.nothing_received && e.replayable && safe_to_repeat_ && !connection_renewed_) {
        connection_renewed_ = true;
        return send_request{bearer_, true, grant_in_use_, used_};
    }
    return answer(e.what);
}

exchange_action exchange::on(client_left const&) {
    if (state_ == state::done) return illegal("client_left");
    state_ = state::done;
    return abandon{};
}

exchange_action exchange::on(response_finished const&) {
    if (state_ != state::relaying) return illegal("response_finished");
    state_ = state::done;
    return finish{};
}

exchange_action exchange::send_own() {
    if (keep_authorization_) return send(nullptr);
    if (!session_->bearer)
        return answer(make_error(errc::as_unreachable, "there is no agent token for this session yet"));
    return send(session_->bearer);
}

exchange_action exchange::send_with_grant(secret_ptr token, std::string grant_id,
                                          std::shared_ptr<std::atomic<bool>> used) {
    grant_in_use_ = std::move(grant_id);
    used_ = std::move(used);
    return send(std::move(token));
}

exchange_action exchange::send(secret_ptr bearer) {
    state_ = state::sent;
    bearer_ = std::move(bearer);
    connection_renewed_ = false;
    return send_request{bearer_, false, grant_in_use_, used_};
}

exchange_action exchange::relay() {
    state_ = state::relaying;
    return relay_response{};
}

exchange_action exchange::relay(permission_outcome why) {
    state_ = state::relaying;
    return relay_response{true, std::move(why)};
}

// The client knew a session that was open a moment ago: another word than for one that is not known.
error exchange::closed() const {
    if (!session_->suspended.empty()) return session_->refusal();
    return make_error(errc::shutting_down, "the session is closed or closing");
}

exchange_action exchange::answer(error what) {
    state_ = state::relaying;
    return answer_locally{std::move(what)};
}

exchange_action exchange::illegal(char const* event) const {
    static constexpr char const* names[] = {"idle", "sent", "asking", "refreshing", "relaying", "done"};
    return broken{std::string(event) + " in state " + names[static_cast<std::size_t>(state_)]};
}

}  // namespace jitproxy::jit
