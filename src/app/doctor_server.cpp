// The authorization server, as the doctor sees it.
#include <boost/asio/io_context.hpp>
#include <optional>

#include "jitproxy/app/doctor.hpp"
#include "jitproxy/app/settings.hpp"
#include "jitproxy/lumoauth/location.hpp"
#include "jitproxy/lumoauth/transport.hpp"
#include "jitproxy/lumoauth/trouble.hpp"

namespace jitproxy::app {
namespace {

// Leaves are good from an hour ago, and tokens live for 5 to 15 minutes.
constexpr seconds noticeable{30};
constexpr seconds harmful{300};

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
    if (e.detail.find("answered 404") != std::string::npos)  // it is not there that LumoAuth has this endpoint
        return "check authorization_server.url (" + c.authorization_server.url + ") and tenant / org_id";
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

// Whether anything answers at all: no credentials are sent.
void check_reachable(findings& f, config const& c, boost::asio::io_context& io) {
    auto const& as = c.authorization_server;
    auto const at = lumoauth::parse_location(as.url, as.tenant, as.org_id, as.allow_plain_http);
    if (!at) return f.failure("authorization_server", at.error().detail, "check authorization_server.url");
    lumoauth::transport_options options;
    options.at = *at;
    options.ca_file = as.ca_file;
    options.user_agent = "jitproxy-doctor";
    options.timeout = as.timeout;
    lumoauth::transport transport(io, std::move(options));
    lumoauth::wire_request request;
    request.method = "GET";
    request.target = at->prefix + "/";
    request.repeatable = true;
    auto const sent = std::chrono::system_clock::now();
    auto const answer =
        wait_for<lumoauth::wire_answer>(io, [&](auto done) { transport.send(std::move(request), std::move(done)); });
    if (!answer) return f.failure("authorization_server", answer.error().detail, how_to_mend(answer.error(), c));
    f.ok("authorization_server", at->origin() + " answers");
    judge_clock(f, answer->date, sent, std::chrono::system_clock::now());
}

void check_agent(findings& f, config const& c, agent const& who, jit::agent_index index, jit::authorization_server& as,
                 boost::asio::io_context& io) {
    auto const name = "agent " + who.name + ": ";
    auto const token =
        wait_for<jit::access_token>(io, [&](auto done) { as.fetch_agent_token(index, std::move(done)); });
    if (!token) return f.failure("credentials", name + "token: " + token.error().detail, how_to_mend(token.error(), c));
    f.ok("credentials",
         name + "the authorization server knows it (token for " + std::to_string(token->expires_in.count()) + " s)");
    jit::task_order order;
    order.name = "jitproxy doctor";
    auto const task = wait_for<jit::task>(io, [&](auto done) { as.create_task(token->value, order, std::move(done)); });
    if (!task) {
        f.failure("task", name + "a task cannot be created: " + task.error().detail,
                  "has this agent JIT permissions in LumoAuth?");
    } else {
        auto const closed = wait_for<jit::completion>(
            io, [&](auto done) { as.complete_task(token->value, task->task_id, std::move(done)); });
        if (!closed)
            f.failure("task", name + "the task cannot be completed: " + closed.error().detail,
                      how_to_mend(closed.error(), c));
        else
            f.ok("task", name + "a task can be created and completed");
    }
    static_cast<void>(wait_for<void>(io, [&](auto done) { as.revoke(index, token->value, std::move(done)); }));
}

}  // namespace

void judge_clock(findings& f, std::string_view date, wall_time sent, wall_time received) {
    auto const theirs = lumoauth::parse_http_date(date);
    if (!theirs) return f.ok("clock", "not compared: the authorization server does not say what time it is");
    // Date is cut to the second, and was written somewhere between the two.
    auto const ahead = sent - (*theirs + seconds{1});
    auto const behind = *theirs - received;
    auto const off = std::chrono::duration_cast<seconds>(std::max(ahead, behind));
    if (off < noticeable) return f.ok("clock", "agrees with the authorization server's");
    auto const detail = "this machine's clock is " + format_duration(off) + (ahead > behind ? " ahead of" : " behind") +
                        " the authorization server's";
    std::string const mend = "set it (timedatectl set-ntp true); certificates and tokens are judged by it";
    if (off < harmful)
        f.warning("clock", detail, mend);
    else
        f.failure("clock", detail, mend);
}

void examine_authorization_server(findings& f, config const& c, std::vector<agent> const& agents) {
    boost::asio::io_context io{1};
    try {
        check_reachable(f, c, io);
        auto const as = lumoauth::create_client(io, as_settings(c, agents));
        for (jit::agent_index i = 0; i != agents.size(); ++i) check_agent(f, c, agents[i], i, *as, io);
    } catch (failure const& e) {
        f.failure("authorization_server", e.what(), "check the keys of [authorization_server]");
    }
}

}  // namespace jitproxy::app
