#include "jitproxy/base/id.hpp"

#include <sys/random.h>

#include <cerrno>

#include "jitproxy/base/encoding.hpp"
#include "jitproxy/base/error.hpp"
#include "jitproxy/base/secret.hpp"

namespace jitproxy {
namespace {

std::string random_bytes(std::size_t count) {
    std::string bytes(count, '\0');
    std::size_t done = 0;
    while (done < count) {
        ssize_t const got = ::getrandom(bytes.data() + done, count - done, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) throw failure(make_error(errc::internal, "the system's random generator failed"));
        done += static_cast<std::size_t>(got);
    }
    return bytes;
}

}  // namespace

std::string random_token(std::size_t bytes) {
    auto raw = random_bytes(bytes);
    auto token = encode_base64url(raw);
    wipe(raw);
    return token;
}

std::string random_id(std::string_view prefix) {
    constexpr char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";  // RFC 4648 6, in lower case
    std::string id{prefix};
    id += '_';
    unsigned bits = 0;
    unsigned left = 0;
    for (char const c : random_bytes(10)) {
        bits = (bits << 8) | static_cast<unsigned char>(c);
        for (left += 8; left >= 5;) {
            left -= 5;
            id += alphabet[(bits >> left) & 31];
        }
    }
    return id;
}

}  // namespace jitproxy
