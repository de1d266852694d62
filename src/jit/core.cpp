#include "core.hpp"

namespace jitproxy::jit {

void core::emit(std::string type, std::string session_id, json::object data, actor who) {
    later.deliver();
    event const e{std::move(type), std::move(session_id), std::move(data), std::move(who)};
    ports.events.on_event(e);  // what the log tells is in the audit trail by then
    log::info(e.type, {{"session", e.session_id}, {"data", json::serialize(e.data)}});
}

void core::record(std::string const& session_id, journal_record what) {
    later.deliver();
    ports.journal.write(std::move(what), while_alive(alive, [this, session_id](result<void> const& journaled) {
                            report(journaled, session_id);
                        }));
}

void core::report(result<void> const& journaled, std::string const& session_id) const {
    if (journaled.has_value()) return;
    log::error("the journal could not be written", {{"session", session_id}, {"detail", journaled.error().detail}});
    ports.events.on_event({"journal.failed", session_id, {{"detail", journaled.error().detail}}, {}});
}

void core::revoke(agent_index agent, secret_ptr token, std::string const& session_id, std::string const& grant_id) {
    auto const told = [this, session_id, grant_id](result<void> const& done) {
        json::object data;
        if (!grant_id.empty()) data["grant_id"] = grant_id;
        if (done.has_value()) return emit("token.revoked", session_id, std::move(data));
        log::warning("a token could not be revoked; it ends with its task or its time",
                     {{"session", session_id}, {"error", name_of(done.error().code)}});
        data["error"] = name_of(done.error().code);
        emit("token.not_revoked", session_id, std::move(data));
    };
    ports.as.revoke(agent, std::move(token), while_alive(alive, told));
}

}  // namespace jitproxy::jit
