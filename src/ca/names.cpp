#include "names.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <set>

#include "jitproxy/base/encoding.hpp"

namespace jitproxy::ca {
namespace {

using subtrees = STACK_OF(GENERAL_SUBTREE);

// What is permitted where nothing of its kind is: a name that never resolves (RFC 6761 6.4), and addresses that no
// connection can be made to: limited broadcast, and a multicast address that is reserved (RFC 4291 2.7.1). To exclude
// the whole kind instead ("", 0.0.0.0/0, ::/0) is equally good by RFC 5280, but Java 17 fails with an exception on such
// subtrees, for permitted addresses too: it compares IPv4 addresses with IPv6 subtrees byte by byte.
constexpr char const* no_dns_name = "none.invalid";
constexpr char const* no_v4_address = "255.255.255.255";
constexpr char const* no_v6_address = "ff00::";

bool add_subtree(subtrees*& list, general_name_ptr name) {
    if (!name) return false;
    if (list == nullptr) list = sk_GENERAL_SUBTREE_new_null();
    general_subtree_ptr subtree(GENERAL_SUBTREE_new());
    if (list == nullptr || !subtree) return false;
    GENERAL_NAME_free(subtree->base);
    subtree->base = name.release();
    if (sk_GENERAL_SUBTREE_push(list, subtree.get()) <= 0) return false;
    static_cast<void>(subtree.release());
    return true;
}

general_name_ptr make_name(int kind, std::string_view bytes) {
    general_name_ptr name(GENERAL_NAME_new());
    ASN1_STRING* text = ASN1_STRING_type_new(kind == GEN_IPADD ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
    if (!name || text == nullptr || ASN1_STRING_set(text, bytes.data(), static_cast<int>(bytes.size())) != 1) {
        ASN1_STRING_free(text);
        return nullptr;
    }
    GENERAL_NAME_set0_value(name.get(), kind, text);
    return name;
}

// One spelling an address, for comparing.
std::string address_text(std::string const& bytes) {
    char text[INET6_ADDRSTRLEN] = "";
    ::inet_ntop(bytes.size() == 4 ? AF_INET : AF_INET6, bytes.data(), text, sizeof text);
    return text;
}

}  // namespace

std::optional<std::string> address_bytes(std::string_view text) {
    std::string const terminated(text);
    unsigned char bytes[16];
    if (::inet_pton(AF_INET, terminated.c_str(), bytes) == 1) return std::string(bytes, bytes + 4);
    if (::inet_pton(AF_INET6, terminated.c_str(), bytes) == 1) return std::string(bytes, bytes + 16);
    return std::nullopt;
}

bool is_dns_name(std::string_view text) noexcept {
    if (text.empty() || text.size() > 253) return false;
    std::size_t label = 0;
    for (char const c : text) {
        if (c == '.') {
            if (label == 0) return false;
            label = 0;
            continue;
        }
        bool const good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
        if (!good || ++label > 63) return false;
    }
    return label > 0;
}

result<permitted> permitted::parse(std::vector<std::string> const& names) {
    permitted out;
    for (auto const& given : names) {
        auto name = to_lower(given);
        if (auto const address = address_bytes(name); address) {
            name = address_text(*address);
        } else if (!is_dns_name(name.starts_with('.') ? std::string_view(name).substr(1) : std::string_view(name))) {
            return make_error(errc::configuration, "\"" + given + "\" is no host name that a certificate can carry");
        }
        if (std::find(out.names_.begin(), out.names_.end(), name) == out.names_.end())
            out.names_.push_back(std::move(name));
    }
    return out;
}

bool permitted::allows(std::string_view host) const {
    auto const address = address_bytes(host);
    auto const one_spelling = address ? address_text(*address) : std::string(host);
    return std::any_of(names_.begin(), names_.end(), [&](std::string const& name) {
        if (name.front() != '.') return one_spelling == name;
        return !address && host.size() > name.size() && host.ends_with(name);
    });
}

name_constraints_ptr permitted::constraints() const {
    std::set<std::string> dns;  // sorted: the order of the configuration must not make another certificate
    std::set<std::string> v4;
    std::set<std::string> v6;
    for (auto const& name : names_) {
        if (auto const address = address_bytes(name); address)
            (address->size() == 4 ? v4 : v6).insert(*address);
        else  // a constraint has no leading dot (stacks differ where it has one) and covers the name and all below it
            dns.insert(name.substr(name.front() == '.' ? 1 : 0));
    }
    if (dns.empty()) dns.insert(no_dns_name);
    if (v4.empty()) v4.insert(*address_bytes(no_v4_address));
    if (v6.empty()) v6.insert(*address_bytes(no_v6_address));
    name_constraints_ptr all(NAME_CONSTRAINTS_new());
    if (!all) return nullptr;
    bool good = true;
    for (auto const& name : dns) good = good && add_subtree(all->permittedSubtrees, make_name(GEN_DNS, name));
    for (auto const& addresses : {v4, v6})
        for (auto const& address : addresses)
            good = good && add_subtree(all->permittedSubtrees,
                                       make_name(GEN_IPADD, address + std::string(address.size(), '\xff')));
    return good ? std::move(all) : nullptr;
}

}  // namespace jitproxy::ca
