#include "jitproxy/base/secret.hpp"

#include <openssl/crypto.h>

#include <utility>

namespace jitproxy {

void wipe(std::string& value) noexcept {
    // Also what lies between size and capacity: an earlier, longer value may have left its end there. Growing to the
    // capacity allocates nothing.
    value.resize(value.capacity());
    OPENSSL_cleanse(value.data(), value.size());
    value.clear();
}

secret::secret(std::string value) : value_(std::move(value)) {
    wipe(value);  // a short string was copied, not moved
}

secret::secret(secret&& other) noexcept : value_(std::move(other.value_)) {
    wipe(other.value_);
}

secret& secret::operator=(secret&& other) noexcept {
    if (this != &other) {
        wipe(value_);
        value_ = std::move(other.value_);
        wipe(other.value_);
    }
    return *this;
}

secret::~secret() {
    wipe(value_);
}

secret_ptr make_secret(std::string value) {
    auto made = std::make_shared<secret const>(std::move(value));
    wipe(value);
    return made;
}

bool constant_time_equal(std::string_view a, std::string_view b) noexcept {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace jitproxy
