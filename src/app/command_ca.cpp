#include <iostream>

#include "jitproxy/app/client_environment.hpp"
#include "jitproxy/app/commands.hpp"
#include "jitproxy/app/paths.hpp"
#include "jitproxy/app/settings.hpp"

namespace jitproxy::app {
namespace {

int print_ca(ca::authority const& a, std::filesystem::path const& bundle) {
    std::cout << "certificate: " << a.certificate_file().string() << "\nbundle: " << bundle.string()
              << "\nsha256: " << a.fingerprint_sha256() << "\nexpires: " << format_rfc3339(a.not_after())
              << "\nsigns for:";
    for (auto const& name : a.permitted_names()) std::cout << " " << name;
    std::cout << "\n";
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
    if (auto made = ensure_directory(*state); !made) return fail(made.error());
    auto const rules = make_rules(loaded.value);
    if (!rules) return fail(rules.error());
    auto const options = authority_settings(loaded.value, **rules, *state);
    auto const now = std::chrono::system_clock::now();
    auto const a =
        action == ca_action::rotate ? ca::authority::rotate(options, now) : ca::authority::load_or_create(options, now);
    if (!a) return fail(a.error());
    if (auto done = ca::write_bundle(bundle, a->certificate_pem()); !done) return fail(done.error());
    if (auto done = ca::write_truststore(*state / "truststore.p12", *a, truststore_password); !done)
        return fail(done.error());
    if (action == ca_action::show) std::cout << a->certificate_pem();
    if (action == ca_action::rotate)
        std::cerr << "jitproxy: a new CA; reload a running daemon (SIGHUP), and start agents anew\n";
    return print_ca(*a, bundle);
}

}  // namespace jitproxy::app
