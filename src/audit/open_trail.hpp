// A trail's two files while they are open: locked for as long as a line is written, its head known meanwhile.
#pragma once
#include <sys/types.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "jitproxy/audit/chain.hpp"

namespace jitproxy::audit {

class descriptor {
  public:
    explicit descriptor(int fd = -1) noexcept : fd_(fd) {}
    descriptor(descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    descriptor& operator=(descriptor&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~descriptor();
    [[nodiscard]] int get() const noexcept { return fd_; }

  private:
    int fd_;
};

class open_trail {
  public:
    // Makes both files (0600) where they are missing. Errors: storage (cannot be opened, is no regular file, another
    // process holds the lock for too long).
    [[nodiscard]] static result<open_trail> open(std::filesystem::path const& file);
    // For the next line, after let_go(). False: it has to be opened anew, as its files are not those of that name any
    // more. Errors: as open().
    [[nodiscard]] result<bool> take_up();
    void let_go() noexcept;  // others may write

    [[nodiscard]] audit::head const& head() const noexcept { return kept_.head; }
    [[nodiscard]] std::string const& torn() const noexcept { return torn_; }  // an unfinished line at the end
    // Writes the line, and the head that it makes. `before` ends an unfinished line. All of it or, where the file lets
    // itself be shortened, nothing. Errors: storage.
    [[nodiscard]] result<void> add(std::string_view line, std::string_view before = {});

  private:
    explicit open_trail(std::filesystem::path file) : file_(std::move(file)) {}
    [[nodiscard]] result<void> find_head();
    std::string_view take_lines(std::string_view text);
    void catch_up_with_renamed();
    [[nodiscard]] error failed(std::string_view doing) const;

    std::filesystem::path file_;
    descriptor lock_;
    descriptor lines_;
    kept_head kept_;
    dev_t device_ = 0;
    std::string torn_;
};

}  // namespace jitproxy::audit
