#include "jitproxy/app/paths.hpp"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <functional>

namespace jitproxy::app {
namespace fs = std::filesystem;
namespace {

std::optional<fs::path> absolute_variable(variable_lookup const& variables, std::string_view name) {
    auto value = variables(name);
    if (!value) return std::nullopt;
    if (auto const colon = value->find(':'); colon != std::string::npos) value->resize(colon);  // systemd lists several
    if (!value->starts_with('/')) return std::nullopt;  // XDG: relative paths are to be ignored
    return fs::path(*value);
}

std::optional<fs::path> home(variable_lookup const& variables) {
    if (auto const h = absolute_variable(variables, "HOME")) return h;
    if (auto const* entry = getpwuid(getuid()); entry && entry->pw_dir && entry->pw_dir[0] == '/') return entry->pw_dir;
    return std::nullopt;
}

}  // namespace

fs::path find_config_file(variable_lookup const& variables) {
    std::vector<fs::path> candidates;
    if (auto const xdg = absolute_variable(variables, "XDG_CONFIG_HOME"))
        candidates.push_back(*xdg / "jitproxy/jitproxy.toml");
    else if (auto const h = home(variables))
        candidates.push_back(*h / ".config/jitproxy/jitproxy.toml");
    candidates.insert(absolute_variable(variables, "STATE_DIRECTORY") ? candidates.begin() : candidates.end(),
                      "/etc/jitproxy/jitproxy.toml");
    std::error_code ec;
    for (auto const& file : candidates)
        if (fs::exists(file, ec)) return file;
    return {};
}

result<fs::path> state_directory(config const& c, variable_lookup const& variables) {
    if (!c.state.directory.empty()) return fs::path(c.state.directory);
    if (auto const state = absolute_variable(variables, "STATE_DIRECTORY")) return *state;
    if (auto const xdg = absolute_variable(variables, "XDG_STATE_HOME")) return *xdg / "jitproxy";
    if (auto const h = home(variables)) return *h / ".local/state/jitproxy";
    return make_error(errc::configuration, "no home directory is known: set state.directory");
}

fs::path audit_file(config const& c, fs::path const& state) {
    if (c.audit.file == "off") return {};
    return c.audit.file.empty() ? state / "audit.jsonl" : fs::path(c.audit.file);
}

fs::path runtime_directory(variable_lookup const& variables) {
    if (auto const runtime = absolute_variable(variables, "RUNTIME_DIRECTORY")) return *runtime;
    if (auto const xdg = absolute_variable(variables, "XDG_RUNTIME_DIR")) return *xdg / "jitproxy";
    return "/tmp/jitproxy-" + std::to_string(getuid());
}

std::optional<std::string> read_text_file(fs::path const& file, std::size_t most) {
    int const fd = open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return std::nullopt;
    std::string text;
    char piece[16 * 1024];
    int wrong = 0;
    while (wrong == 0) {
        auto const n = read(fd, piece, sizeof piece);
        if (n == 0) break;
        if (n < 0 && errno != EINTR) wrong = errno;
        if (n > 0) text.append(piece, static_cast<std::size_t>(n));
        if (text.size() > most) wrong = EFBIG;
    }
    close(fd);
    errno = wrong;
    if (wrong != 0) return std::nullopt;
    return text;
}

result<void> ensure_directory(fs::path const& directory) {
    std::error_code ec;
    if (fs::is_directory(directory, ec)) return {};
    if (auto const parent = directory.parent_path(); !parent.empty() && parent != directory)
        if (auto made = ensure_directory(parent); !made) return made;
    if (mkdir(directory.c_str(), 0700) == 0 || errno == EEXIST) return {};
    return make_error(errc::storage, "cannot make the directory " + directory.string() + ": " + std::strerror(errno));
}

namespace {

error not_safe(fs::path const& path, std::string const& why) {
    return make_error(errc::storage, path.string() + " " + why + "; set XDG_RUNTIME_DIR or JITPROXY_CONTROL");
}

result<void> check_directory(fs::path const& directory, std::function<bool(uid_t)> const& trusted) {
    struct stat info {};
    if (lstat(directory.c_str(), &info) != 0)
        return not_safe(directory, std::string("cannot be used: ") + std::strerror(errno));
    if (!S_ISDIR(info.st_mode)) return not_safe(directory, "is no directory");
    if (!trusted(info.st_uid)) return not_safe(directory, "belongs to another user");
    if ((info.st_mode & 0022) != 0) return not_safe(directory, "can be written to by other users");
    return {};
}

}  // namespace

result<void> check_private_directory(fs::path const& directory) {
    return check_directory(directory, [](uid_t owner) { return owner == getuid() || owner == 0; });
}

result<void> check_service_socket(fs::path const& socket, uid_t caller, std::optional<uid_t> service) {
    auto const trusted = [&](uid_t owner) {
        return caller == 0 || owner == caller || owner == 0 || (service && owner == *service);
    };
    if (auto safe = check_directory(socket.parent_path(), trusted); !safe) return safe;
    struct stat info {};
    if (lstat(socket.c_str(), &info) != 0) return {};  // connecting tells why
    if (!S_ISSOCK(info.st_mode)) return not_safe(socket, "is no socket");
    if (!trusted(info.st_uid)) return not_safe(socket, "belongs to another user");
    return {};
}

std::vector<std::string> control_addresses(variable_lookup const& variables) {
    if (auto const set = variables("JITPROXY_CONTROL"); set && *set != "unix") return {*set};
    auto const runtime = runtime_directory(variables);
    std::vector<std::string> out{"unix:" + (runtime / "control.sock").string()};
    if (runtime != "/run/jitproxy") out.emplace_back(std::string("unix:") + service_socket);
    std::vector<std::string> own;
    std::error_code ec;
    for (auto const& entry : fs::directory_iterator(runtime, ec)) {
        auto const name = entry.path().filename().string();
        if (name.starts_with("run-") && name.ends_with(".sock")) own.push_back("unix:" + entry.path().string());
    }
    if (own.size() == 1) out.push_back(own.front());
    return out;
}

fs::path nearest_directory(fs::path directory) {
    std::error_code ec;
    while (!fs::exists(directory, ec) && directory.has_parent_path() && directory.parent_path() != directory)
        directory = directory.parent_path();
    return directory;
}

}  // namespace jitproxy::app
