#include "agents.hpp"

#include <algorithm>
#include <utility>

#include "jitproxy/base/log.hpp"

namespace jitproxy::jit {

agent_table::agent_table(manager_ports ports, task_manager_options const& options,
                         std::function<void(token_keeper const&)> changed)
    : identities_(options.agents), keepers_(identities_.size()) {
    for (agent_index i = 0; i != identities_.size(); ++i) {
        auto fetch = [&as = ports.as, i, name = identities_[i].name](callback<access_token> done) {
            as.fetch_agent_token(i, [name, done = std::move(done)](result<access_token> answer) {
                if (answer.has_error())
                    log::warning(
                        "the agent token could not be fetched",
                        {{"agent", name}, {"error", name_of(answer.error().code)}, {"detail", answer.error().detail}});
                done(std::move(answer));
            });
        };
        keepers_[i] = std::make_shared<token_keeper>(
            ports.clock, options.expiry_margin, std::move(fetch), [this, i, changed] { changed(*keepers_[i]); },
            options.jitter);
    }
}

void agent_table::fetch_all() {
    for (auto const& k : keepers_) k->get([](result<bearer> const&) {});
}

void agent_table::credentials_changed() {
    for (auto const& k : keepers_) k->mended();
}

result<agent_index> agent_table::named(std::string_view name) const {
    if (name.empty()) return agent_index{0};
    auto const it = std::find_if(identities_.begin(), identities_.end(), [&](auto const& a) { return a.name == name; });
    if (it != identities_.end()) return static_cast<agent_index>(it - identities_.begin());
    std::string all;
    for (auto const& a : identities_) all += (all.empty() ? "\"" : ", \"") + a.name + "\"";
    return make_error(errc::bad_argument, "no agent is named \"" + std::string(name) + "\"; there are: " + all);
}

std::optional<agent_index> agent_table::with_client_id(std::string_view client_id) const {
    if (client_id.empty()) return agent_index{0};
    auto const it =
        std::find_if(identities_.begin(), identities_.end(), [&](auto const& a) { return a.client_id == client_id; });
    if (it == identities_.end()) return std::nullopt;
    return static_cast<agent_index>(it - identities_.begin());
}

std::vector<agent_token_info> agent_table::tokens() const {
    static constexpr char const* names[] = {"none", "fetching", "live", "failed"};
    std::vector<agent_token_info> all;
    for (agent_index i = 0; i != keepers_.size(); ++i) {
        auto const& k = *keepers_[i];
        all.push_back(
            {identities_[i].name, names[static_cast<std::size_t>(k.state())], k.expires_at(), k.last_error()});
    }
    return all;
}

}  // namespace jitproxy::jit
