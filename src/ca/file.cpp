#include "file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <system_error>
#include <thread>

#include "jitproxy/base/id.hpp"

namespace jitproxy::ca {
namespace {

constexpr std::size_t most_bytes = 1024 * 1024;

template <class Call>
auto retry_interrupted(Call&& call) {
    auto done = call();
    while (done < 0 && errno == EINTR) done = call();
    return done;
}

result<void> write_all(int fd, std::string_view bytes, std::filesystem::path const& file) {
    while (!bytes.empty()) {
        auto const written = retry_interrupted([&] { return ::write(fd, bytes.data(), bytes.size()); });
        if (written < 0) return storage_error(file, "cannot be written", errno);
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

// Makes a rename in the directory durable. Some file systems can't sync a directory: nothing is lost by that now.
void sync_directory(std::filesystem::path const& directory) {
    file_descriptor const fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd.valid()) ::fsync(fd.get());
}

}  // namespace

file_descriptor::~file_descriptor() {
    if (fd_ >= 0) ::close(fd_);
}

error storage_error(std::filesystem::path const& file, std::string_view what, int error_number) {
    return make_error(errc::storage,
                      file.string() + ": " + std::string(what) + ": " + std::generic_category().message(error_number));
}

result<std::optional<file_content>> read_file(std::filesystem::path const& file) {
    file_descriptor const fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd.valid()) {
        if (errno == ENOENT) return std::optional<file_content>{};
        return storage_error(file, "cannot be opened", errno);
    }
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) return storage_error(file, "cannot be looked at", errno);
    if (!S_ISREG(status.st_mode)) return make_error(errc::storage, file.string() + ": is no regular file");
    if (static_cast<std::size_t>(status.st_size) > most_bytes)
        return make_error(errc::storage, file.string() + ": is larger than a megabyte");
    file_content content;
    content.mode = status.st_mode;
    content.bytes.resize(static_cast<std::size_t>(status.st_size));  // one allocation, so that one wipe reaches it all
    std::size_t have = 0;
    while (have < content.bytes.size()) {
        auto const got = retry_interrupted(
            [&] { return ::read(fd.get(), content.bytes.data() + have, content.bytes.size() - have); });
        if (got < 0) return storage_error(file, "cannot be read", errno);
        if (got == 0) break;
        have += static_cast<std::size_t>(got);
    }
    content.bytes.resize(have);
    return std::optional{std::move(content)};
}

result<void> write_file_atomically(std::filesystem::path const& file, std::string_view bytes, mode_t mode) {
    auto const temporary = file.parent_path() / ('.' + file.filename().string() + '.' + random_token(9));
    file_descriptor const fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd.valid()) return storage_error(temporary, "cannot be made", errno);
    auto const finish = [&]() -> result<void> {
        if (auto written = write_all(fd.get(), bytes, temporary); !written) return written;
        if (::fchmod(fd.get(), mode) != 0) return storage_error(temporary, "cannot be given its mode", errno);
        if (::fsync(fd.get()) != 0) return storage_error(temporary, "cannot be synced", errno);
        if (::rename(temporary.c_str(), file.c_str()) != 0) return storage_error(file, "cannot be replaced", errno);
        return {};
    };
    auto done = finish();
    if (!done) {
        ::unlink(temporary.c_str());
        return done;
    }
    sync_directory(file.has_parent_path() ? file.parent_path() : std::filesystem::path("."));
    return done;
}

result<void> make_private_directory(std::filesystem::path const& directory) {
    struct stat status {};
    if (::stat(directory.c_str(), &status) != 0) {
        if (errno != ENOENT) return storage_error(directory, "cannot be looked at", errno);
        auto const parent = directory.parent_path();
        if (!parent.empty() && parent != directory) {
            std::error_code ec;
            if (!std::filesystem::exists(parent, ec)) {
                if (auto made = make_private_directory(parent); !made) return made;
            }
        }
        if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)  // EEXIST: another process was faster
            return storage_error(directory, "cannot be made", errno);
        if (::stat(directory.c_str(), &status) != 0) return storage_error(directory, "cannot be looked at", errno);
    }
    if (!S_ISDIR(status.st_mode)) return make_error(errc::storage, directory.string() + ": is no directory");
    if ((status.st_mode & S_IWOTH) != 0)
        return make_error(errc::storage, directory.string() +
                                             ": anybody may write here, so anybody could put a CA in; mend it with "
                                             "\"chmod 700\" or choose another [state] directory");
    return {};
}

result<file_descriptor> lock_directory(std::filesystem::path const& directory, milliseconds patience) {
    auto const file = directory / "ca.lock";
    file_descriptor fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd.valid()) {
        if (errno == EACCES || errno == EROFS || errno == EPERM) return file_descriptor{};
        return storage_error(file, "cannot be opened", errno);
    }
    auto const until = std::chrono::steady_clock::now() + patience;
    while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) return storage_error(file, "cannot be locked", errno);
        if (std::chrono::steady_clock::now() >= until)
            return make_error(errc::storage, file.string() + ": another jitproxy holds the lock and does not let go");
        std::this_thread::sleep_for(milliseconds{10});
    }
    return fd;
}

}  // namespace jitproxy::ca
