#include <unistd.h>

#include <filesystem>

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

int run_in_session(control::client& daemon, common_options const& o, run_options const& r) {
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
    int code = 0;
    if (auto const failed = child.start(r.command, command_environment(own_environment(), ours)))
        code = fail(failed->message, failed->exit_code);
    else
        code = child.wait();
    close_session(daemon, id);
    return code;
}

}  // namespace

int run(common_options const& o, run_options const& r) {
    forbid_dumps();  // the agent runs as the same user, and what it must not see may be in our variables
    if (auto daemon = connect_to_daemon(o)) return run_in_session(*daemon, o, r);
    // No daemon: serve for this one command.
    auto const loaded = load_with(o, true);
    if (report_problems(loaded)) return exit_bad_configuration;
    auto const& c = loaded.value;
    auto own = private_daemon::start(c, loaded.agents, o.variables);
    if (!own) return fail_run(own.error().detail);
    int code = exit_jitproxy_failed;
    {
        auto daemon = control::client::connect(own->control(), nullptr, answer_time);
        if (!daemon) return fail_run(daemon.error().detail);
        code = run_in_session(*daemon, o, r);
    }
    if (!own->stop()) fail("the end of the session is not confirmed; the next jitproxy here completes it");
    return code;
}

}  // namespace jitproxy::app
