// The one place that includes CLI11: arguments into options, options to a command.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <iostream>

#include "jitproxy/app/commands.hpp"
#include "jitproxy/app/standard_streams.hpp"
#include "jitproxy/control/address.hpp"

namespace jitproxy::app {
namespace {

constexpr char const* variables_help =
    "Variables: LUMOAUTH_URL, LUMOAUTH_TENANT or LUMOAUTH_ORG_ID, AGENT_CLIENT_ID, AGENT_CLIENT_SECRET,\n"
    "JITPROXY_CONFIG, JITPROXY_CONTROL. Flags win over variables, variables over the configuration file.\n"
    "Secrets are never arguments.";

struct parsed {
    common_options common;
    run_options run;
    session_options session;
    request_options request;
    audit_options audit;
    demo_options demo;
    std::string env_session;
    std::string env_format = "sh";
    bool as_json = false;
    bool ca_bundle = false;
    std::function<int()> command;
};

void add_control(CLI::App& a, parsed& p) {
    a.add_option("--control", p.common.control, "Control socket or address ($JITPROXY_CONTROL)")
        ->type_name("ADDRESS")
        ->check([](std::string const& text) {
            auto const parsed = control::parse_address(text);
            return text == "unix" || parsed ? std::string() : parsed.error().detail;
        });
}

void add_file(CLI::App& a, parsed& p) {
    a.add_option("-c,--config", p.common.config_file, "Configuration file ($JITPROXY_CONFIG)")->type_name("FILE");
}

// A flag above a key of the configuration.
void add_key(CLI::App& a, parsed& p, char const* flag, char const* table, char const* key, char const* help,
             char const* type) {
    a.add_option_function<std::vector<std::string>>(
         flag,
         [&p, flag, table, key](std::vector<std::string> const& values) {
             for (auto const& value : values) p.common.flags.push_back({table, key, value, flag});
         },
         help)
        ->type_name(type)
        ->allow_extra_args(false);
}

void add_settings(CLI::App& a, parsed& p) {
    add_file(a, p);
    a.add_option("--protect", p.common.protect, "Protect this API beside those of the file (repeatable)")
        ->type_name("HOST[:PORT]")
        ->allow_extra_args(false);
    add_key(a, p, "--listen", "listen", "proxy", "Address of the proxy (repeatable)", "ADDRESS:PORT");
    add_key(a, p, "--url", "authorization_server", "url", "LumoAuth's base URL ($LUMOAUTH_URL)", "URL");
    add_key(a, p, "--tenant", "authorization_server", "tenant", "Tenant ($LUMOAUTH_TENANT)", "NAME");
    add_key(a, p, "--org-id", "authorization_server", "org_id", "Organisation ($LUMOAUTH_ORG_ID)", "ID");
    add_key(a, p, "--client-id", "authorization_server", "client_id", "Agent ($AGENT_CLIENT_ID)", "ID");
    add_key(a, p, "--client-secret-file", "authorization_server", "client_secret_file", "File with its secret", "FILE");
    add_key(a, p, "--state", "state", "directory", "Directory of CA and journal", "DIR");
    add_key(a, p, "--log-level", "log", "level", "debug, info, warning, error or off", "LEVEL");
    add_key(a, p, "--log-format", "log", "format", "auto, text, json or journald", "FORMAT");
    add_control(a, p);
}

void add_order(CLI::App& a, order_options& order) {
    a.add_option("--name", order.name, "Name of the session's task")->type_name("NAME");
    a.add_option("--type", order.type, "Its type")->type_name("TYPE");
    a.add_option("--agent", order.agent, "The agent that it acts as, where several are configured")->type_name("NAME");
    a.add_option("--on-behalf-of", order.on_behalf_of, "The user it is for")->type_name("WHO");
    a.add_option("--user-token-file", order.user_token_file,
                 "The user's own token, - for standard input ($LUMOAUTH_USER_TOKEN)")
        ->type_name("FILE");
    a.add_option("--justification", order.justification, "Why permissions are asked for, where the agent does not say")
        ->type_name("TEXT");
}

CLI::App& command(CLI::App& parent, parsed& p, char const* name, char const* help, std::function<int()> run) {
    auto* const a = parent.add_subcommand(name, help);
    a->callback([&p, run = std::move(run)] { p.command = run; });
    return *a;
}

// Everything behind the options of `run` is the command's, whatever it looks like. CLI11 would take a command's "--"
// and flags for ours, so that part is cut off before it looks.
std::vector<std::string> cut_command(std::vector<std::string>& words, CLI::App const& run_app) {
    std::size_t i = 1;
    for (; i < words.size(); ++i) {
        auto const& word = words[i];
        if (word == "--" || word.size() < 2 || word[0] != '-') break;
        auto const name = word.substr(0, word.find('='));
        auto const* option = run_app.get_option_no_throw(name);
        bool const value_follows = name == word && (!option || option->get_items_expected_min() > 0);
        bool const short_with_value = word[1] != '-' && word.size() > 2;  // -cFILE
        if (value_follows && !short_with_value && option) ++i;
    }
    auto const end = std::min(i, words.size());
    std::vector<std::string> command(words.begin() + static_cast<std::ptrdiff_t>(end), words.end());
    words.resize(end);
    if (!command.empty() && command.front() == "--") command.erase(command.begin());
    return command;
}

void add_daemon_commands(CLI::App& app, parsed& p) {
    auto& serve_app = command(app, p, "serve", "Run the daemon in the foreground", [&p] { return serve(p.common); });
    add_settings(serve_app, p);
    serve_app.footer(variables_help);
    auto& run_app = command(app, p, "run", "Run a command in a session of its own", [&p] {
        if (p.run.command.empty()) return fail("run: no command given; see jitproxy run --help", exit_usage);
        return run(p.common, p.run);
    });
    add_settings(run_app, p);
    add_order(run_app, p.run.order);
    run_app.add_flag("--own", p.run.own, "Serve for this command alone, even where a daemon runs");
    run_app.footer(
        "jitproxy run [OPTIONS] [--] CMD [ARG...]\nExits with CMD's status; 125: jitproxy failed, 126: CMD can't be "
        "executed, 127: CMD not found.");
    auto& check_app = command(app, p, "check", "Check the configuration and print the effective one",
                              [&p] { return check(p.common); });
    add_settings(check_app, p);
    auto& doctor_app = command(app, p, "doctor", "Try each link of the chain, and say how to mend what fails",
                               [&p] { return doctor(p.common, p.as_json); });
    add_settings(doctor_app, p);
    doctor_app.add_flag("--json", p.as_json, "As JSON");
    auto& status_app =
        command(app, p, "status", "What the daemon is doing", [&p] { return status(p.common, p.as_json); });
    status_app.add_flag("--json", p.as_json, "As JSON");
    add_file(status_app, p);
    add_control(status_app, p);
    auto& demo_app = command(app, p, "demo", "The whole story on this machine, with the built-in emulator",
                             [&p] { return demo(p.demo, p.common.variables); });
    demo_app.add_flag("-y,--yes", p.demo.automatic, "Ask nobody: approve after some seconds");
    demo_app.add_flag("--keep", p.demo.keep, "Keep the demo's directory");
    demo_app.add_option("--emulator", p.demo.emulator, "The emulator's binary")->type_name("FILE");
}

void add_session_commands(CLI::App& app, parsed& p) {
    auto& s = *app.add_subcommand("session", "Sessions by hand");
    s.require_subcommand(1);
    auto& options = p.session;
    auto const common = [&p, &options](CLI::App& a, bool id) {
        add_file(a, p);
        add_control(a, p);
        a.add_flag("--json", options.as_json, "As JSON");
        if (id) a.add_option("id", options.id, "Session")->required()->type_name("ID");
    };
    auto& open = command(s, p, "open", "Open a session; prints the proxy URL and the session's id",
                         [&p] { return session_open(p.common, p.session); });
    common(open, false);
    add_order(open, options.order);
    open.add_option("--parent", options.order.parent, "Session that this one belongs to")->type_name("ID");
    auto* const lines = open.add_flag("--export", options.as_export, "Print the variables instead, for eval")
                            ->excludes(open.get_option("--json"));
    open.add_option("--format", options.format, "Of --export: sh, fish, dotenv or json")
        ->type_name("FORMAT")
        ->needs(lines);
    common(command(s, p, "list", "List sessions", [&p] { return session_list(p.common, p.session); }), false);
    common(command(s, p, "show", "Show a session", [&p] { return session_show(p.common, p.session); }), true);
    auto& close = command(s, p, "close", "Close a session, and wait until that is confirmed",
                          [&p] { return session_close(p.common, p.session); });
    common(close, true);
    auto* const wait = close.add_flag("--wait")->description("Wait up to 30 s for that, as it does anyway");
    close.add_flag("--no-wait", options.no_wait, "Do not wait")->excludes(wait);
    auto& env = command(app, p, "env", "The variables that point an agent's clients at the proxy",
                        [&p] { return print_environment(p.common, p.env_session, p.env_format); });
    add_file(env, p);
    add_control(env, p);
    env.add_option("--session", p.env_session, "With this session's credentials")->type_name("ID");
    env.add_option("--format", p.env_format, "sh, fish, dotenv or json")->type_name("FORMAT");
}

void add_request_commands(CLI::App& app, parsed& p) {
    auto& r = *app.add_subcommand("request", "Permission requests");
    r.require_subcommand(1);
    auto& options = p.request;
    auto const common = [&p, &options](CLI::App& a, bool id) {
        add_file(a, p);
        add_control(a, p);
        a.add_flag("--json", options.as_json, "As JSON");
        if (id) a.add_option("id", options.id, "Request")->required()->type_name("ID");
    };
    auto& list = command(r, p, "list", "List requests", [&p] { return request_list(p.common, p.request); });
    common(list, false);
    list.add_option("--status", options.status, "Only pending, granted, denied, expired, refused or error")
        ->type_name("STATUS")
        ->check([](std::string const& text) {
            static constexpr std::string_view known[] = {"pending", "granted", "denied", "expired", "refused", "error"};
            if (std::find(std::begin(known), std::end(known), text) != std::end(known)) return std::string();
            return "no request has the status \"" + text +
                   "\"; there are pending, granted, denied, expired, refused and error";
        });
    common(command(r, p, "show", "Show a request", [&p] { return request_show(p.common, p.request); }), true);
    common(command(r, p, "watch", "Print requests as they come and are decided",
                   [&p] { return request_watch(p.common, p.request); }),
           false);
    for (bool const approve : {true, false}) {
        auto& a = command(r, p, approve ? "approve" : "deny", approve ? "Approve a request" : "Deny a request",
                          [&p, approve] { return request_decide(p.common, p.request, approve); });
        common(a, true);
        a.add_option(approve ? "--notes" : "--reason", options.text, "What to put on record")->type_name("TEXT");
        a.add_option("--user-token-file", options.user_token_file,
                     "Your own token, - for standard input ($LUMOAUTH_USER_TOKEN)")
            ->type_name("FILE");
    }
}

void add_audit_commands(CLI::App& app, parsed& p) {
    auto& audit = *app.add_subcommand("audit", "The audit trail: who did what");
    audit.require_subcommand(1);
    auto& verify = command(audit, p, "verify", "Check that no line of the audit trail was changed or removed",
                           [&p] { return audit_verify(p.common, p.audit); });
    add_file(verify, p);
    add_key(verify, p, "--state", "state", "directory",
            "State directory: the trail is there unless [audit] file is set", "DIR");
    verify.add_option("--head", p.audit.head, "A head that was noted elsewhere: its line must be there unchanged")
        ->type_name("SEQ:HASH");
    verify.add_flag("--json", p.audit.as_json, "As JSON");
    verify
        .add_option("files", p.audit.files, "Its files, the oldest first; default: the configured one and older ones")
        ->type_name("FILE");
}

void add_ca_commands(CLI::App& app, parsed& p) {
    auto& ca = *app.add_subcommand("ca", "The local CA that intercepted TLS is signed with");
    ca.require_subcommand(1);
    auto const add = [&](char const* name, char const* help, ca_action action) -> CLI::App& {
        auto& a = command(ca, p, name, help, [&p, action] { return manage_ca(p.common, action, p.ca_bundle); });
        add_settings(a, p);
        return a;
    };
    add("init", "Make the CA, or bring it up to date with the configuration", ca_action::init);
    add("show", "Print its certificates and what it may sign for", ca_action::show);
    add("path", "Print where its root certificate is", ca_action::path)
        .add_flag("--bundle", p.ca_bundle, "The bundle with the system's roots instead");
    add("rotate", "A new root, issuing CA and key in place of the old ones", ca_action::rotate);
}

int parse_and_run(int argc, char** argv) {
    parsed p;
    p.common.variables = process_environment();
    CLI::App app{"Just-in-time permission for AI agents, without a line of code.", "jitproxy"};
    app.set_version_flag("--version", std::string("jitproxy ") + JITPROXY_VERSION);
    app.require_subcommand(1);
    app.footer(variables_help);
    add_daemon_commands(app, p);
    add_session_commands(app, p);
    add_request_commands(app, p);
    add_ca_commands(app, p);
    add_audit_commands(app, p);
    try {
        std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
        if (!words.empty() && words.front() == "help") {  // as many programs have it: help, help COMMAND
            words.erase(words.begin());
            words.emplace_back("--help");
        }
        if (!words.empty() && words.front() == "run") p.run.command = cut_command(words, *app.get_subcommand("run"));
        std::reverse(words.begin(), words.end());  // as CLI11 wants a vector
        app.parse(std::move(words));
    } catch (CLI::ParseError const& e) {
        auto const code = app.exit(e, std::cout, std::cerr);  // prints help, version, or what is wrong
        return code == 0 ? exit_done : exit_usage;
    }
    return p.command ? p.command() : exit_usage;
}

}  // namespace

int main_command(int argc, char** argv) {
    int const code = parse_and_run(argc, argv);
    return code == exit_done && !output_written() ? exit_failed : code;
}

}  // namespace jitproxy::app
