// The commands, one source each. All answer with the process's exit code and take plain options: the command line
// stays in command_line.cpp.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "jitproxy/app/config_load.hpp"

namespace jitproxy::app {

inline constexpr int exit_done = 0;
inline constexpr int exit_failed = 1;
inline constexpr int exit_usage = 2;
inline constexpr int exit_bad_configuration = 78;  // EX_CONFIG of sysexits.h

struct common_options {
    std::string config_file;  // -c, else $JITPROXY_CONFIG
    std::string control;      // --control, else $JITPROXY_CONTROL
    std::vector<config_flag> flags;
    std::vector<std::string> protect;
    variable_lookup variables;
};
// The configuration with these options; need_credentials as the command needs them.
[[nodiscard]] loaded_config load_with(common_options const& o, bool need_credentials);
// Prints every problem as "file:line:column: message" on stderr; true if there is any.
[[nodiscard]] bool report_problems(loaded_config const& loaded);
// "jitproxy: MESSAGE" on stderr, and the exit code for it.
int fail(std::string const& message, int code = exit_failed);
int fail(error const& e);
// A human's own token: $LUMOAUTH_USER_TOKEN, a file, or standard input ("-"). Errors: bad_argument.
[[nodiscard]] result<secret_ptr> read_user_token(std::string const& file, variable_lookup const& variables);

int serve(common_options const& o);
int check(common_options const& o);
int status(common_options const& o, bool as_json);
int doctor(common_options const& o, bool as_json);

struct order_options {  // of a session
    std::string name, type, agent, on_behalf_of, justification, user_token_file, parent;
};
struct run_options {
    order_options order;
    std::vector<std::string> command;
    bool own = false;  // serve for it alone, whether a daemon runs or not
};
int run(common_options const& o, run_options const& r);

struct session_options {
    order_options order;
    std::string id;
    std::string format = "sh";  // of --export
    bool as_json = false, as_export = false, no_wait = false;
};
int session_open(common_options const& o, session_options const& s);
int session_list(common_options const& o, session_options const& s);
int session_show(common_options const& o, session_options const& s);
int session_close(common_options const& o, session_options const& s);

int print_environment(common_options const& o, std::string const& session, std::string const& format);

struct request_options {
    std::string id, status, user_token_file, text;
    bool as_json = false;
};
int request_list(common_options const& o, request_options const& r);
int request_show(common_options const& o, request_options const& r);
int request_watch(common_options const& o, request_options const& r);
int request_decide(common_options const& o, request_options const& r, bool approve);

enum class ca_action : std::uint8_t { init, show, path, rotate };
int manage_ca(common_options const& o, ca_action action, bool bundle);

struct audit_options {
    std::vector<std::string>
        files;         // one trail, the oldest first; empty: the configured one and what it was renamed to
    std::string head;  // noted elsewhere
    bool as_json = false;
};
int audit_verify(common_options const& o, audit_options const& a);

struct demo_options {
    bool automatic = false;  // nobody is asked
    bool keep = false;       // the demo's directory stays
    std::string emulator;    // binary; default: beside this one
};
int demo(demo_options const& d, variable_lookup const& variables);

// Parses argv and runs the command.
int main_command(int argc, char** argv);

}  // namespace jitproxy::app
