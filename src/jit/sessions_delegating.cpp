// RFC 8693: a session that acts for a user has tokens of its own, made of the user's and its agent's.
#include <algorithm>

#include "sessions.hpp"

namespace jitproxy::jit {

std::shared_ptr<token_keeper> session_table::delegated_keeper(session_ptr const& s) {
    auto const own = std::make_shared<token_keeper*>(nullptr);
    auto keeper = std::make_shared<token_keeper>(
        core_.ports.clock, core_.options.expiry_margin,
        [this, weak = std::weak_ptr(s)](callback<access_token> const& done) {
            if (auto const alive = weak.lock()) fetch_delegated(alive, done);
        },
        [this, own] {
            if (*own != nullptr) bearer_changed(**own);
        },
        core_.options.jitter);
    *own = keeper.get();
    return keeper;
}

void session_table::fetch_delegated(session_ptr const& s, callback<access_token> const& done) {
    auto const agent = s->agent;
    auto const made = [this, weak = std::weak_ptr(s), agent, done](result<access_token> const& answer) {
        if (answer.has_value() && answer->value) {
            auto const alive = weak.lock();
            if (!alive) return core_.revoke(agent, answer->value, {});  // it comes too late
            std::erase_if(alive->delegated, [&](auto const& each) { return each.second <= core_.now(); });
            alive->delegated.emplace_back(answer->value, core_.now() + life_of(*answer));
        }
        done(answer);
    };
    core_.agents.keeper(agent)->get(
        while_alive(core_.alive, [this, agent, user = s->order.user_token, made, done](result<bearer> const& b) {
            if (b.has_error()) return done(b.error());
            core_.ports.as.exchange_for_user(agent, user, b->token, while_alive(core_.alive, made));
        }));
}

// They were made for this session alone, and completing the task does not end them. One that was replaced may still
// live.
void session_table::revoke_delegated(session_record& s) {
    for (auto const& [token, ends] : std::exchange(s.delegated, {}))
        if (core_.now() < ends) core_.revoke(s.agent, token, s.info.session_id);
}

}  // namespace jitproxy::jit
