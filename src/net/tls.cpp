#include "jitproxy/net/tls.hpp"

#include <openssl/err.h>
#include <openssl/x509.h>

#include "jitproxy/base/encoding.hpp"

namespace jitproxy::net {

namespace {

constexpr unsigned char http_1_1[] = "\x08http/1.1";
constexpr unsigned http_1_1_size = sizeof(http_1_1) - 1;

void set_common(SSL_CTX* context) {
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384");
}

int keep_session(SSL* ssl, SSL_SESSION* session) {
    auto* slot = static_cast<session_slot*>(SSL_get_ex_data(ssl, 0));
    if (slot == nullptr) return 0;
    slot->session.reset(session);
    return 1;  // ours now
}

error file_error(std::string const& file, char const* what) {
    auto const code = ERR_get_error();
    char const* reason = code != 0 ? ERR_reason_error_string(code) : nullptr;
    return make_error(errc::configuration,
                      file + ": " + what + (reason != nullptr ? std::string(": ") + reason : std::string()));
}

result<ssl_ctx_ptr> make_client_context(policy::api const* api, X509_STORE* system_roots) {
    ERR_clear_error();
    ssl_ctx_ptr context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
    if (!context) return make_error(errc::internal, "TLS context could not be made");
    set_common(context.get());
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_alpn_protos(context.get(), http_1_1, http_1_1_size);
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(context.get(), keep_session);
    if (api == nullptr || api->ca_file.empty()) {
        SSL_CTX_set1_cert_store(context.get(), system_roots);
    } else {
        SSL_CTX_set_default_verify_paths(context.get());
        if (SSL_CTX_load_verify_file(context.get(), api->ca_file.c_str()) != 1)
            return file_error(api->ca_file, "cannot be read as PEM certificates");
    }
    if (api != nullptr && !api->client_certificate_file.empty()) {
        if (SSL_CTX_use_certificate_chain_file(context.get(), api->client_certificate_file.c_str()) != 1)
            return file_error(api->client_certificate_file, "cannot be read as a PEM certificate chain");
        if (SSL_CTX_use_PrivateKey_file(context.get(), api->client_key_file.c_str(), SSL_FILETYPE_PEM) != 1)
            return file_error(api->client_key_file, "cannot be read as the certificate's PEM key");
    }
    return context;
}

// The client's list is walked for http/1.1; without it the handshake goes on without ALPN (RFC 7301 3.2 would let it
// fail, but a client that offers only h2 gets a clear HTTP/1.1 answer instead).
int choose_http_1_1(SSL*, unsigned char const** chosen, unsigned char* chosen_size, unsigned char const* offered,
                    unsigned offered_size, void*) {
    unsigned char* found = nullptr;
    if (SSL_select_next_proto(&found, chosen_size, http_1_1, http_1_1_size, offered, offered_size) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *chosen = found;
    return SSL_TLSEXT_ERR_OK;
}

}  // namespace

result<std::shared_ptr<upstream_tls const>> upstream_tls::create(std::vector<policy::api_ptr> const& apis) {
    auto made = std::make_shared<upstream_tls>();
    // Parsed once: it costs tens of milliseconds.
    std::unique_ptr<X509_STORE, void (*)(X509_STORE*)> roots(X509_STORE_new(), X509_STORE_free);
    if (!roots || X509_STORE_set_default_paths(roots.get()) != 1)
        return make_error(errc::configuration, "the system's root certificates cannot be read");
    auto plain = make_client_context(nullptr, roots.get());
    if (!plain) return plain.error();
    made->plain_ = *plain;
    for (auto const& api : apis) {
        auto context = make_client_context(api.get(), roots.get());
        if (!context) return context.error();
        made->contexts_.emplace(api.get(), *context);
    }
    return std::shared_ptr<upstream_tls const>(std::move(made));
}

SSL_CTX* upstream_tls::context(policy::api const* api) const {
    auto const found = contexts_.find(api);
    return found == contexts_.end() ? plain_.get() : found->second.get();
}

result<ssl_ctx_ptr> make_server_context(X509* certificate, EVP_PKEY* key, X509* issuer) {
    ERR_clear_error();
    ssl_ctx_ptr context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
    if (!context) return make_error(errc::internal, "TLS context could not be made");
    set_common(context.get());
    SSL_CTX_set_num_tickets(context.get(), 1);
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);  // tickets hold the state
    SSL_CTX_set_alpn_select_cb(context.get(), choose_http_1_1, nullptr);
    if (SSL_CTX_use_certificate(context.get(), certificate) != 1 || SSL_CTX_use_PrivateKey(context.get(), key) != 1)
        return make_error(errc::internal, "the minted certificate cannot be used");
    if (issuer != nullptr && SSL_CTX_add1_chain_cert(context.get(), issuer) != 1)
        return make_error(errc::internal, "the issuing certificate cannot be used");
    return context;
}

std::string sni_of(SSL* connection) {
    char const* name = SSL_get_servername(connection, TLSEXT_NAMETYPE_host_name);
    return name == nullptr ? std::string() : to_lower(name);
}

}  // namespace jitproxy::net
