#include "jitproxy/jit/actor.hpp"

namespace jitproxy::jit {
namespace {

std::string_view name_of(actor::kind k) noexcept {
    switch (k) {
        case actor::kind::daemon:
            return "daemon";
        case actor::kind::session:
            return "session";
        case actor::kind::peer:
            return "peer";
        case actor::kind::control_token:
            return "control_token";
        case actor::kind::authorization_server:
            return "authorization_server";
    }
    return "daemon";
}

}  // namespace

json::object to_json(actor const& a) {
    json::object out{{"kind", name_of(a.who)}};
    if (a.who != actor::kind::peer) return out;
    out["uid"] = a.uid;
    out["gid"] = a.gid;
    out["pid"] = a.pid;
    if (!a.user.empty()) out["user"] = a.user;
    return out;
}

}  // namespace jitproxy::jit
