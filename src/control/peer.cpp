#include "peer.hpp"

#include <pwd.h>
#include <sys/socket.h>

#include <cstdio>
#include <memory>

namespace jitproxy::control {
namespace {

constexpr std::size_t most_names = 1024;

struct file_close {
    void operator()(std::FILE* f) const noexcept { std::fclose(f); }
};

// From the file alone: a directory service may take its time, and the control thread has none.
std::string local_name(uid_t uid) {
    std::unique_ptr<std::FILE, file_close> const file(std::fopen("/etc/passwd", "re"));
    if (!file) return {};
    passwd entry{};
    passwd* found = nullptr;
    char text[4096];
    while (fgetpwent_r(file.get(), &entry, text, sizeof text, &found) == 0)
        if (entry.pw_uid == uid) return entry.pw_name;
    return {};
}

}  // namespace

jit::actor peer_names::peer_of(int socket) {
    ucred who{};
    socklen_t size = sizeof who;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0)
        return {jit::actor::kind::peer, UINT32_MAX, UINT32_MAX, 0, {}};
    if (names_.size() > most_names) names_.clear();
    auto const known = names_.find(who.uid);
    auto const& name =
        known != names_.end() ? known->second : names_.emplace(who.uid, local_name(who.uid)).first->second;
    return {jit::actor::kind::peer, who.uid, who.gid, who.pid, name};
}

}  // namespace jitproxy::control
