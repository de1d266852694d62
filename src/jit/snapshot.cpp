#include "jitproxy/jit/snapshot.hpp"

namespace jitproxy::jit {

bool session_snapshot::has_secret(std::string_view given) const {
    if (proxy_secret) return constant_time_equal(proxy_secret->reveal(), given);
    return hash && !secret_hash.empty() && constant_time_equal((*hash)(given), secret_hash);
}

std::string resource_key(std::string_view method, std::string_view origin, std::string_view path) {
    std::string key;
    key.reserve(method.size() + 1 + origin.size() + path.size());
    key.append(method).append(" ").append(origin).append(path);
    return key;
}

error session_snapshot::refusal() const {
    if (suspended.empty()) return make_error(errc::session_unknown, "this session is closed");
    return make_error(errc::as_inactive, "this session is suspended: " + suspended);
}

}  // namespace jitproxy::jit
