#include "key_file.hpp"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <sys/stat.h>

#include "file.hpp"
#include "jitproxy/base/secret.hpp"
#include "openssl.hpp"

namespace jitproxy::ca {
namespace {

// Without a callback OpenSSL asks for an encrypted key's password on the terminal.
int no_password(char*, int, int, void*) {
    return -1;
}

bool is_p256(EVP_PKEY const* key) {
    char group[32] = "";
    return EVP_PKEY_is_a(key, "EC") == 1 &&
           EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group, nullptr) == 1 &&
           std::string_view(group) == "prime256v1";
}

}  // namespace

result<pkey_ptr> read_key(std::filesystem::path const& file) {
    auto content = read_file(file);
    if (!content) return content.error();
    if (!*content) return pkey_ptr{};
    secret const pem(std::move((*content)->bytes));
    if (((*content)->mode & (S_IRWXG | S_IRWXO)) != 0)
        return make_error(errc::storage, file.string() +
                                             ": others may read or write the CA's key; if nobody has, mend it with "
                                             "\"chmod 600\", else make a new CA with \"jitproxy ca rotate\"");
    bio_ptr const in(BIO_new_mem_buf(pem.reveal().data(), static_cast<int>(pem.reveal().size())));
    pkey_ptr key(in ? PEM_read_bio_PrivateKey(in.get(), nullptr, no_password, nullptr) : nullptr);
    ERR_clear_error();  // what OpenSSL says of a key is not for messages
    if (!key || !is_p256(key.get()))
        return make_error(errc::storage, file.string() +
                                             ": holds no unencrypted EC P-256 private key in PEM; restore it from a "
                                             "backup, or make a new CA with \"jitproxy ca rotate\"");
    return key;
}

result<void> write_key(std::filesystem::path const& file, EVP_PKEY* key) {
    bio_ptr const out(BIO_new(BIO_s_secmem()));  // wiped when freed
    if (!out || PEM_write_bio_PKCS8PrivateKey(out.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1)
        return openssl_failure("the CA's key cannot be written as PEM");
    return write_file_atomically(file, contents(out.get()), S_IRUSR | S_IWUSR);
}

}  // namespace jitproxy::ca
