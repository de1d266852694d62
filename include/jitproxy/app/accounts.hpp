// Users and groups of this machine, by name or numeric id.
#pragma once
#include <sys/types.h>

#include <optional>
#include <string_view>

namespace jitproxy::app {

// What the kernel shows in a user namespace for every id that has no name there (user_namespaces(7)).
inline constexpr uid_t overflow_uid = 65534;

// A numeric id need not have a name. May ask a directory service: for the start only.
[[nodiscard]] std::optional<uid_t> find_user(std::string_view text);
[[nodiscard]] std::optional<gid_t> find_group(std::string_view text);

}  // namespace jitproxy::app
