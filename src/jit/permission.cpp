#include "jitproxy/jit/permission.hpp"

namespace jitproxy::jit {

std::string_view to_string(permission_status s) noexcept {
    switch (s) {
        case permission_status::granted:
            return "granted";
        case permission_status::denied:
            return "denied";
        case permission_status::pending:
            return "pending";
        case permission_status::expired:
            return "expired";
        case permission_status::refused:
            return "refused";
        case permission_status::error:
            return "error";
    }
    return "error";
}

}  // namespace jitproxy::jit
