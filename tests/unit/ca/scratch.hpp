// A directory of its own for a test, gone after it; and the pieces that the CA's tests share.
#pragma once
#include <openssl/x509v3.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "directory.hpp"
#include "jitproxy/base/log.hpp"
#include "jitproxy/ca/authority.hpp"

namespace jitproxy::ca::test {

namespace fs = std::filesystem;

inline std::string logged;  // every line since the test began

class scratch_directory {
  public:
    scratch_directory() {
        logged.clear();
        log::capture([](std::string_view line) { logged.append(line) += '\n'; });
    }
    ~scratch_directory() { log::capture(nullptr); }
    scratch_directory(scratch_directory const&) = delete;
    scratch_directory& operator=(scratch_directory const&) = delete;
    [[nodiscard]] fs::path const& path() const noexcept { return directory_.path(); }
    fs::path operator/(char const* name) const { return directory_.file(name); }

  private:
    jitproxy::test::directory directory_;
};

inline std::string slurp(fs::path const& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

inline void spill(fs::path const& file, std::string const& bytes) {
    std::ofstream(file, std::ios::binary) << bytes;
}

inline authority_options options_for(fs::path const& directory, std::vector<std::string> names) {
    authority_options o;
    o.directory = directory;
    o.permitted_names = std::move(names);
    return o;
}

inline unsigned mode_of(fs::path const& file) {
    return static_cast<unsigned>(fs::status(file).permissions()) & 0777U;
}

inline bool same_key(X509* a, X509* b) {
    return EVP_PKEY_eq(X509_get0_pubkey(a), X509_get0_pubkey(b)) == 1;
}

// X509_V_OK, or why OpenSSL would not accept this certificate from a server that sends the others with it, when only
// the root is trusted.
inline int verify_error(X509* root, X509* certificate, std::vector<X509*> const& sent, wall_time at) {
    X509_STORE* store = X509_STORE_new();
    X509_STORE_add_cert(store, root);
    STACK_OF(X509)* others = sk_X509_new_null();
    for (auto* const other : sent) sk_X509_push(others, other);
    X509_STORE_CTX* context = X509_STORE_CTX_new();
    X509_STORE_CTX_init(context, store, certificate, others);
    auto* parameters = X509_STORE_CTX_get0_param(context);
    X509_VERIFY_PARAM_set_purpose(parameters, X509_PURPOSE_SSL_SERVER);
    X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_X509_STRICT);
    X509_VERIFY_PARAM_set_time(parameters, std::chrono::system_clock::to_time_t(at));
    X509_verify_cert(context);
    int const error = X509_STORE_CTX_get_error(context);
    X509_STORE_CTX_free(context);
    sk_X509_free(others);
    X509_STORE_free(store);
    return error;
}

// The same with what a server of this CA sends.
inline int verify_error(authority const& a, X509* certificate, wall_time at) {
    return verify_error(a.root_certificate(), certificate, {a.issuing_certificate()}, at);
}

// 2026-03-01T12:00:00Z
inline wall_time const noon = std::chrono::system_clock::from_time_t(1772366400);
inline constexpr std::chrono::hours one_hour{1};
inline constexpr std::chrono::hours one_day{24};

}  // namespace jitproxy::ca::test
