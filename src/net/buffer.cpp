#include "jitproxy/net/buffer.hpp"

#include <algorithm>
#include <cstring>

namespace jitproxy::net {

std::unique_ptr<char[]> buffer_pool::take() {
    if (free_.empty()) return std::unique_ptr<char[]>(new char[block_size]);
    auto block = std::move(free_.back());
    free_.pop_back();
    return block;
}

void buffer_pool::give(std::unique_ptr<char[]> block) noexcept {
    if (!block) return;
    if (free_.capacity() == 0) free_.reserve(keep_);
    if (free_.size() < keep_) free_.push_back(std::move(block));
}

read_buffer::~read_buffer() {
    if (capacity_ == buffer_pool::block_size) pool_->give(std::move(storage_));
}

std::span<char> read_buffer::prepare(std::size_t limit) {
    if (!storage_) {
        storage_ = pool_->take();
        capacity_ = buffer_pool::block_size;
    }
    if (begin_ != 0 && end_ == capacity_) {
        std::memmove(storage_.get(), storage_.get() + begin_, size());
        end_ -= begin_;
        begin_ = 0;
    }
    if (size() >= limit) return {};
    if (end_ == capacity_) {
        auto const grown = std::min(limit, capacity_ * 2);
        std::unique_ptr<char[]> larger(new char[grown]);
        std::memcpy(larger.get(), storage_.get(), end_);
        if (capacity_ == buffer_pool::block_size) pool_->give(std::move(storage_));
        storage_ = std::move(larger);
        capacity_ = grown;
    }
    return {storage_.get() + end_, std::min(capacity_ - end_, limit - size())};
}

void read_buffer::consume(std::size_t n) noexcept {
    begin_ += n;
    if (begin_ == end_) begin_ = end_ = 0;
}

void read_buffer::put_back(std::string_view bytes) {
    if (bytes.empty()) return;
    if (!storage_ || capacity_ < bytes.size()) {
        if (capacity_ == buffer_pool::block_size) pool_->give(std::move(storage_));
        bool const fits = bytes.size() <= buffer_pool::block_size;
        storage_ = fits ? pool_->take() : std::unique_ptr<char[]>(new char[bytes.size()]);
        capacity_ = fits ? buffer_pool::block_size : bytes.size();
    }
    std::memcpy(storage_.get(), bytes.data(), bytes.size());
    begin_ = 0;
    end_ = bytes.size();
}

void read_buffer::release() noexcept {
    if (!empty() || !storage_) return;
    if (capacity_ == buffer_pool::block_size)
        pool_->give(std::move(storage_));
    else
        storage_.reset();
    capacity_ = begin_ = end_ = 0;
}

}  // namespace jitproxy::net
