// Memory of coroutine frames: several come and go with each request. A thread keeps some of each size for its next
// ones, which costs less than the allocator does, above all for frames larger than what that caches (1 KiB in glibc).
#pragma once
#include <cstddef>

namespace jitproxy::net {

// Any thread may give back what another took. Under a sanitizer nothing is kept, so that it sees a frame's end.
class frame_store {
  public:
    [[nodiscard]] static void* take(std::size_t size);
    static void give(void* frame, std::size_t size) noexcept;
};

}  // namespace jitproxy::net
