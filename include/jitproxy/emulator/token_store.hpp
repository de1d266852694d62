// Every token the emulator ever issued, alive or dead. Pure: the clock is injected.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "jitproxy/base/clock.hpp"
#include "jitproxy/base/json.hpp"

namespace jitproxy::emulator {

using wall_clock = std::function<wall_time()>;

enum class token_kind : std::uint8_t {
    agent,      // client credentials
    delegated,  // RFC 8693: a user's rights, carried by the agent
    jit,        // a grant of one task
    user,       // a human's, configured, never expiring
};
[[nodiscard]] std::string_view name_of(token_kind kind) noexcept;

struct token {
    std::string value;
    token_kind kind = token_kind::agent;
    std::string agent;      // client id; empty for a user's
    std::string user;       // user and delegated
    bool approver = false;  // user: has the permission jit.approve
    std::string scope;
    std::string task;      // jit
    std::string request;   // jit
    json::object details;  // jit
    wall_time issued_at{};
    wall_time expires_at = wall_time::max();
    bool revoked = false;
};

class token_store {
  public:
    explicit token_store(wall_clock clock) : clock_(std::move(clock)) {}

    // Sets value (random, recognisable by its prefix: emu_agent_, emu_deleg_, emu_jit_) and issued_at.
    token const& issue(token t, seconds ttl);
    void add_user(std::string value, std::string user, bool approver);

    [[nodiscard]] token const* find(std::string_view value) const;       // alive or dead, or nullptr
    [[nodiscard]] token const* find_live(std::string_view value) const;  // nullptr where dead or unknown
    [[nodiscard]] bool is_live(token const& t) const;
    // All that live, users' apart: those are configuration, not grants.
    [[nodiscard]] std::vector<token const*> live() const;
    [[nodiscard]] std::vector<token const*> live_of_task(std::string_view task) const;

    bool revoke(std::string_view value);             // false where unknown
    std::size_t revoke_task(std::string_view task);  // how many died
    std::size_t revoke_kind(token_kind kind);        // how many died
    void clear();                                    // forgets all but users' tokens

  private:
    wall_clock clock_;
    std::map<std::string, token, std::less<>> tokens_;
};

}  // namespace jitproxy::emulator
