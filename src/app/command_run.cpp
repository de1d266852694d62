#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <functional>

#include "jitproxy/app/child.hpp"
#include "jitproxy/app/client_environment.hpp"
#include "jitproxy/app/daemon.hpp"
#include "jitproxy/app/daemon_client.hpp"
#include "jitproxy/app/private_daemon.hpp"
#include "jitproxy/base/encoding.hpp"

extern char** environ;

namespace jitproxy::app {
namespace {

constexpr milliseconds open_time{60'000};
constexpr int close_wait = 20;  // seconds that the authorization server has to confirm the end

int fail_run(std::string const& message) {
    return fail(message, exit_jitproxy_failed);
}

std::vector<std::string> own_environment() {
    std::vector<std::string> out;
    for (char** entry = environ; entry && *entry; ++entry) out.emplace_back(*entry);
    return out;
}

result<std::string> order_of(common_options const& o, run_options const& r) {
    auto named = r.order;
    if (named.name.empty()) named.name = std::filesystem::path(r.command.front()).filename().string();
    auto order = session_order_of(named, o.variables);
    if (!order) return order.error();
    (*order)["owner_pid"] = static_cast<std::int64_t>(getpid());
    return json::serialize(*order);
}

// Says so where the session's end is not confirmed; the command's own status is passed on all the same.
void close_session(control::client& daemon, std::string const& id) {
    auto const target = "/v1/sessions/" + percent_encode(id) + "?wait=" + std::to_string(close_wait);
    auto const answer = daemon.call("DELETE", target, {}, seconds{close_wait + 10});
    if (!answer) {
        fail("the end of session " + id + " is not confirmed: " + answer.error().detail);
    } else if (!answer->ok()) {
        fail("the end of session " + id + " is not confirmed: " + answer->message());
    } else if (auto const document = answer->document();
               !document || !document->is_object() || text_member(document->get_object(), "status") != "completed") {
        auto const why = document && document->is_object() ? text_member(document->get_object(), "detail") : "";
        fail("the end of session " + id + " is not confirmed yet" + (why.empty() ? "" : ": " + why) +
             "; jitproxy goes on trying");
    }
}

// Whether the daemon reads this very file.
bool is_its_file(control::client& daemon, std::string const& file) {
    auto const status = daemon.call("GET", "/v1/status", {}, answer_time);
    auto const document = status && status->ok() ? status->document() : result<json::value>(error{});
    if (!document || !document->is_object()) return false;
    std::filesystem::path const its = text_member(document->get_object(), "config_file");
    std::error_code ec;
    return its.is_absolute() && std::filesystem::equivalent(its, file, ec);
}

// "--protect and --url" where the daemon goes by other settings than those that were asked for; empty: it does not. A
// host that is to be protected must not go through a daemon that would tunnel it.
std::string without_effect(control::client& daemon, common_options const& o) {
    std::vector<std::string> names;
    if (!o.protect.empty()) names.emplace_back("--protect");
    for (auto const& flag : o.flags)
        if (std::find(names.begin(), names.end(), flag.source) == names.end()) names.push_back(flag.source);
    if (!o.config_file.empty() && !is_its_file(daemon, o.config_file)) names.emplace_back("--config");
    std::string out;
    for (std::size_t i = 0; i < names.size(); ++i)
        out += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
    return out;
}

// `end_daemon`: what else there is to do once the session is closed.
int run_in_session(control::client& daemon, common_options const& o, run_options const& r,
                   std::function<void()> const& end_daemon) {
    auto order = order_of(o, r);
    if (!order) return fail_run(order.error().detail);
    // Attached: should this process be killed, the connection's end closes the session.
    auto const opened = daemon.call("POST", "/v1/sessions?attached=1", *order, open_time);
    wipe(*order);
    if (!opened) return fail_run("no session: " + opened.error().detail);
    if (!opened->ok()) return fail_run("no session: " + opened->message());
    auto const document = opened->document();
    if (!document || !document->is_object()) return fail_run("no session: the daemon's answer cannot be read");
    auto const& session = document->get_object();
    auto const id = text_member(session, "session_id");
    auto const ours = merge_environment(environment_of(session), o.variables, java_found(o.variables));

    child_process child;
    child.hold_signals();
    int code = 0;
    if (auto const failed = child.start(r.command, command_environment(own_environment(), ours)))
        code = fail(failed->message, failed->exit_code);
    else
        code = child.wait();
    auto const close = [&] {
        close_session(daemon, id);
        end_daemon();
    };
    auto const tell = [&id] {
        fail("still waiting until the end of session " + id + " is confirmed; once more to leave that to the daemon");
    };
    if (!child.finish(close, tell)) std::_Exit(code);
    return code;
}

}  // namespace

int run(common_options const& o, run_options const& r) {
    forbid_dumps();  // the agent runs as the same user, and what it must not see may be in our variables
    if (!r.own) {
        auto daemon = connect_to_daemon(o);
        if (daemon) {
            auto const ignored = without_effect(*daemon, o);
            if (!ignored.empty())
                return fail_run(
                    "a daemon runs at " + daemon->where().text() + ", and goes by its own settings: " + ignored +
                    " would have no effect. Put that into its configuration, or use --own to serve for this "
                    "command alone");
            return run_in_session(*daemon, o, r, [] {});
        }
        // Where none runs, or none that is this user's to ask, it serves by itself; beside one that is in trouble, not.
        auto const code = daemon.error().code;
        if (code != errc::not_found && code != errc::storage && code != errc::internal)
            return fail_run(daemon.error().detail);
    }
    // Serve for this one command.
    auto const loaded = load_with(o, true);
    if (report_problems(loaded)) return exit_bad_configuration;
    auto const& c = loaded.value;
    bool const listen =
        std::any_of(o.flags.begin(), o.flags.end(), [](auto const& f) { return f.source == "--listen"; });
    auto own = private_daemon::start(c, loaded.agents, o.variables, listen);
    if (!own) return fail_run(own.error().detail);
    auto daemon = control::client::connect(own->control(), nullptr, answer_time);
    if (!daemon) return fail_run(daemon.error().detail);
    auto const stop = [&own] {
        if (!own->stop()) fail("the end of the session is not confirmed; the next jitproxy here completes it");
    };
    int const code = run_in_session(*daemon, o, r, stop);
    stop();  // where there was no session
    return code;
}

}  // namespace jitproxy::app
