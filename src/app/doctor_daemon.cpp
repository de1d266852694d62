// The daemon, its ports and the way out that it takes, as the doctor sees them.
#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "jitproxy/app/daemon_client.hpp"
#include "jitproxy/app/doctor.hpp"
#include "jitproxy/app/endpoint.hpp"
#include "jitproxy/app/settings.hpp"

namespace jitproxy::app {
namespace {

// Whether one could listen there now.
boost::system::error_code try_to_listen(endpoint_text const& where) {
    namespace ip = boost::asio::ip;
    boost::asio::io_context io;
    ip::tcp::acceptor probe(io);
    boost::system::error_code ec;
    ip::tcp::endpoint const at(ip::make_address(where.address), where.port);
    probe.open(at.protocol(), ec);
    if (!ec) probe.set_option(boost::asio::socket_base::reuse_address(true), ec);
    if (!ec) probe.bind(at, ec);
    if (!ec) probe.listen(1, ec);
    return ec;
}

std::vector<std::string> wanted_addresses(config const& c) {
    std::vector<std::string> out;
    for (auto const& where : server_settings(c).listen)
        if (where.port() != 0)
            out.push_back(endpoint_text{where.address().to_string(), where.port(), where.address().is_v6()}.text());
    return out;
}

// `held`: the daemon's addresses; `told`: it has told them, or there is none.
void check_ports(findings& f, config const& c, std::vector<std::string> const& held, bool told) {
    for (auto const& at : wanted_addresses(c)) {
        if (std::find(held.begin(), held.end(), at) != held.end()) {
            f.ok("proxy_port", at + " is the daemon's");
            continue;
        }
        auto const ec = try_to_listen(*parse_endpoint(at));
        if (!ec)
            f.ok("proxy_port", at + " is free");
        else if (ec == boost::asio::error::address_in_use && !told)
            f.warning("proxy_port", at + " is in use, by the daemon or by another process: the daemon was not asked",
                      "mend what is wrong with the daemon first, and see who it is (ss -ltnp)");
        else if (ec == boost::asio::error::address_in_use)
            f.failure("proxy_port", at + " is in use by another process",
                      "see which (ss -ltnp), and end it or set listen.proxy");
        else
            f.failure("proxy_port", at + " cannot be listened on: " + ec.message(), "set listen.proxy");
    }
}

// A proxy that this machine's programs are to use, and jitproxy does not.
void check_parent_proxy(findings& f, config const& c, std::vector<std::string> ours, variable_lookup const& variables) {
    for (auto& at : wanted_addresses(c)) ours.push_back(std::move(at));
    for (auto const* name : {"HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"}) {
        auto const value = variables(name);
        if (!value) continue;
        auto const at = proxy_address(*value);
        if (std::find(ours.begin(), ours.end(), at) != ours.end()) continue;
        return f.warning(
            "parent_proxy",
            std::string(name) + " names a proxy (" + at + "); jitproxy itself does not use it: it connects directly",
            "let this machine reach LumoAuth and the APIs without it");
    }
}

std::vector<std::string> addresses_in(json::object const& status) {
    std::vector<std::string> out;
    if (auto const* list = status.if_contains("listeners"); list && list->is_array())
        for (auto const& item : list->get_array())
            if (item.is_object()) out.push_back(text_member(item.get_object(), "address"));
    return out;
}

}  // namespace

std::string proxy_address(std::string_view url) {
    if (auto const scheme = url.find("://"); scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
    url = url.substr(0, url.find_first_of("/?#"));
    if (auto const user = url.rfind('@'); user != std::string_view::npos) url.remove_prefix(user + 1);
    if (url.starts_with("localhost:")) return "127.0.0.1" + std::string(url.substr(9));
    return std::string(url);
}

void examine_daemon(findings& f, config const& c, common_options const& o) {
    std::vector<std::string> held;
    bool told = true;
    auto daemon = connect_to_daemon(o);
    if (!daemon && daemon.error().code == errc::not_found) {
        f.ok("daemon", "none runs (" + daemon.error().detail + "); `jitproxy run` serves for its command alone then");
        examine_audit_trail(f, c, o.variables);
    } else if (!daemon) {
        told = false;
        f.failure(
            "daemon", daemon.error().detail,
            daemon.error().code == errc::bad_argument
                ? "give it the daemon's own: JITPROXY_CONTROL_TOKEN, or listen.control_token_file"
                : "ask as its user, as root, or as a member of [listen] control_group; or name another socket with "
                  "--control");
    } else {
        auto const where = daemon->where().text();
        auto const ready = daemon->call("GET", "/readyz", {}, answer_time);
        if (ready && ready->ok())
            f.ok("daemon", "one answers at " + where + " and is ready");
        else
            f.failure("daemon", "the daemon at " + where + " is not ready", "see its log, or `jitproxy status`");
        auto const status = daemon->call("GET", "/v1/status", {}, answer_time);
        auto const document = status && status->ok() ? status->document() : result<json::value>(json::value());
        told = document && document->is_object();
        if (told) {
            auto const& said = document->get_object();
            held = addresses_in(said);
            if (auto const* audit = said.if_contains("audit"); audit && audit->is_object())
                judge_audit_trail(f, audit->get_object());
        }
    }
    check_ports(f, c, held, told);
    check_parent_proxy(f, c, held, o.variables);
}

}  // namespace jitproxy::app
