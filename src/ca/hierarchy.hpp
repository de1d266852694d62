// The two tiers of the local CA: a root that clients trust, and below it the one issuing CA, which signs leaves. The
// root's key is gone as soon as it has signed the issuing certificate, so the only key there is to steal is bound by a
// certificate that no client takes for trusted by itself: its name constraints are checked (RFC 5280 6.1.4) where those
// of a root may be ignored (6.1.1).
#pragma once
#include <filesystem>
#include <string>

#include "jitproxy/base/clock.hpp"
#include "jitproxy/base/error.hpp"
#include "jitproxy/ca/authority.hpp"
#include "names.hpp"

namespace jitproxy::ca {

struct hierarchy {
    pkey_ptr key;  // the issuing CA's
    x509_ptr issuing;
    x509_ptr root;
};

[[nodiscard]] std::filesystem::path root_file_in(std::filesystem::path const& directory);

// What the directory holds; null what it does not. Errors: storage.
[[nodiscard]] result<hierarchy> read_hierarchy(std::filesystem::path const& directory);

// A fifth of a certificate's life is left then: time to make it all anew.
[[nodiscard]] wall_time renew_after(hierarchy const& h);

// Why it can't be used (any longer), empty where it can. `constraints` as in the options; null: none. Errors: internal.
[[nodiscard]] result<std::string> reason_to_replace(hierarchy const& h, permitted const* constraints, wall_time now);

// All new, both certificates valid from an hour ago. Errors: internal.
[[nodiscard]] result<hierarchy> make_hierarchy(permitted const* constraints, seconds lifetime, wall_time now);

// Key, issuing certificate, root, each replaced in one step. Cut short between two of them, what lies there does not
// belong together, and reason_to_replace says so at the next start. The root comes last: a client that finds a new one
// finds a whole CA. Errors: storage, internal.
[[nodiscard]] result<void> write_hierarchy(std::filesystem::path const& directory, hierarchy const& h);

}  // namespace jitproxy::ca
