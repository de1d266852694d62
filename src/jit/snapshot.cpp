#include "jitproxy/jit/snapshot.hpp"

namespace jitproxy::jit {

std::string resource_key(std::string_view method, std::string_view origin, std::string_view path) {
    std::string key;
    key.reserve(method.size() + 1 + origin.size() + path.size());
    key.append(method).append(" ").append(origin).append(path);
    return key;
}

}  // namespace jitproxy::jit
