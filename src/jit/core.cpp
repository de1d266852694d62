#include "core.hpp"

namespace jitproxy::jit {

void core::emit(std::string type, std::string session_id, json::object data) const {
    log::info(type, {{"session", session_id}, {"data", json::serialize(data)}});
    ports.events.on_event({std::move(type), std::move(session_id), std::move(data)});
}

void core::record(std::string const& session_id, journal_record what) const {
    ports.journal.write(std::move(what), while_alive(alive, [this, session_id](result<void> const& journaled) {
                            report(journaled, session_id);
                        }));
}

void core::report(result<void> const& journaled, std::string const& session_id) const {
    if (journaled.has_value()) return;
    log::error("the journal could not be written", {{"session", session_id}, {"detail", journaled.error().detail}});
    ports.events.on_event({"journal.failed", session_id, {{"detail", journaled.error().detail}}});
}

void core::revoke(agent_index agent, secret_ptr token, std::string const& session_id) const {
    ports.as.revoke(agent, std::move(token), [session_id](result<void> const& done) {
        if (done.has_error())
            log::warning("a token could not be revoked; it ends with its task or its time",
                         {{"session", session_id}, {"error", name_of(done.error().code)}});
    });
}

}  // namespace jitproxy::jit
