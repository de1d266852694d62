#include "jitproxy/ca/authority.hpp"

#include <algorithm>
#include <chrono>

#include "certificate.hpp"
#include "file.hpp"
#include "hierarchy.hpp"
#include "jitproxy/base/log.hpp"
#include "names.hpp"
#include "openssl.hpp"

namespace jitproxy::ca {
namespace {

constexpr std::chrono::hours leaf_backdated{1};
constexpr std::chrono::hours leaf_lifetime{24 * 7};
constexpr milliseconds lock_patience{10'000};

// Every leaf of this process has the same key: making one costs as much as signing, and it never leaves memory.
result<EVP_PKEY*> leaf_key() {
    static auto const key = make_p256_key();  // lives as long as the process
    if (!key) return key.error();
    return key->get();
}

}  // namespace

struct authority::state {
    std::filesystem::path root_file;
    permitted names;
    bool constrained = true;
    hierarchy tiers;
    std::string root_pem;
    wall_time not_after;

    // What both ways to an authority share. `fresh`: all anew in any case.
    static result<std::shared_ptr<state const>> open(authority_options const& options, wall_time now, bool fresh);
};

result<std::shared_ptr<authority::state const>> authority::state::open(authority_options const& options, wall_time now,
                                                                       bool fresh) {
    auto names = permitted::parse(options.permitted_names);
    if (!names) return names.error();
    if (options.lifetime <= seconds{0}) return make_error(errc::configuration, "the CA's lifetime must be positive");
    if (auto const made = make_private_directory(options.directory); !made) return made.error();
    // Two processes that start at once must not end with different keys. A directory that can't be written to still
    // serves where key and certificates are good as they are.
    auto const lock = lock_directory(options.directory, lock_patience);
    if (!lock) return lock.error();

    auto s = std::make_shared<state>();
    s->root_file = root_file_in(options.directory);
    s->names = std::move(*names);
    s->constrained = options.name_constraints;
    auto const* const constraints = s->constrained ? &s->names : nullptr;

    std::string why = "it was asked for";
    bool known = false;  // to clients, which have to be told of a new one
    if (!fresh) {
        auto found = read_hierarchy(options.directory);
        if (!found) return found.error();
        auto reason = reason_to_replace(*found, constraints, now);
        if (!reason) return reason.error();
        why = std::move(*reason);
        known = found->root != nullptr;
        s->tiers = std::move(*found);
    }
    if (!why.empty()) {
        auto made = make_hierarchy(constraints, options.lifetime, now);
        if (!made) return made.error();
        s->tiers = std::move(*made);
        if (auto const written = write_hierarchy(options.directory, s->tiers); !written) return written.error();
    }
    auto pem = to_pem(s->tiers.root.get());
    if (!pem) return pem.error();
    s->root_pem = std::move(*pem);
    s->not_after =
        std::min(time_of(X509_get0_notAfter(s->tiers.root.get())), time_of(X509_get0_notAfter(s->tiers.issuing.get())));
    if (known && !why.empty())
        log::warning("the local CA was made anew: running agents trust the old one and have to be restarted",
                     {{"root", s->root_file.string()}, {"why", why}, {"until", format_rfc3339(s->not_after)}});
    else if (!why.empty())
        log::info("a local CA was made",
                  {{"root", s->root_file.string()}, {"why", why}, {"until", format_rfc3339(s->not_after)}});
    if (auto const key = leaf_key(); !key) return key.error();  // now rather than at the first request
    return std::shared_ptr<state const>(std::move(s));
}

result<authority> authority::load_or_create(authority_options const& options, wall_time now) {
    auto opened = state::open(options, now, false);
    if (!opened) return opened.error();
    return authority(std::move(*opened));
}

result<authority> authority::rotate(authority_options const& options, wall_time now) {
    auto opened = state::open(options, now, true);
    if (!opened) return opened.error();
    return authority(std::move(*opened));
}

result<leaf> authority::mint(std::string_view normalised_host, wall_time now) const {
    if (!address_bytes(normalised_host) && !is_dns_name(normalised_host))
        return make_error(errc::host_denied,
                          "no certificate can be made for this host: its name has letters that no "
                          "DNS name in a certificate may have");
    if (state_->constrained && !state_->names.allows(normalised_host))
        return make_error(errc::host_denied, std::string(normalised_host) +
                                                 " is outside the local CA's name constraints; protected hosts are "
                                                 "listed under [[api]] hosts");
    if (now >= state_->not_after)
        return make_error(errc::internal,
                          state_->root_file.string() +
                              ": the local CA has expired; reload (SIGHUP) or restart jitproxy to have it made "
                              "anew, and start agents anew");
    auto const key = leaf_key();
    if (!key) return key.error();
    leaf_order order;
    order.issuer = state_->tiers.issuing.get();
    order.issuer_key = state_->tiers.key.get();
    order.key = *key;
    order.host = normalised_host;
    order.not_before = now - leaf_backdated;
    order.not_after = std::min<wall_time>(now + leaf_lifetime, state_->not_after);
    auto certificate = make_leaf_certificate(order);
    if (!certificate) return certificate.error();
    EVP_PKEY_up_ref(*key);
    return leaf{std::move(*certificate), pkey_ptr(*key)};
}

std::string const& authority::root_pem() const noexcept {
    return state_->root_pem;
}

X509* authority::root_certificate() const noexcept {
    return state_->tiers.root.get();
}

X509* authority::issuing_certificate() const noexcept {
    return state_->tiers.issuing.get();
}

std::filesystem::path authority::root_file() const {
    return state_->root_file;
}

std::string authority::fingerprint_sha256() const {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    std::string text;
    if (X509_digest(state_->tiers.root.get(), EVP_sha256(), digest, &size) != 1) return text;
    constexpr std::string_view digits = "0123456789ABCDEF";
    for (unsigned i = 0; i < size; ++i) {
        if (i > 0) text += ':';
        text += digits[digest[i] >> 4];
        text += digits[digest[i] & 0xf];
    }
    return text;
}

wall_time authority::not_after() const noexcept {
    return state_->not_after;
}

wall_time authority::renew_after() const {
    return ca::renew_after(state_->tiers);
}

std::vector<std::string> const& authority::permitted_names() const noexcept {
    return state_->names.names();
}

}  // namespace jitproxy::ca
