// Text that others wrote, as people may be shown it.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace jitproxy {

// Its first `longest` bytes at most, not ending within a UTF-8 sequence. A view of `text`.
[[nodiscard]] std::string_view cut(std::string_view text, std::size_t longest) noexcept;
// At most `longest` bytes, cut between UTF-8 sequences; control characters (C0, DEL, C1) become spaces, and those at
// both ends are dropped.
[[nodiscard]] std::string one_line(std::string_view text, std::size_t longest);

}  // namespace jitproxy
