#include "jitproxy/app/accounts.hpp"

#include <grp.h>
#include <pwd.h>

#include <charconv>
#include <string>

namespace jitproxy::app {
namespace {

std::optional<std::uint32_t> numeric_id(std::string_view text) {
    std::uint32_t id = 0;
    auto const [end, failed] = std::from_chars(text.data(), text.data() + text.size(), id);
    if (failed != std::errc{} || end != text.data() + text.size() || id == UINT32_MAX) return std::nullopt;
    return id;
}

}  // namespace

std::optional<uid_t> find_user(std::string_view text) {
    if (auto const id = numeric_id(text)) return *id;
    auto const* const entry = getpwnam(std::string(text).c_str());
    if (entry == nullptr) return std::nullopt;
    return entry->pw_uid;
}

std::optional<gid_t> find_group(std::string_view text) {
    if (auto const id = numeric_id(text)) return *id;
    auto const* const entry = getgrnam(std::string(text).c_str());
    if (entry == nullptr) return std::nullopt;
    return entry->gr_gid;
}

}  // namespace jitproxy::app
