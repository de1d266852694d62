// What only shows when a file or a pattern that the configuration names is looked into.
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <memory>

#include "jitproxy/app/config_reader.hpp"

namespace jitproxy::app {
namespace {

using context = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;

context new_context() {
    context made(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
    if (!made) throw failure(make_error(errc::internal, "TLS context could not be made"));
    // A key with a passphrase is refused, rather than that for ask whoever sits at the terminal.
    SSL_CTX_set_default_passwd_cb(made.get(), [](char*, int, int, void*) { return -1; });
    return made;
}

std::string reason() {
    auto const code = ERR_peek_last_error();
    char const* text = code != 0 ? ERR_reason_error_string(code) : nullptr;
    return text == nullptr ? std::string() : std::string(" (") + text + ")";
}

}  // namespace

void check_certificates(config const& c, config_reader& reader) {
    auto const wrong = [&](std::string const& path, std::string_view table, std::string_view key,
                           std::string const& file, std::string_view what) {
        reader.report(reader.where(path + "." + std::string(key)),
                      std::string(table) + "." + std::string(key) + ": " + file + " " + std::string(what) + reason());
    };
    auto const check_roots = [&](std::string const& path, std::string_view table, std::string const& file) {
        ERR_clear_error();
        if (!file.empty() && SSL_CTX_load_verify_file(new_context().get(), file.c_str()) != 1)
            wrong(path, table, "ca_file", file, "holds no certificates in PEM");
    };
    check_roots("authorization_server", "authorization_server", c.authorization_server.ca_file);
    for (std::size_t i = 0; i < c.apis.size(); ++i) {
        auto const& api = c.apis[i];
        auto const path = "api." + std::to_string(i);
        check_roots(path, "api", api.ca_file);
        if (api.client_certificate_file.empty() || api.client_key_file.empty()) continue;
        ERR_clear_error();
        auto const pair = new_context();
        if (SSL_CTX_use_certificate_chain_file(pair.get(), api.client_certificate_file.c_str()) != 1)
            wrong(path, "api", "client_certificate_file", api.client_certificate_file,
                  "holds no certificate chain in PEM");
        else if (SSL_CTX_use_PrivateKey_file(pair.get(), api.client_key_file.c_str(), SSL_FILETYPE_PEM) != 1)
            wrong(path, "api", "client_key_file", api.client_key_file, "does not hold the certificate's key in PEM");
    }
    ERR_clear_error();
}

std::string unknown_placeholder(std::string_view pattern) {
    static constexpr std::array<std::string_view, 4> known{"method", "url", "host", "api"};
    for (auto at = pattern.find('{'); at != std::string_view::npos; at = pattern.find('{', at + 1)) {
        auto const rest = pattern.substr(at + 1);
        auto const size = rest.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
        if (size == 0 || size == std::string_view::npos || rest[size] != '}') continue;  // braces of another kind
        if (std::find(known.begin(), known.end(), rest.substr(0, size)) == known.end())
            return std::string(pattern.substr(at, size + 2));
    }
    return {};
}

}  // namespace jitproxy::app
