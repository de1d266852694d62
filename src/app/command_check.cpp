#include <iostream>

#include "jitproxy/app/commands.hpp"
#include "jitproxy/app/config_keys.hpp"

namespace jitproxy::app {

int check(common_options const& o) {
    auto const loaded = load_with(o, true);
    if (report_problems(loaded)) return exit_bad_configuration;
    for (auto const& warning : loaded.warnings) std::cerr << "warning: " << warning << "\n";
    std::cout << "# " << (loaded.file.empty() ? "no file" : loaded.file) << "\n" << render_config(loaded.value);
    for (auto const& a : loaded.agents)
        std::cout << "# client secret of agent " << a.name << ": " << a.secret_from << " (hidden)\n";
    return exit_done;
}

}  // namespace jitproxy::app
