// Files of the state directory: read whole, replaced whole, made by one process at a time.
#pragma once
#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "jitproxy/base/clock.hpp"
#include "jitproxy/base/error.hpp"

namespace jitproxy::ca {

class file_descriptor {
  public:
    file_descriptor() = default;
    explicit file_descriptor(int fd) noexcept : fd_(fd) {}
    file_descriptor(file_descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    file_descriptor& operator=(file_descriptor&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    file_descriptor(file_descriptor const&) = delete;
    file_descriptor& operator=(file_descriptor const&) = delete;
    ~file_descriptor();
    [[nodiscard]] int get() const noexcept { return fd_; }
    [[nodiscard]] bool valid() const noexcept { return fd_ >= 0; }

  private:
    int fd_ = -1;
};

// "FILE: what failed: the system's reason", from errno.
[[nodiscard]] error storage_error(std::filesystem::path const& file, std::string_view what, int error_number);

struct file_content {
    std::string bytes;  // the caller wipes it where it is secret
    mode_t mode = 0;
};
// nullopt where there is no such file. Errors: storage; also where it is no regular file or over a megabyte.
[[nodiscard]] result<std::optional<file_content>> read_file(std::filesystem::path const& file);

// Replaces the file in one step: a temporary file beside it, made with 0600 whatever the umask, given its mode, synced
// and renamed. Readers see the old file or the new one, and a secret is never readable by others.
[[nodiscard]] result<void> write_file_atomically(std::filesystem::path const& file, std::string_view bytes,
                                                 mode_t mode);

// Makes the directory and its missing parents with mode 0700. One that anybody may write to is refused.
[[nodiscard]] result<void> make_private_directory(std::filesystem::path const& directory);

// Held while this lives; waits at most `patience` for another process. An invalid descriptor (no error) where the
// directory can't be written to: then there is nothing to make either.
[[nodiscard]] result<file_descriptor> lock_directory(std::filesystem::path const& directory, milliseconds patience);

}  // namespace jitproxy::ca
