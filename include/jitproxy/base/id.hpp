// Random identifiers from the operating system's generator.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace jitproxy {

// `bytes` random bytes as URL-safe base64 without padding; throws failure if the generator fails.
[[nodiscard]] std::string random_token(std::size_t bytes);
// prefix + "_" + 16 lower-case base32 characters (80 bits): readable ids, safe in URLs and host names.
[[nodiscard]] std::string random_id(std::string_view prefix);

}  // namespace jitproxy
