#include <iostream>

#include "jitproxy/app/doctor.hpp"

namespace jitproxy::app {

int doctor(common_options const& o, bool as_json) {
    findings f;
    auto const loaded = load_with(o, true);
    for (auto const& problem : loaded.problems)
        f.failure("configuration", problem.text(), "mend it there; `jitproxy check` reads it again");
    for (auto const& warning : loaded.warnings)
        f.warning("configuration", warning, "change that key, or leave it where that is what is wanted");
    if (loaded.ok()) f.ok("configuration", loaded.file.empty() ? "good; there is no file" : loaded.file);
    examine_state(f, loaded, o);
    examine_daemon(f, loaded.value, o);
    examine_clients(f, loaded.value, o);
    if (loaded.ok()) examine_authorization_server(f, loaded.value, loaded.agents);
    examine_apis(f, loaded.value);
    if (as_json)
        std::cout << json::serialize(f.document()) << "\n";
    else
        std::cout << f.text();
    if (!loaded.ok()) return exit_bad_configuration;
    return f.worst() == verdict::failure ? exit_failed : exit_done;
}

}  // namespace jitproxy::app
