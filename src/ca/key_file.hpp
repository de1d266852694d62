// The CA's private key on disk: PKCS#8 PEM, readable by its owner only.
#pragma once
#include <filesystem>

#include "jitproxy/base/error.hpp"
#include "jitproxy/ca/authority.hpp"

namespace jitproxy::ca {

// Null where there is no such file. Errors: storage, where others may read it, or it holds no EC P-256 key.
[[nodiscard]] result<pkey_ptr> read_key(std::filesystem::path const& file);
[[nodiscard]] result<void> write_key(std::filesystem::path const& file, EVP_PKEY* key);

}  // namespace jitproxy::ca
