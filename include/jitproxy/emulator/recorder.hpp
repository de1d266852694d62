// What the emulator saw: calls, counts, and what no well-behaved proxy would have sent.
#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>

#include "jitproxy/emulator/message.hpp"
#include "jitproxy/emulator/token_store.hpp"

namespace jitproxy::emulator {

class recorder {
  public:
    void count(std::string_view endpoint) { ++counts_[std::string{endpoint}]; }
    void api_call(request const& r, token_store const& tokens, unsigned status);
    void as_call(request const& r, token_store const& tokens, std::string_view endpoint, unsigned status);
    // Something a proxy must never do; `what` holds no secret.
    void violation(request const& r, std::string_view what);

    [[nodiscard]] json::object counts() const;
    [[nodiscard]] json::array const& api_calls() const noexcept { return api_calls_; }
    [[nodiscard]] json::array const& as_calls() const noexcept { return as_calls_; }
    [[nodiscard]] json::array const& violations() const noexcept { return violations_; }
    void clear();

  private:
    std::map<std::string, std::uint64_t, std::less<>> counts_;
    json::array api_calls_;
    json::array as_calls_;
    json::array violations_;
};

// "none", "agent", "delegated", "jit", "user", or "unknown" (no token of ours, or another scheme).
[[nodiscard]] std::string authorization_kind(request const& r, token_store const& tokens);

}  // namespace jitproxy::emulator
