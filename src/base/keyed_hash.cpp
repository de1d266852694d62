#include "jitproxy/base/keyed_hash.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>

#include "jitproxy/base/error.hpp"

namespace jitproxy {

std::string keyed_hash::operator()(std::string_view text) const {
    std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
    unsigned size = 0;
    auto const key = key_->reveal();
    if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
             reinterpret_cast<unsigned char const*>(text.data()), text.size(), hash.data(), &size) == nullptr)
        throw failure(make_error(errc::internal, "HMAC-SHA256 cannot be computed"));
    std::string out;
    for (unsigned i = 0; i != size; ++i) {
        out += "0123456789abcdef"[hash[i] >> 4U];
        out += "0123456789abcdef"[hash[i] & 15U];
    }
    return out;
}

}  // namespace jitproxy
