#include "jitproxy/proxy/replay.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "jitproxy/base/log.hpp"

namespace jitproxy::proxy {

namespace {

int open_unlinked(std::string directory) {
    if (directory.empty()) {
        char const* configured = std::getenv("TMPDIR");  // NOLINT: the environment is not changed after start
        directory = configured != nullptr && *configured != '\0' ? configured : "/tmp";
    }
    int const fd = ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0) return fd;
    auto name = directory + "/jitproxy-replay-XXXXXX";  // file systems without O_TMPFILE
    int const named = ::mkostemp(name.data(), O_CLOEXEC);
    if (named >= 0) ::unlink(name.c_str());
    return named;
}

bool write_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        auto const n = ::write(fd, bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
}

}  // namespace

replay_store::~replay_store() { drop(); }

void replay_store::drop() noexcept {
    std::string().swap(memory_);
    if (file_ >= 0) ::close(file_);
    file_ = -1;
    intact_ = false;
}

bool replay_store::spill(std::string_view bytes) {
    if (file_ < 0) {
        file_ = open_unlinked(limits_.directory);
        if (file_ < 0 || !write_all(file_, memory_)) {
            log::warning("no temporary file for a request body; it cannot be sent again", {{"errno", errno}});
            return false;
        }
        std::string().swap(memory_);
    }
    return write_all(file_, bytes);
}

bool replay_store::append(std::string_view bytes) {
    if (!intact_) return false;
    auto const total = size_ + bytes.size();
    if (file_ < 0 && total <= limits_.memory) {
        memory_.append(bytes);
    } else if (total > limits_.file || !spill(bytes)) {
        drop();
        return false;
    }
    size_ = total;
    return true;
}

std::string_view replay_store::read(std::uint64_t position, std::span<char> scratch) {
    if (!intact_ || position >= size_) return {};
    if (file_ < 0) return std::string_view(memory_).substr(static_cast<std::size_t>(position));
    auto const n = ::pread(file_, scratch.data(), scratch.size(), static_cast<off_t>(position));
    if (n <= 0) {
        drop();
        return {};
    }
    return {scratch.data(), static_cast<std::size_t>(n)};
}

}  // namespace jitproxy::proxy
