// RFC 9396 authorization details: whether they are well formed, and whether a grant covers a need.
#pragma once
#include <string>

#include "jitproxy/base/json.hpp"

namespace jitproxy::emulator {

// Empty where `value` is one well-formed object (RFC 9396 2.2); else what is wrong with it.
[[nodiscard]] std::string check_details(json::value const& value);

// True where `granted` gives everything that `needed` names: same type; every needed action, location, datatype
// and privilege; the same identifier and other members. More than needed is fine, a missing member is not.
[[nodiscard]] bool covers(json::object const& granted, json::object const& needed);

}  // namespace jitproxy::emulator
