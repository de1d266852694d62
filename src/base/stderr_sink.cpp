#include "jitproxy/base/stderr_sink.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace jitproxy::log {
namespace {

using std::chrono::steady_clock;

// The same pipe or terminal by a description of our own, which may be non-blocking. -1: there is no way to one (a pipe
// of another user's, a socket), or no need (a file).
int open_anew(int fd) {
    struct stat info {};
    if (::fstat(fd, &info) != 0 || (!S_ISFIFO(info.st_mode) && ::isatty(fd) == 0)) return -1;
    auto const name = "/proc/self/fd/" + std::to_string(fd);
    return ::open(name.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

// Is there room, or an error that a write will tell?
bool writable(int fd, std::chrono::milliseconds wait) {
    pollfd one{fd, POLLOUT, 0};
    return ::poll(&one, 1, static_cast<int>(wait.count())) > 0;
}

}  // namespace

stderr_sink::stderr_sink(int fd, lost_line lost, std::chrono::milliseconds patience)
    : fd_(fd), lost_line_(lost), patience_(patience), left_(patience) {
    if (int const anew = open_anew(fd); anew >= 0) {
        fd_ = anew;
        own_ = true;
    }
}

stderr_sink::~stderr_sink() {
    if (own_) ::close(fd_);
}

void stderr_sink::write(std::string_view line) {
    std::lock_guard const one(mutex_);
    if (!rest_.empty()) rest_.erase(0, send(rest_));
    if (lost_ > 0 && put(lost_line_(lost_))) lost_ = 0;
    if (lost_ > 0 || !put(line)) ++lost_;
}

// False: nothing of it was taken.
bool stderr_sink::put(std::string_view line) {
    if (!rest_.empty()) return false;
    text_.assign(line).push_back('\n');
    auto const taken = send(text_);
    if (taken > 0) rest_.assign(text_, taken);
    return taken > 0;
}

// How much was taken: all, unless the reader does not keep up or is gone.
std::size_t stderr_sink::send(std::string_view bytes) {
    std::size_t taken = 0;
    while (taken < bytes.size()) {
        auto const n = send_some(bytes.substr(taken));
        if (n > 0)
            taken += static_cast<std::size_t>(n);
        else if (n < 0 || !wait())
            break;
    }
    stuck_ = taken < bytes.size();
    return taken;
}

// 0: not now. Negative: an error. A pipe with room takes PIPE_BUF bytes whole (pipe(7)), and a socket that polls as
// writable takes more, so that a write of that much waits for nobody even where the descriptor blocks.
long stderr_sink::send_some(std::string_view bytes) const {
    for (;;) {
        if (!own_ && !writable(fd_, {})) return 0;
        auto const n = ::write(fd_, bytes.data(), std::min<std::size_t>(bytes.size(), PIPE_BUF));
        if (n >= 0) return n;
        if (errno == EAGAIN) return 0;
        if (errno != EINTR) return -1;
    }
}

// For room. Once that was in vain, not again before all was taken; and in all no longer than patience_ in a second, so
// that a slow reader does not slow down the proxy.
bool stderr_sink::wait() {
    if (stuck_) return false;
    auto const begin = steady_clock::now();
    if (begin - refilled_ >= std::chrono::seconds{1}) {
        refilled_ = begin;
        left_ = patience_;
    }
    if (left_ <= std::chrono::nanoseconds{0}) return false;
    bool const room = writable(fd_, std::chrono::ceil<std::chrono::milliseconds>(left_));
    left_ -= steady_clock::now() - begin;
    return room;
}

}  // namespace jitproxy::log
