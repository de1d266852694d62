// The audit trail, as the daemon or this user's rights tell of it.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "jitproxy/app/daemon_client.hpp"
#include "jitproxy/app/doctor.hpp"
#include "jitproxy/app/paths.hpp"
#include "jitproxy/audit/chain.hpp"

namespace jitproxy::app {
namespace fs = std::filesystem;
namespace {

constexpr char const* check_name = "audit_trail";

// Why lines cannot be added to it by this user; empty: they can. Nothing is made: it would be this user's.
std::string hindrance(fs::path const& file, fs::path const& state) {
    struct stat info {};
    bool const there = ::lstat(file.c_str(), &info) == 0;
    if (there && !S_ISREG(info.st_mode)) return file.string() + " is no regular file";
    auto place = file.has_parent_path() ? file.parent_path() : fs::path(".");
    if (place == state) place = nearest_directory(state);  // which the daemon makes, and no other
    auto const& asked = there ? file : place;
    if (::access(asked.c_str(), there ? R_OK | W_OK : W_OK | X_OK) == 0) return {};
    return asked.string() + " cannot be written: " + std::strerror(errno);
}

}  // namespace

void judge_audit_trail(findings& f, json::object const& said) {
    auto const state = text_member(said, "state");
    auto const file = text_member(said, "file");
    auto const lost = int_member(said, "failures").value_or(0);
    if (state == "failing")
        return f.failure(check_name,
                         "the daemon can open no session and ask for no permission: " + text_member(said, "reason"),
                         "make room, or give " + file + " back to the daemon's user; it is tried again by itself");
    if (state != "written") return f.ok(check_name, "there is to be none");
    if (lost == 0) return f.ok(check_name, "the daemon writes " + file);
    f.warning(check_name, std::to_string(lost) + " decisions are missing in " + file + " since the daemon's start",
              "nothing brings them back: its lines with the event audit.lost say when and why");
}

void examine_audit_trail(findings& f, config const& c, variable_lookup const& variables) {
    auto const state = state_directory(c, variables);
    if (!state) return;  // is told already
    auto const file = audit_file(c, *state);
    if (file.empty()) return f.ok(check_name, "there is to be none");
    for (auto const& each : {audit::head_file(file), file})
        if (auto const why = hindrance(each, *state); !why.empty())
            return f.failure(check_name, why, "let the user that the daemon runs as write there, or set audit.file");
    f.ok(check_name, file.string() + " can be written");
}

}  // namespace jitproxy::app
