// What has been read of a request's body, kept so that the same request can be sent again byte for byte: in memory first, then
// in an unlinked temporary file, and given up beyond that.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace jitproxy::proxy {

struct replay_limits {
    std::size_t memory = 256 * 1024;
    std::uint64_t file = 64ULL * 1024 * 1024;
    std::string directory;  // of the temporary file; empty: $TMPDIR or /tmp
};

class replay_store {
  public:
    explicit replay_store(replay_limits const& limits) : limits_(limits) {}
    ~replay_store();
    replay_store(replay_store const&) = delete;
    replay_store& operator=(replay_store const&) = delete;

    // False once it is over its limits or the file failed; then everything kept is dropped.
    bool append(std::string_view bytes);
    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
    [[nodiscard]] bool intact() const noexcept { return intact_; }
    // The bytes from `position` on: a view into memory, or read from the file into `scratch`. Empty at the end or on failure.
    [[nodiscard]] std::string_view read(std::uint64_t position, std::span<char> scratch);
    void drop() noexcept;  // it is not needed any more

  private:
    [[nodiscard]] bool spill(std::string_view bytes);
    replay_limits const& limits_;
    std::string memory_;
    int file_ = -1;
    std::uint64_t size_ = 0;
    bool intact_ = true;
};

}  // namespace jitproxy::proxy
