// What the daemon keeps on this machine, as the doctor sees it.
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "jitproxy/app/config_keys.hpp"
#include "jitproxy/app/doctor.hpp"
#include "jitproxy/app/paths.hpp"
#include "jitproxy/ca/authority.hpp"
#include "jitproxy/store/journal.hpp"

namespace jitproxy::app {
namespace fs = std::filesystem;
namespace {

constexpr std::uintmax_t least_room = 1ULL << 20;
constexpr std::uintmax_t enough_room = 64ULL << 20;

// Looks only: what the doctor made as root would be in the daemon's way.
bool check_place(findings& f, fs::path const& state) {
    auto const there = nearest_directory(state);
    std::string const mend = "set state.directory to one that this user can write to, or ask as the daemon's user";
    std::error_code ec;
    if (!fs::is_directory(there, ec)) {
        f.failure("state_directory", there.string() + " is no directory", mend);
    } else if (access(there.c_str(), W_OK | X_OK) != 0) {
        f.failure("state_directory",
                  state.string() + (there == state ? "" : " is not there, and " + there.string()) +
                      " cannot be written to: " + std::strerror(errno),
                  mend);
    } else {
        f.ok("state_directory", state.string() + (there == state ? "" : ", which is made at the first start"));
        return true;
    }
    return false;
}

void check_room(findings& f, config const& c, fs::path const& state, variable_lookup const& variables) {
    std::error_code ec;
    auto const kept = fs::space(nearest_directory(state), ec);
    if (ec) return f.warning("disk_space", state.string() + ": " + ec.message(), "check that file system");
    if (kept.available < least_room)
        return f.failure(
            "disk_space", "the file system of the state directory is full",
            "make room: no session can be opened, and no permission asked for, that is not in the journal first");
    if (kept.available < enough_room)
        return f.warning(
            "disk_space",
            "the file system of the state directory has " + std::to_string(kept.available >> 20) + " MiB left",
            "make room before the journal cannot grow any more");
    auto const temporary = variables("TMPDIR").value_or("/tmp");
    auto const bodies = fs::space(temporary, ec);
    if (!ec && bodies.available < c.limits.replay_file)
        return f.warning(
            "disk_space",
            temporary + " has less room than limits.replay_file (" + format_size(c.limits.replay_file) + ")",
            "make room, or set TMPDIR: a long request body that cannot be kept is not sent again");
    f.ok("disk_space", "there is room for the journal and for request bodies");
}

void check_journal(findings& f, fs::path const& state) {
    std::error_code ec;
    if (!fs::exists(state / "journal.db", ec)) return f.ok("journal", "there is none yet");
    auto const left = store::sqlite_journal::examine(state);
    if (left.has_error() && left.error().code == errc::in_use) return f.ok("journal", "in use: " + left.error().detail);
    if (!left) return f.failure("journal", "the journal cannot be used", left.error().detail);
    if (*left == 0) return f.ok("journal", "the journal is whole, and nothing in it is open");
    f.warning("journal", "the journal holds " + std::to_string(*left) + " tasks that are not confirmed to be complete",
              "start the daemon: it completes them");
}

void check_ca(findings& f, fs::path const& state) {
    if (auto const roots = ca::system_bundle(); roots.empty())
        f.failure("system_roots", "no bundle of the system's root certificates", "install ca-certificates");
    else
        f.ok("system_roots", roots.string());
    std::error_code ec;
    if (!fs::exists(state / "ca.pem", ec))
        return f.ok("ca", "there is no local CA yet; `jitproxy serve` makes it, or `jitproxy ca init`");
    auto const root = read_text_file(state / "ca.pem").value_or("");
    if (root.empty() || read_text_file(state / "ca-bundle.pem").value_or("").find(root) == std::string::npos)
        return f.failure("ca",
                         (state / "ca-bundle.pem").string() +
                             " does not hold the local CA's root: what replaces its "
                             "roots by it would not trust the proxy",
                         "run `jitproxy ca init`, and restart agents");
    f.ok("ca", "the local CA is in " + (state / "ca.pem").string() + ", and in the bundle beside it");
}

void check_secret(findings& f, std::string const& file, bool& good) {
    struct stat info {};
    if (::stat(file.c_str(), &info) != 0 || (info.st_mode & S_IROTH) == 0) return;
    good = false;
    f.warning("secret_files", file + " can be read by every user of this machine", "chmod 600 " + file);
}

void check_secrets(findings& f, loaded_config const& loaded, fs::path const& state) {
    bool good = true;
    for (auto const& a : loaded.agents)
        if (a.secret_from.starts_with('/')) check_secret(f, a.secret_from, good);
    auto const& token = loaded.value.listen.control_token_file;
    check_secret(f, token.empty() ? (state / "control.token").string() : token, good);
    for (auto const* name : {"ca.key", "journal.key"}) check_secret(f, (state / name).string(), good);
    for (auto const& api : loaded.value.apis)
        if (!api.client_key_file.empty()) check_secret(f, api.client_key_file, good);
    if (good) f.ok("secret_files", "no file with a secret can be read by every user");
}

}  // namespace

void examine_state(findings& f, loaded_config const& loaded, common_options const& o) {
    auto const state = state_directory(loaded.value, o.variables);
    if (!state) return f.failure("state_directory", state.error().detail, "set state.directory");
    if (!check_place(f, *state)) return;
    check_room(f, loaded.value, *state, o.variables);
    check_journal(f, *state);
    check_ca(f, *state);
    check_secrets(f, loaded, *state);
}

}  // namespace jitproxy::app
