// What the fuzz targets share. A target is one function that takes any bytes; libFuzzer calls it in the `fuzz` preset,
// replay.cpp with the kept corpus in every other.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size);

namespace jitproxy::fuzz {

// A finding: libFuzzer keeps the input that led here, replay.cpp names its file.
inline void require(bool holds, char const* what) {
    if (holds) return;
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
}

inline std::string_view view(std::uint8_t const* data, std::size_t size) {
    return {reinterpret_cast<char const*>(data), size};
}

// A copy that ends where its block ends, so that AddressSanitizer sees a read beyond it.
class exact {
  public:
    explicit exact(std::string_view text) : bytes_(new char[text.size()]), size_(text.size()) {
        std::copy(text.begin(), text.end(), bytes_.get());
    }
    [[nodiscard]] std::string_view view() const noexcept { return {bytes_.get(), size_}; }

  private:
    std::unique_ptr<char[]> bytes_;
    std::size_t size_;
};

// Takes an input apart from its front. Choices are letters, so that the files of a corpus can be read and written by
// hand: the low five bits count, '@' is none of them, 'A' the first, 'B' the second, 'C' both, 'D' the third...
class reader {
  public:
    explicit reader(std::string_view input) : rest_(input) {}
    [[nodiscard]] bool empty() const noexcept { return rest_.empty(); }
    char byte() noexcept {
        if (rest_.empty()) return '@';
        char const c = rest_.front();
        rest_.remove_prefix(1);
        return c;
    }
    unsigned flags() noexcept { return static_cast<unsigned char>(byte()) & 31U; }

  private:
    std::string_view rest_;
};

}  // namespace jitproxy::fuzz
