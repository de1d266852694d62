#include "jitproxy/net/buffer.hpp"

#include <algorithm>
#include <string>
#include <string_view>

#include "catch.hpp"

using jitproxy::net::buffer_pool;
using jitproxy::net::read_buffer;

namespace {

constexpr std::size_t block = buffer_pool::block_size;

// As a read would: as much as there is room for.
std::size_t fill(read_buffer& buffer, std::string_view bytes, std::size_t limit) {
    auto const room = buffer.prepare(limit);
    auto const n = std::min(room.size(), bytes.size());
    std::copy_n(bytes.data(), n, room.data());
    buffer.commit(n);
    return n;
}

std::string pattern(std::size_t size) {
    std::string text(size, ' ');
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i * 7 % 26);
    return text;
}

}  // namespace

TEST_CASE("what was committed is there until it is consumed") {
    buffer_pool pool;
    read_buffer buffer(pool);
    CHECK(buffer.empty());
    CHECK(fill(buffer, "hello", block) == 5);
    CHECK(fill(buffer, " world", block) == 6);
    CHECK(buffer.data() == "hello world");
    buffer.consume(6);
    CHECK(buffer.data() == "world");
    buffer.consume(5);
    CHECK(buffer.empty());
}

TEST_CASE("a buffer grows up to its limit, and what is in it stays as it is") {
    buffer_pool pool;
    read_buffer buffer(pool);
    auto const limit = block * 3;
    auto const text = pattern(limit);
    std::size_t had = 0;
    while (had < text.size()) {
        auto const n = fill(buffer, std::string_view(text).substr(had), limit);
        REQUIRE(n > 0);
        had += n;
    }
    CHECK(buffer.data() == text);
    CHECK(buffer.prepare(limit).empty());

    buffer.consume(block);  // and what was consumed makes room again
    auto const more = pattern(block);
    REQUIRE(fill(buffer, more, limit) == block);
    CHECK(buffer.data() == text.substr(block) + more);
}

TEST_CASE("bytes that were read too far are put back, however many they are") {
    buffer_pool pool;
    auto const size = GENERATE(std::size_t{0}, std::size_t{1}, block - 1, block, block + 1, 16 * block);
    auto const used_before = GENERATE(false, true);
    INFO(size << (used_before ? ", used before" : ""));
    read_buffer buffer(pool);
    if (used_before) {
        REQUIRE(fill(buffer, "before", block) == 6);
        buffer.consume(6);
    }
    auto const text = pattern(size);
    buffer.put_back(text);
    CHECK(buffer.data() == text);
    std::string_view more = "after";
    while (!more.empty()) more.remove_prefix(fill(buffer, more, size + 2 * block));
    CHECK(buffer.data() == text + "after");
    buffer.consume(size + 5);
    buffer.release();
    CHECK(buffer.empty());
}

TEST_CASE("only an empty buffer gives its storage away, and it can be used again") {
    buffer_pool pool;
    read_buffer buffer(pool);
    buffer.release();  // had none
    fill(buffer, "x", block);
    buffer.release();
    CHECK(buffer.data() == "x");
    buffer.consume(1);
    buffer.release();
    CHECK(fill(buffer, "y", block) == 1);
    CHECK(buffer.data() == "y");
}

TEST_CASE("a block that was given away is lent again") {
    buffer_pool pool;
    auto first = pool.take();
    auto const* const address = first.get();
    pool.give(std::move(first));
    CHECK(pool.take().get() == address);
    pool.give(nullptr);
    CHECK(pool.take() != nullptr);
}
