#include <unistd.h>

#include <cstdio>
#include <iostream>

#include "jitproxy/app/commands.hpp"

namespace jitproxy::app {

loaded_config load_with(common_options const& o, bool need_credentials) {
    config_sources sources;
    sources.file = !o.config_file.empty() ? o.config_file : o.variables("JITPROXY_CONFIG").value_or("");
    sources.flags = o.flags;
    sources.protect = o.protect;
    sources.variables = o.variables;
    sources.need_credentials = need_credentials;
    return load_config(sources);
}

bool report_problems(loaded_config const& loaded) {
    for (auto const& problem : loaded.problems) std::cerr << problem.text() << "\n";
    return !loaded.ok();
}

int fail(std::string const& message, int code) {
    std::cerr << "jitproxy: " << message << "\n";
    return code;
}

int fail(error const& e) {
    return fail(e.detail.empty() ? std::string(name_of(e.code)) : e.detail,
                e.code == errc::configuration ? exit_bad_configuration : exit_failed);
}

result<secret_ptr> read_user_token(std::string const& file, variable_lookup const& variables) {
    if (file.empty()) {
        if (auto token = variables("LUMOAUTH_USER_TOKEN")) return make_secret(std::move(*token));
        return make_error(
            errc::bad_argument,
            "no user token: set LUMOAUTH_USER_TOKEN, or name a file with --user-token-file (- is standard "
            "input)");
    }
    if (file != "-") return read_secret_file(file);
    std::string line;
    std::getline(std::cin, line);
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty()) return make_error(errc::bad_argument, "no user token on standard input");
    return make_secret(std::move(line));
}

}  // namespace jitproxy::app
