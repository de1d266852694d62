#include "jitproxy/store/lock_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace jitproxy::store {
namespace {

error unusable(std::filesystem::path const& file, std::string_view doing, int cause) {
    return make_error(errc::storage, "cannot " + std::string{doing} + " " + file.string() + ": " +
                                         std::strerror(cause) +
                                         "; the state directory must be writable for the user that jitproxy runs as");
}

// What the owner wrote; empty where it has not come to that yet.
std::string owner_in(int fd) {
    char text[24];
    auto const n = ::pread(fd, text, sizeof text, 0);
    std::string pid{text, n > 0 ? static_cast<std::size_t>(n) : 0};
    pid.resize(std::min(pid.find_first_not_of("0123456789"), pid.size()));
    return pid;
}

}  // namespace

result<lock_file> lock_file::acquire(std::filesystem::path const& file) {
    int const fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return unusable(file, "open", errno);
    lock_file lock{fd};
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) return unusable(file, "lock", errno);
        auto const pid = owner_in(fd);
        return make_error(errc::in_use, "another jitproxy (" + (pid.empty() ? "process unknown" : "process " + pid) +
                                            ") uses the state directory " + file.parent_path().string() +
                                            ": stop it, or set another one ([state] directory)");
    }
    auto const pid = std::to_string(::getpid()) + "\n";
    if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
        return unusable(file, "write", errno);
    }
    return lock;
}

lock_file::lock_file(lock_file&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

lock_file& lock_file::operator=(lock_file&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
}

lock_file::~lock_file() {
    // The file stays: removing it could take away one that another process has just opened and locked.
    if (fd_ >= 0) ::close(fd_);
}

}  // namespace jitproxy::store
