#include "jitproxy/emulator/token_store.hpp"

#include "jitproxy/base/id.hpp"

namespace jitproxy::emulator {

namespace {

std::string_view prefix_of(token_kind kind) {
    switch (kind) {
        case token_kind::agent:
            return "emu_agent_";
        case token_kind::delegated:
            return "emu_deleg_";
        case token_kind::jit:
            return "emu_jit_";
        case token_kind::user:
            return "emu_user_";
    }
    return "emu_";
}

constexpr std::size_t token_bytes = 24;

}  // namespace

std::string_view name_of(token_kind kind) noexcept {
    switch (kind) {
        case token_kind::agent:
            return "agent";
        case token_kind::delegated:
            return "delegated";
        case token_kind::jit:
            return "jit";
        case token_kind::user:
            return "user";
    }
    return "unknown";
}

token const& token_store::issue(token t, seconds ttl) {
    t.value = std::string{prefix_of(t.kind)} + random_token(token_bytes);
    t.issued_at = clock_();
    t.expires_at = t.issued_at + ttl;
    auto key = t.value;
    return tokens_.insert_or_assign(std::move(key), std::move(t)).first->second;
}

void token_store::add_user(std::string value, std::string user, bool approver) {
    token t;
    t.value = value;
    t.kind = token_kind::user;
    t.user = std::move(user);
    t.approver = approver;
    t.issued_at = clock_();
    tokens_.insert_or_assign(std::move(value), std::move(t));
}

token const* token_store::find(std::string_view value) const {
    auto const at = tokens_.find(value);
    return at == tokens_.end() ? nullptr : &at->second;
}

token const* token_store::find_live(std::string_view value) const {
    auto const* t = find(value);
    return t && is_live(*t) ? t : nullptr;
}

bool token_store::is_live(token const& t) const {
    return !t.revoked && clock_() < t.expires_at;
}

std::vector<token const*> token_store::live() const {
    std::vector<token const*> out;
    for (auto const& [value, t] : tokens_)
        if (t.kind != token_kind::user && is_live(t)) out.push_back(&t);
    return out;
}

std::vector<token const*> token_store::live_of_task(std::string_view task) const {
    std::vector<token const*> out;
    for (auto const& [value, t] : tokens_)
        if (t.kind == token_kind::jit && t.task == task && is_live(t)) out.push_back(&t);
    return out;
}

bool token_store::revoke(std::string_view value) {
    auto const at = tokens_.find(value);
    if (at == tokens_.end()) return false;
    at->second.revoked = true;
    return true;
}

std::size_t token_store::revoke_task(std::string_view task) {
    std::size_t died = 0;
    for (auto& [value, t] : tokens_) {
        if (t.kind != token_kind::jit || t.task != task || !is_live(t)) continue;
        t.revoked = true;
        ++died;
    }
    return died;
}

std::size_t token_store::revoke_kind(token_kind kind) {
    std::size_t died = 0;
    for (auto& [value, t] : tokens_) {
        if (t.kind != kind || !is_live(t)) continue;
        t.revoked = true;
        ++died;
    }
    return died;
}

void token_store::clear() {
    std::erase_if(tokens_, [](auto const& entry) { return entry.second.kind != token_kind::user; });
}

}  // namespace jitproxy::emulator
