#include "jitproxy/app/systemd_journal.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace jitproxy::app {

namespace {

struct journal_socket {
    explicit journal_socket(std::string const& path) {
        name.sun_family = AF_UNIX;
        if (path.size() >= sizeof name.sun_path) return;
        std::memcpy(name.sun_path, path.data(), path.size());
        size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
        descriptor = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    }
    sockaddr_un name{};
    socklen_t size = 0;
    int descriptor = -1;
};

journal_socket const& the_socket(std::string const& path) {
    static journal_socket const made(path);  // for the life of the process: its threads may log to the end
    return made;
}

// The address is looked up each time, so that a journald that was started anew is found. A full queue is no reason to
// hold up a worker.
bool send(std::string_view datagram) noexcept {
    auto const& to = the_socket({});
    auto const sent = ::sendto(to.descriptor, datagram.data(), datagram.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                               reinterpret_cast<sockaddr const*>(&to.name), to.size);
    return sent == static_cast<ssize_t>(datagram.size());
}

}  // namespace

bool is_journal_stream(std::string_view variable, int descriptor) {
    struct stat seen {};
    if (variable.empty() || ::fstat(descriptor, &seen) != 0) return false;
    return variable == std::to_string(seen.st_dev) + ':' + std::to_string(seen.st_ino);
}

log::format log_format(std::string_view configured) {
    if (configured == "json") return log::format::json;
    if (configured == "journald") return log::format::journald;
    auto const* stream = std::getenv("JOURNAL_STREAM");
    bool const journal = configured == "auto" && stream != nullptr && is_journal_stream(stream, STDERR_FILENO);
    return journal ? log::format::journald : log::format::text;
}

void open_systemd_journal(std::string const& path) {
    (void)the_socket(path);
    log::set_journal(send);
}

}  // namespace jitproxy::app
