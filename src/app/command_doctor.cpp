#include <netdb.h>

#include <boost/asio/io_context.hpp>
#include <iostream>

#include "jitproxy/app/client_environment.hpp"
#include "jitproxy/app/daemon_client.hpp"
#include "jitproxy/app/paths.hpp"
#include "jitproxy/app/settings.hpp"
#include "jitproxy/store/journal.hpp"

namespace jitproxy::app {
namespace {

class findings {
  public:
    void good(std::string const& what) { std::cout << "  ok    " << what << "\n"; }
    void note(std::string const& what) { std::cout << "  note  " << what << "\n"; }
    void bad(std::string const& what, std::string const& mend) {
        std::cout << "  FAIL  " << what << "\n        " << mend << "\n";
        failed_ = true;
    }
    [[nodiscard]] bool failed() const noexcept { return failed_; }

  private:
    bool failed_ = false;
};

// One call on an io_context of its own, waited for: the doctor is the only one who may.
template <class T, class Start>
result<T> wait_for(boost::asio::io_context& io, Start start) {
    std::optional<result<T>> answer;
    start([&](result<T> r) { answer = std::move(r); });
    io.restart();
    while (!answer && io.run_one() > 0) {
    }
    if (!answer) return make_error(errc::internal, "no answer");
    return std::move(*answer);
}

std::string how_to_mend(error const& e, config const& c) {
    switch (e.code) {
        case errc::as_unauthorized:
        case errc::as_rejected:
            return "check client id and secret: LumoAuth does not know them in this tenant or organisation";
        case errc::as_rate_limited:
            return "LumoAuth limits the rate of calls; wait a minute and try again";
        case errc::as_unreachable:
            return "check authorization_server.url (" + c.authorization_server.url +
                   "), the network, and authorization_server.ca_file if its certificate is not a public one";
        default:
            return "check authorization_server.url (" + c.authorization_server.url +
                   "): LumoAuth does not answer there";
    }
}

void check_agent(findings& f, config const& c, agent const& who, jit::agent_index index, jit::authorization_server& as,
                 boost::asio::io_context& io) {
    auto const name = "agent " + who.name + ": ";
    auto const token =
        wait_for<jit::access_token>(io, [&](auto done) { as.fetch_agent_token(index, std::move(done)); });
    if (!token) return f.bad(name + "token: " + token.error().detail, how_to_mend(token.error(), c));
    f.good(name + "the authorization server is reachable and knows it (token for " +
           std::to_string(token->expires_in.count()) + " s)");
    jit::task_order order;
    order.name = "jitproxy doctor";
    auto const task = wait_for<jit::task>(io, [&](auto done) { as.create_task(token->value, order, std::move(done)); });
    if (!task)
        return f.bad(name + "a task cannot be created: " + task.error().detail,
                     "has this agent JIT permissions in LumoAuth?");
    auto const closed = wait_for<jit::completion>(
        io, [&](auto done) { as.complete_task(token->value, task->task_id, std::move(done)); });
    if (!closed)
        return f.bad(name + "the task cannot be completed: " + closed.error().detail, how_to_mend(closed.error(), c));
    f.good(name + "a task can be created and completed");
    static_cast<void>(wait_for<void>(io, [&](auto done) { as.revoke(index, token->value, std::move(done)); }));
}

void check_server(findings& f, config const& c, std::vector<agent> const& agents) {
    boost::asio::io_context io{1};
    try {
        auto const as = lumoauth::create_client(io, as_settings(c, agents));
        for (jit::agent_index i = 0; i != agents.size(); ++i) check_agent(f, c, agents[i], i, *as, io);
    } catch (failure const& e) {
        f.bad("the authorization server's settings", e.what());
    }
}

void check_apis(findings& f, config const& c) {
    if (c.apis.empty()) f.bad("no API is protected", "name one with [[api]] or --protect HOST");
    for (auto const& api : c.apis) {
        for (auto const& host : api.hosts) {
            if (host.starts_with("*.")) continue;        // no single name to look up
            if (host.ends_with(".localhost")) continue;  // RFC 6761: this machine, for the proxy itself
            addrinfo* list = nullptr;
            int const e = getaddrinfo(host.c_str(), nullptr, nullptr, &list);
            if (e == 0) {
                freeaddrinfo(list);
                f.good("API " + api.name + ": " + host + " has an address");
            } else if (c.egress.name_servers.empty()) {
                f.bad("API " + api.name + ": " + host + ": " + gai_strerror(e),
                      "check the name, and this machine's DNS");
            } else {
                f.note("API " + api.name + ": " + host + " is not known to the system's name servers");
            }
        }
    }
}

void check_journal(findings& f, std::filesystem::path const& state) {
    constexpr std::uintmax_t enough = 1024 * 1024;
    std::error_code ec;
    auto const space = std::filesystem::space(state, ec);
    if (!ec && space.available < enough)
        f.bad("the file system of the state directory is full",
              "make room: no session can be opened, and no permission asked for, that is not in the journal first");
    if (!std::filesystem::exists(state / "journal.db", ec)) return f.note("there is no journal yet");
    auto const left = store::sqlite_journal::examine(state);
    if (left.has_error() && left.error().code == errc::in_use)
        return f.note("the journal is in use: " + left.error().detail);
    if (!left) return f.bad("the journal cannot be used", left.error().detail);
    if (*left == 0) return f.good("the journal is whole, and nothing in it is open");
    f.note("the journal holds " + std::to_string(*left) +
           " tasks that are not confirmed to be complete; the next start of the daemon sees to them");
}

void check_state(findings& f, config const& c, common_options const& o) {
    auto const state = state_directory(c, o.variables);
    if (!state) return f.bad("state directory: " + state.error().detail, "set state.directory");
    if (auto made = ensure_directory(*state); !made)
        return f.bad(made.error().detail, "set state.directory to one that this user can write");
    f.good("state directory " + state->string());
    check_journal(f, *state);
    std::error_code ec;
    if (std::filesystem::exists(*state / "ca.pem", ec))
        f.good("the local CA is in " + (*state / "ca.pem").string());
    else
        f.note("there is no local CA yet; `jitproxy serve` makes it, or `jitproxy ca init`");
    if (ca::system_bundle().empty())
        f.bad("no bundle of the system's root certificates", "install ca-certificates");
    else
        f.good("the system's root certificates are in " + ca::system_bundle().string());
}

void check_daemon(findings& f, common_options const& o) {
    auto daemon = connect_to_daemon(o);
    if (!daemon) return f.note("no daemon runs (" + daemon.error().detail + ")");
    auto const ready = daemon->call("GET", "/readyz", {}, answer_time);
    if (ready && ready->ok())
        f.good("a daemon answers at " + daemon->where().text() + " and is ready");
    else
        f.bad("the daemon at " + daemon->where().text() + " is not ready", "see its log, or `jitproxy status`");
}

}  // namespace

int doctor(common_options const& o) {
    findings f;
    auto const loaded = load_with(o, true);
    for (auto const& problem : loaded.problems) f.bad("configuration", problem.text());
    for (auto const& warning : loaded.warnings) f.note(warning);
    if (loaded.ok()) f.good("configuration" + (loaded.file.empty() ? std::string() : " " + loaded.file));
    // A certificate or token is judged by the clock; the one of before this program was built is certainly wrong.
    if (std::chrono::system_clock::now() < std::chrono::sys_days{std::chrono::year{2025} / 1 / 1})
        f.bad("this machine's clock is wrong", "set it; certificates and tokens depend on it");
    else
        f.good("clock: " + format_rfc3339(std::chrono::system_clock::now()));
    check_state(f, loaded.value, o);
    check_daemon(f, o);
    if (loaded.ok()) check_server(f, loaded.value, loaded.agents);
    check_apis(f, loaded.value);
    return f.failed() ? exit_failed : exit_done;
}

}  // namespace jitproxy::app
