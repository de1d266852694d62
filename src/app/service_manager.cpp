#include "jitproxy/app/service_manager.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>

namespace jitproxy::app {

namespace {

constexpr int first_passed = 3;  // SD_LISTEN_FDS_START
constexpr std::int64_t most_passed = 64;

std::int64_t number_in(char const* variable) {
    auto const* text = std::getenv(variable);
    std::int64_t n = 0;
    if (text == nullptr) return 0;
    auto const [end, failed] = std::from_chars(text, text + std::strlen(text), n);
    return failed == std::errc{} && *end == '\0' ? n : 0;
}

bool is_listening_tcp(int descriptor) {
    auto const option = [&](int name) {
        int value = 0;
        socklen_t size = sizeof(value);
        return ::getsockopt(descriptor, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
    };
    auto const domain = option(SO_DOMAIN);
    return option(SO_TYPE) == SOCK_STREAM && option(SO_ACCEPTCONN) == 1 && (domain == AF_INET || domain == AF_INET6);
}

}  // namespace

void notify_service_manager(std::string_view state) {
    auto const* path = std::getenv("NOTIFY_SOCKET");
    sockaddr_un name{};
    if (!path || (path[0] != '/' && path[0] != '@') || std::strlen(path) >= sizeof name.sun_path) return;
    int const fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return;
    name.sun_family = AF_UNIX;
    std::memcpy(name.sun_path, path, std::strlen(path));
    if (name.sun_path[0] == '@') name.sun_path[0] = '\0';  // an abstract socket
    auto const size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + std::strlen(path));
    sendto(fd, state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<sockaddr const*>(&name), size);
    close(fd);
}

void notify_reloading() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    auto const microseconds = static_cast<std::int64_t>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1000;
    notify_service_manager("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(microseconds));
}

milliseconds watchdog_time() {
    auto const whose = number_in("WATCHDOG_PID");
    if (whose != 0 && whose != getpid()) return milliseconds{0};
    return milliseconds{number_in("WATCHDOG_USEC") / 1000};
}

result<std::vector<int>> take_passed_sockets() {
    auto const count = number_in("LISTEN_PID") == getpid() ? number_in("LISTEN_FDS") : 0;
    auto const* text = std::getenv("LISTEN_FDNAMES");
    std::string names = text != nullptr ? text : "";
    for (auto const* variable : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) unsetenv(variable);
    if (count < 0 || count > most_passed)
        return make_error(errc::configuration, "$LISTEN_FDS is " + std::to_string(count) + "; at most " +
                                                   std::to_string(most_passed) + " sockets can be passed");
    std::vector<int> all;
    for (int fd = first_passed; fd < first_passed + count; ++fd) {
        auto const end = names.find(':');
        auto const name = names.substr(0, end);
        names = end == std::string::npos ? "" : names.substr(end + 1);
        fcntl(fd, F_SETFD, FD_CLOEXEC);
        // Without FileDescriptorName= systemd gives the name of the socket's unit, other programs "unknown" or none.
        if (!name.empty() && name != "unknown" && !name.ends_with(".socket") && name != "proxy")
            return make_error(errc::configuration, "a socket named \"" + name +
                                                       "\" was passed: FileDescriptorName=proxy is the only one known");
        if (!is_listening_tcp(fd))
            return make_error(errc::configuration,
                              "descriptor " + std::to_string(fd) + " was passed and is no listening TCP socket");
        all.push_back(fd);
    }
    return all;
}

}  // namespace jitproxy::app
