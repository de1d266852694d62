#include "jitproxy/net/frame_store.hpp"

#include <array>
#include <new>

namespace jitproxy::net {

namespace {

constexpr std::size_t step = 128;    // frames of up to so many bytes more share a shelf
constexpr std::size_t shelves = 32;  // larger ones, over 4 KiB, are not kept
constexpr unsigned kept = 64;        // on each shelf

struct shelf {
    struct free_frame {
        free_frame* next;
    };
    free_frame* first = nullptr;
    unsigned count = 0;
};

thread_local std::array<shelf, shelves> store;  // never destroyed: frames may end after it would be

constexpr std::size_t shelf_of(std::size_t size) noexcept {
    return (size - 1) / step;
}

}  // namespace

void* frame_store::take(std::size_t size) {
    auto const at = shelf_of(size);
    if (at >= shelves) return ::operator new(size);
    auto& mine = store[at];
    if (mine.first == nullptr) return ::operator new((at + 1) * step);
    auto* const frame = mine.first;
    mine.first = frame->next;
    --mine.count;
    return frame;
}

void frame_store::give(void* frame, std::size_t size) noexcept {
#ifndef JITPROXY_SANITIZED
    auto const at = shelf_of(size);
    if (at < shelves && store[at].count < kept) {
        auto& mine = store[at];
        mine.first = new (frame) shelf::free_frame{mine.first};
        ++mine.count;
        return;
    }
#else
    (void)size;
#endif
    ::operator delete(frame);
}

}  // namespace jitproxy::net
