#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "jitproxy/app/accounts.hpp"
#include "jitproxy/app/daemon.hpp"
#include "jitproxy/app/paths.hpp"
#include "jitproxy/app/service_manager.hpp"
#include "jitproxy/app/settings.hpp"
#include "jitproxy/base/log.hpp"

namespace jitproxy::app {
namespace {

// The group must get through the directory to the socket; it sees nothing there. Only a directory that is ours alone is
// opened: one that the configuration names is its owner's business.
result<void> let_group_in(std::filesystem::path const& directory, gid_t group) {
    if (chown(directory.c_str(), static_cast<uid_t>(-1), group) == 0 && chmod(directory.c_str(), 0710) == 0) return {};
    return make_error(errc::configuration, "listen.control_group: " + directory.string() +
                                               " cannot be given to it: " + std::strerror(errno) +
                                               "; the daemon's user must be a member of the group");
}

// listen.control with the flag or $JITPROXY_CONTROL above it, as an address.
result<control::address> control_address(common_options const& o, config const& c) {
    auto text = !o.control.empty() ? o.control : o.variables("JITPROXY_CONTROL").value_or(c.listen.control);
    if (text == "unix") {
        auto const runtime = runtime_directory(o.variables);
        if (auto made = ensure_directory(runtime); !made) return made.error();
        if (auto safe = check_private_directory(runtime); !safe) return safe.error();
        if (auto const group = find_group(c.listen.control_group))
            if (auto open = let_group_in(runtime, *group); !open) return open.error();
        text = "unix:" + (runtime / "control.sock").string();
    }
    auto parsed = control::parse_address(text);
    if (!parsed) return make_error(errc::configuration, parsed.error().detail);
    if (parsed->is_unix())
        if (auto made = ensure_directory(std::filesystem::path(parsed->path).parent_path()); !made) return made.error();
    return parsed;
}

}  // namespace

int serve(common_options const& o) {
    forbid_dumps();
    raise_limits();
    auto const loaded = load_with(o, true);
    if (report_problems(loaded)) return exit_bad_configuration;
    auto const& c = loaded.value;
    configure_log(c);
    auto const state = state_directory(c, o.variables);
    if (!state) return fail(state.error());
    auto const control = control_address(o, c);
    if (!control) return fail(control.error());

    auto passed = take_passed_sockets();
    if (!passed) return fail(passed.error());

    daemon_options d;
    d.parts.proxy_sockets = std::move(*passed);
    d.parts.state = *state;
    d.parts.orphans = *state / "runs";
    d.parts.audit_file = audit_file(c, *state);
    d.parts.control = *control;
    d.parts.control_group = find_group(c.listen.control_group);
    d.parts.control_token_file = c.listen.control_token_file.empty()
                                     ? *state / "control.token"
                                     : std::filesystem::path(c.listen.control_token_file);
    d.parts.config_file = loaded.file;
    d.reload = [&o] { return load_with(o, true); };
    d.ready = [&](std::vector<control::listener_info> const& listeners) {
        for (auto const& l : listeners) log::announce("jitproxy: " + l.kind + " listening on " + l.address);
        for (auto const& warning : loaded.warnings) log::warning(warning);
    };
    try {
        return run_daemon(c, loaded.agents, std::move(d));
    } catch (failure const& e) {
        return fail(e.what(), e.code == errc::configuration ? exit_bad_configuration : exit_failed);
    }
}

}  // namespace jitproxy::app
