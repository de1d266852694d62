// One owner of a directory at a time, among all processes of the machine.
#pragma once
#include <filesystem>

#include "jitproxy/base/error.hpp"

namespace jitproxy::store {

// Holds flock(2) on a file that names its owner's process id. The kernel lets go of it however the process ends.
class lock_file {
  public:
    // Errors: storage; in_use, with the process id of who holds it.
    [[nodiscard]] static result<lock_file> acquire(std::filesystem::path const& file);

    lock_file(lock_file&& other) noexcept;
    lock_file& operator=(lock_file&& other) noexcept;
    lock_file(lock_file const&) = delete;
    lock_file& operator=(lock_file const&) = delete;
    ~lock_file();

  private:
    explicit lock_file(int fd) noexcept : fd_(fd) {}
    int fd_ = -1;
};

}  // namespace jitproxy::store
