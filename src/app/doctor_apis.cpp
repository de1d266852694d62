// The protected APIs, reached as the daemon would reach them.
#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <optional>

#include "jitproxy/app/doctor.hpp"
#include "jitproxy/app/settings.hpp"
#include "jitproxy/net/upstreams.hpp"

namespace jitproxy::app {
namespace {

constexpr milliseconds patience{5'000};
// With a port that may well speak plain HTTP: some servers wait for more where a TLS handshake begins.
constexpr milliseconds patience_with_plain{1'000};

class visitor {
  public:
    visitor(config const& c, net::reach reach, milliseconds longest)
        : clock_(std::chrono::steady_clock::now()),
          limit_(clock_, wakes_),
          upstreams_(io_, buffers_,
                     {std::min(c.timeouts.connect, longest), std::min(c.timeouts.tls_handshake, longest),
                      c.timeouts.pool_idle, 0},
                     server_settings(c).resolver) {
        upstreams_.set_reach(std::move(reach));
    }

    // A connection, closed at once. Errors: those of net::upstreams::connect.
    result<void> visit(net::destination const& to, bool with_tls) {
        std::optional<result<net::endpoint_ptr>> outcome;
        auto root = connect(to, with_tls, outcome);
        root.start();
        while (!outcome) {  // every step of it has a deadline
            io_.restart();
            io_.run_one_for(net::tick_length);
            clock_.tick(std::chrono::steady_clock::now());
        }
        if (outcome->has_error()) return outcome->error();
        return {};
    }

  private:
    net::task<> connect(net::destination to, bool with_tls, std::optional<result<net::endpoint_ptr>>& outcome) {
        auto made = co_await upstreams_.connect(to, with_tls, wakes_, limit_);
        outcome.emplace(std::move(made));
    }

    boost::asio::io_context io_{1};
    net::buffer_pool buffers_;
    net::waker wakes_;
    net::deadlines clock_;
    net::deadline limit_;
    net::upstreams upstreams_;
};

std::string how_to_mend(error const& e) {
    switch (e.code) {
        case errc::dns_error:
        case errc::dns_timeout:
            return "check the name, this machine's name servers, and egress.name_servers";
        case errc::address_denied:
            return "if that is where the API is, name its block in egress.allow_addresses";
        case errc::tls_failed:
        case errc::tls_bad_certificate:
            return "check the port, this machine's clock, and ca_file of this [[api]] if the certificate is not a "
                   "public one";
        default:
            return "check that the API is up, and that a firewall lets this machine reach it";
    }
}

void check_origin(findings& f, visitor& from, policy::api_ptr const& api, std::string const& host, std::uint16_t port) {
    net::destination to;
    auto const authority = http::parse_authority(host.find(':') == std::string::npos ? host : "[" + host + "]", port);
    if (!authority) return;  // reported where the configuration is read
    to.authority = *authority;
    to.authority.port = port;
    to.api = api;
    bool const plain = port == 80 && api->upstream_tls == policy::upstream_tls::as_requested;
    to.scheme = plain ? http::scheme::http : http::scheme::https;
    to.origin = http::origin_of(to.scheme, to.authority);
    auto const name = "API " + api->name + ": ";
    auto const found = from.visit(to, true);
    if (found)
        return f.ok("api", name + to.origin + " can be reached" + (plain ? "" : ", and its certificate is good"));
    if (found.error().code == errc::tls_failed && api->allow_plain_http)
        return f.ok("api", name + to.origin + " can be reached, and speaks no TLS (allow_plain_http is set)");
    f.failure("api", name + found.error().detail, how_to_mend(found.error()));
}

}  // namespace

void examine_apis(findings& f, config const& c) {
    if (c.apis.empty()) return f.failure("api", "no API is protected", "name one with [[api]] or --protect HOST");
    auto const rules = make_rules(c);
    if (!rules) return;  // of a configuration with errors, which are told already
    auto const tls = net::upstream_tls::create((*rules)->apis());
    if (!tls) return f.failure("api", tls.error().detail, "check that file");
    visitor strict(c, {*rules, *tls}, patience);
    visitor lenient(c, {*rules, *tls}, patience_with_plain);
    for (auto const& api : (*rules)->apis()) {
        auto& from = api->allow_plain_http ? lenient : strict;
        for (auto const& host : api->hosts) {
            if (host.is_suffix()) {
                f.ok("api", "API " + api->name + ": " + host.text() + " is no single host, and was not tried");
                continue;
            }
            for (auto const port : api->ports) check_origin(f, from, api, host.name(), port);
        }
    }
}

}  // namespace jitproxy::app
