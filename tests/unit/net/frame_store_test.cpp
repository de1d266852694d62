// Where the memory of coroutine frames comes from.
#include "jitproxy/net/frame_store.hpp"

#include <cstring>
#include <thread>
#include <vector>

#include "catch.hpp"

using jitproxy::net::frame_store;

TEST_CASE("frames of every size have room for all of it, kept or not") {
    for (int round = 0; round < 2; ++round) {
        std::vector<std::pair<void*, std::size_t>> held;
        for (std::size_t size : {1, 16, 127, 128, 129, 1024, 4095, 4096, 4097, 20'000}) {
            auto* const frame = frame_store::take(size);
            std::memset(frame, 0xa5, size);
            held.emplace_back(frame, size);
        }
        for (auto const& [frame, size] : held) frame_store::give(frame, size);
    }
}

#ifndef JITPROXY_SANITIZED
TEST_CASE("a frame that was given back is the next of its size") {
    auto* const first = frame_store::take(700);
    frame_store::give(first, 700);
    auto* const other_size = frame_store::take(300);
    CHECK(other_size != first);
    auto* const again = frame_store::take(690);  // of the same 128 bytes
    CHECK(again == first);
    frame_store::give(again, 690);
    frame_store::give(other_size, 300);
}
#endif

TEST_CASE("more frames than are kept go back to the allocator, and one thread's to another") {
    std::vector<void*> many;
    for (int i = 0; i < 500; ++i) many.push_back(frame_store::take(512));
    std::thread([&] {
        for (auto* frame : many) frame_store::give(frame, 512);
    }).join();
    auto* const mine = frame_store::take(512);
    std::memset(mine, 0, 512);
    frame_store::give(mine, 512);
}
