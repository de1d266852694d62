#include "jitproxy/app/private_daemon.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "jitproxy/app/daemon.hpp"
#include "jitproxy/app/paths.hpp"
#include "jitproxy/app/settings.hpp"
#include "jitproxy/base/id.hpp"

namespace jitproxy::app {
namespace fs = std::filesystem;
namespace {

constexpr int exit_unconfirmed = 3;

void tell(int fd, std::string const& text) {
    [[maybe_unused]] auto const n = write(fd, text.data(), text.size());
}

// The daemon process. Tells "ok", or an error's code and detail, at `report`.
int live(config const& c, std::vector<agent> const& agents, composition_options parts, int lifeline, int report) {
    daemon_options d;
    auto const directory = parts.state;
    d.parts = std::move(parts);
    d.lifeline = lifeline;
    d.ready = [report](std::vector<control::listener_info> const&) {
        tell(report, "ok");
        close(report);
    };
    int code = exit_failed;
    try {
        code = run_daemon(c, agents, std::move(d), exit_unconfirmed);
    } catch (failure const& e) {
        tell(report, std::string(1, static_cast<char>(e.code)) + e.what());
    } catch (std::exception const& e) {
        tell(report, std::string(1, static_cast<char>(errc::internal)) + e.what());
    }
    std::error_code ec;
    if (code != exit_unconfirmed) {
        fs::remove_all(directory, ec);
    } else {  // the journal stays, for the next daemon to empty
        for (auto const* name : {"ca.key", "ca-issuing.pem", "ca.pem", "ca-bundle.pem", "truststore.p12"})
            fs::remove(directory / name, ec);
    }
    return code;
}

void become_daemon_process() {
    setpgid(0, 0);  // the terminal's signals are for the command
    prctl(PR_SET_NAME, "jitproxy-run");
    forbid_dumps();
    raise_limits();
    int const null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) {
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
    }
}

}  // namespace

result<private_daemon> private_daemon::start(config const& c, std::vector<agent> const& agents,
                                             variable_lookup const& variables, bool listen) {
    auto made = start_once(c, agents, variables, listen);
    // Another daemon that starts at this very moment may have taken our state, still empty, for that of an ended run.
    if (!made && (made.error().code == errc::in_use || made.error().code == errc::storage))
        return start_once(c, agents, variables, listen);
    return made;
}

result<private_daemon> private_daemon::start_once(config c, std::vector<agent> const& agents,
                                                  variable_lookup const& variables, bool listen) {
    if (!listen) c.listen.proxy = {"127.0.0.1:0"};
    c.listen.workers = 1;
    // Warnings of this daemon are of interest, its ordinary lines would disturb the command's own.
    if (c.log.level == "info") c.log.level = "warning";
    auto const state = state_directory(c, variables);
    if (!state) return state.error();
    auto const runtime = runtime_directory(variables);
    if (auto made = ensure_directory(runtime); !made) return made.error();
    if (auto safe = check_private_directory(runtime); !safe) return safe.error();

    composition_options parts;
    auto const name = random_id("run");
    parts.orphans = *state / "runs";
    parts.state = parts.orphans / name;
    parts.audit_file = audit_file(c, *state);
    private_daemon out;
    out.control_.path = (runtime / ("run-" + name.substr(4) + ".sock")).string();
    parts.control = out.control_;

    int lifeline[2];
    int report[2];
    if (pipe2(lifeline, O_CLOEXEC) != 0) return make_error(errc::internal, std::strerror(errno));
    if (pipe2(report, O_CLOEXEC) != 0) {
        close(lifeline[0]);
        close(lifeline[1]);
        return make_error(errc::internal, std::strerror(errno));
    }
    out.pid_ = fork();
    if (out.pid_ == 0) {
        close(lifeline[1]);
        close(report[0]);
        become_daemon_process();
        configure_log(c);
        _exit(live(c, agents, std::move(parts), lifeline[0], report[1]));
    }
    close(lifeline[0]);
    close(report[1]);
    out.lifeline_ = lifeline[1];
    std::string text;
    char piece[512];
    while (out.pid_ > 0) {
        auto const n = read(report[0], piece, sizeof piece);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        text.append(piece, static_cast<std::size_t>(n));
    }
    close(report[0]);
    if (out.pid_ < 0) return make_error(errc::internal, "cannot start a process");
    if (text == "ok") return out;
    if (text.empty()) return make_error(errc::internal, "the daemon for this command ended before it was ready");
    return make_error(static_cast<errc>(text.front()), text.substr(1));
}

private_daemon::private_daemon(private_daemon&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      lifeline_(std::exchange(other.lifeline_, -1)),
      control_(std::move(other.control_)) {}

private_daemon::~private_daemon() {
    static_cast<void>(stop());
}

bool private_daemon::stop() {
    if (lifeline_ >= 0) close(std::exchange(lifeline_, -1));
    if (pid_ < 0) return true;
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return WIFEXITED(status) && WEXITSTATUS(status) == exit_done;
}

}  // namespace jitproxy::app
