// Read buffers that exist only while there is something in them: an idle connection has none.
#pragma once
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace jitproxy::net {

// A worker's store of equal blocks. Not thread-safe.
class buffer_pool {
  public:
    static constexpr std::size_t block_size = 16 * 1024;
    [[nodiscard]] std::unique_ptr<char[]> take();
    void give(std::unique_ptr<char[]> block) noexcept;

  private:
    static constexpr std::size_t keep_ = 256;
    std::vector<std::unique_ptr<char[]>> free_;
};

// Bytes that were read and not used yet. Views of data() end with the next call that changes the buffer.
class read_buffer {
  public:
    explicit read_buffer(buffer_pool& pool) : pool_(&pool) {}
    ~read_buffer();
    read_buffer(read_buffer const&) = delete;
    read_buffer& operator=(read_buffer const&) = delete;

    [[nodiscard]] std::string_view data() const noexcept { return {storage_.get() + begin_, end_ - begin_}; }
    [[nodiscard]] bool empty() const noexcept { return begin_ == end_; }
    [[nodiscard]] std::size_t size() const noexcept { return end_ - begin_; }
    // Room to read into; grows while the whole stays within `limit` bytes. Empty where the limit is reached.
    [[nodiscard]] std::span<char> prepare(std::size_t limit);
    void commit(std::size_t n) noexcept { end_ += n; }
    void consume(std::size_t n) noexcept;
    // Puts bytes that were read too far back; they come before nothing else: the buffer must be empty.
    void put_back(std::string_view bytes);
    // Gives the storage away if nothing is in it.
    void release() noexcept;

  private:
    buffer_pool* pool_;
    std::unique_ptr<char[]> storage_;
    std::size_t capacity_ = 0;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

}  // namespace jitproxy::net
