#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <fstream>
#include <iostream>
#include <iterator>

#include "jitproxy/app/client_environment.hpp"
#include "jitproxy/app/commands.hpp"
#include "jitproxy/app/paths.hpp"
#include "jitproxy/app/settings.hpp"

namespace jitproxy::app {
namespace {

int print_ca(ca::authority const& a, std::filesystem::path const& bundle) {
    std::cout << "certificate: " << a.root_file().string() << "\nbundle: " << bundle.string()
              << "\nsha256: " << a.fingerprint_sha256() << "\nexpires: " << format_rfc3339(a.not_after())
              << "\nsigns for:";
    for (auto const& name : a.permitted_names()) std::cout << " " << name;
    std::cout << "\n";
    return exit_done;
}

struct bio_free {
    void operator()(BIO* b) const noexcept { BIO_free_all(b); }
};
using bio_ptr = std::unique_ptr<BIO, bio_free>;

std::string content_of(std::filesystem::path const& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

// Null where the file holds none.
ca::x509_ptr certificate_in(std::string const& pem) {
    bio_ptr const source(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    return ca::x509_ptr(PEM_read_bio_X509(source.get(), nullptr, nullptr, nullptr));
}

// The certificate as text under a heading.
std::string describe(std::string const& heading, ca::x509_ptr const& certificate) {
    bio_ptr const text(BIO_new(BIO_s_mem()));
    if (!text) return {};
    auto const flags = X509_FLAG_NO_PUBKEY | X509_FLAG_NO_SIGDUMP | X509_FLAG_NO_HEADER | X509_FLAG_NO_VERSION;
    BIO_puts(text.get(), (heading + "\n").c_str());
    X509_print_ex(text.get(), certificate.get(), XN_FLAG_ONELINE, flags);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (X509_digest(certificate.get(), EVP_sha256(), digest, &size) == 1) {
        BIO_puts(text.get(), "        SHA-256: ");
        for (unsigned i = 0; i < size; ++i) BIO_printf(text.get(), "%s%02X", i ? ":" : "", digest[i]);
        BIO_puts(text.get(), "\n");
    }
    char* bytes = nullptr;
    auto const length = BIO_get_mem_data(text.get(), &bytes);
    return {bytes, static_cast<std::size_t>(length)};
}

// What stands in the files, and nothing else: showing a CA must not make or change one. The issuing certificate is not
// printed as PEM, so that nobody comes to trust it, and by that to ignore its name constraints.
int show_ca(std::filesystem::path const& state) {
    auto const root_file = state / "ca.pem";
    auto const issuing_file = state / "ca-issuing.pem";
    auto const pem = content_of(root_file);
    auto const root = certificate_in(pem);
    auto const issuing = certificate_in(content_of(issuing_file));
    std::string const way_out = "; make the CA anew with `jitproxy ca rotate`, and start agents anew";
    if (!root) return fail(root_file.string() + " holds no certificate" + way_out);
    if (!issuing) return fail(issuing_file.string() + " holds no certificate" + way_out);
    if (X509_verify(issuing.get(), X509_get0_pubkey(root.get())) != 1)  // the root may have a key in the directory then
        return fail(root_file.string() + " has not signed " + issuing_file.string() + way_out);
    std::cout << describe("root, which clients trust; its key no longer exists: " + root_file.string(), root)
              << describe("issuing CA, whose key signs: " + issuing_file.string(), issuing) << pem;
    return exit_done;
}

}  // namespace

int manage_ca(common_options const& o, ca_action action, bool want_bundle) {
    auto const loaded = load_with(o, false);
    if (report_problems(loaded)) return exit_bad_configuration;
    auto const state = state_directory(loaded.value, o.variables);
    if (!state) return fail(state.error());
    auto const bundle = *state / "ca-bundle.pem";
    std::error_code ec;
    bool const exists = std::filesystem::exists(*state / "ca.pem", ec);
    if (!exists && (action == ca_action::show || action == ca_action::path))
        return fail("there is no CA yet in " + state->string() + "; make it with `jitproxy ca init`");
    if (action == ca_action::path) {
        std::cout << (want_bundle ? bundle : *state / "ca.pem").string() << "\n";
        return exit_done;
    }
    if (action == ca_action::show) return show_ca(*state);
    if (auto made = ensure_directory(*state); !made) return fail(made.error());
    auto const rules = make_rules(loaded.value);
    if (!rules) return fail(rules.error());
    auto const options = authority_settings(loaded.value, **rules, *state);
    auto const now = std::chrono::system_clock::now();
    auto const before = content_of(*state / "ca.pem");
    auto const a =
        action == ca_action::rotate ? ca::authority::rotate(options, now) : ca::authority::load_or_create(options, now);
    if (!a) return fail(a.error());
    if (auto done = ca::write_bundle(bundle, a->root_pem()); !done) return fail(done.error());
    if (auto done = ca::write_truststore(*state / "truststore.p12", *a, truststore_password); !done)
        return fail(done.error());
    if (action == ca_action::rotate || (!before.empty() && before != a->root_pem()))
        std::cerr << "jitproxy: a new CA; reload a running daemon (SIGHUP), and start agents anew\n";
    return print_ca(*a, bundle);
}

}  // namespace jitproxy::app
