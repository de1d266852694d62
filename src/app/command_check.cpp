#include <iostream>

#include "jitproxy/app/commands.hpp"
#include "jitproxy/app/config_keys.hpp"

namespace jitproxy::app {

int check(common_options const& o) {
    auto const loaded = load_with(o, true);
    if (report_problems(loaded)) return exit_bad_configuration;
    for (auto const& warning : loaded.warnings) std::cerr << "warning: " << warning << "\n";
    std::cout << "# " << (loaded.file.empty() ? "no file" : loaded.file) << "\n" << render_config(loaded.value);
    bool const by_variable = o.variables("AGENT_CLIENT_SECRET").has_value();
    std::cout << "# client secret: "
              << (by_variable ? "AGENT_CLIENT_SECRET"
                  : !loaded.value.authorization_server.client_secret_file.empty()
                      ? loaded.value.authorization_server.client_secret_file
                      : "the service manager's credential")
              << " (hidden)\n";
    return exit_done;
}

}  // namespace jitproxy::app
