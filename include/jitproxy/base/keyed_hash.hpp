// Recognises a secret that is not kept: HMAC-SHA256 with a key that lives elsewhere. For secrets of full entropy only;
// a password that people choose needs a slow hash.
#pragma once
#include <string>
#include <string_view>

#include "jitproxy/base/secret.hpp"

namespace jitproxy {

class keyed_hash {
  public:
    explicit keyed_hash(secret_ptr key) : key_(std::move(key)) {}
    [[nodiscard]] std::string operator()(std::string_view text) const;  // lower-case hexadecimal

  private:
    secret_ptr key_;
};

}  // namespace jitproxy
