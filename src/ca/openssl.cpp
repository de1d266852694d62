#include "openssl.hpp"

#include <openssl/err.h>

namespace jitproxy::ca {

std::string openssl_errors() {
    std::string text;
    while (auto const code = ERR_get_error()) {
        char line[256];
        ERR_error_string_n(code, line, sizeof line);
        if (!text.empty()) text += "; ";
        text += line;
    }
    return text.empty() ? "no reason given" : text;
}

error openssl_failure(std::string_view what) {
    return make_error(errc::internal, std::string(what) + ": " + openssl_errors());
}

std::string_view contents(BIO* memory) {
    char* data = nullptr;
    auto const size = BIO_get_mem_data(memory, &data);
    return size > 0 ? std::string_view(data, static_cast<std::size_t>(size)) : std::string_view{};
}

}  // namespace jitproxy::ca
