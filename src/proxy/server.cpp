#include "jitproxy/proxy/server.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <thread>

#include "jitproxy/base/log.hpp"
#include "jitproxy/http/forward.hpp"
#include "jitproxy/proxy/client_connection.hpp"
#include "jitproxy/proxy/worker.hpp"

namespace jitproxy::proxy {

namespace {

using boost::asio::ip::tcp;
using reuse_port = boost::asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

error cannot_listen(tcp::endpoint const& where, boost::system::error_code ec) {
    // Somebody else has it, perhaps for a moment only: no reason to give up for good.
    bool const taken = ec == boost::asio::error::address_in_use || ec == boost::system::errc::address_not_available;
    return make_error(taken ? errc::in_use : errc::configuration,
                      "cannot listen on " + where.address().to_string() + ":" + std::to_string(where.port()) + ": " +
                          ec.message() + (taken ? "; see `ss -ltnp`; [listen] proxy or --listen names another" : ""));
}

result<worker::acceptor> open_listener(boost::asio::io_context& io, tcp::endpoint const& where, bool shared) {
    worker::acceptor socket(io.get_executor());
    boost::system::error_code ec;
    socket.open(where.protocol(), ec);
    if (!ec) socket.set_option(boost::asio::socket_base::reuse_address(true), ec);
    if (!ec && shared) socket.set_option(reuse_port(true), ec);
    if (!ec && where.protocol() == tcp::v6()) socket.set_option(boost::asio::ip::v6_only(true), ec);
    if (!ec) socket.bind(where, ec);
    if (!ec) socket.listen(boost::asio::socket_base::max_listen_connections, ec);
    if (!ec) socket.native_non_blocking(true, ec);
    if (ec) return cannot_listen(where, ec);
    return result<worker::acceptor>(std::move(socket));
}

// A descriptor of its own of a socket that listens already.
result<worker::acceptor> share_listener(boost::asio::io_context& io, int listening, tcp::endpoint& where) {
    worker::acceptor socket(io.get_executor());
    auto size = static_cast<socklen_t>(where.capacity());
    boost::system::error_code ec;
    int const own = ::fcntl(listening, F_DUPFD_CLOEXEC, 0);
    if (own < 0 || ::getsockname(own, where.data(), &size) != 0) ec.assign(errno, boost::system::system_category());
    if (!ec) {
        where.resize(size);
        socket.assign(where.protocol(), own, ec);
    }
    if (!ec) socket.native_non_blocking(true, ec);
    if (ec) return make_error(errc::configuration, "a socket that was passed cannot be used: " + ec.message());
    return result<worker::acceptor>(std::move(socket));
}

}  // namespace

struct server::impl {
    impl(boost::asio::io_context& c, server_options o)
        : control(c),
          options(std::move(o)),
          link(c),
          places(options.limits.connections, options.limits.session_connections) {}

    boost::asio::io_context& control;
    server_options options;
    control_link link;
    admission places;
    std::shared_ptr<leaf_counts> leaves = std::make_shared<leaf_counts>();
    routing route;
    std::vector<std::unique_ptr<worker>> workers;
    std::vector<std::thread> threads;
    std::vector<tcp::endpoint> listeners;

    // On every worker's thread.
    template <class F>
    void everywhere(F f) {
        for (auto& w : workers) boost::asio::post(w->io, [f, raw = w.get()] { f(*raw); });
    }
    // `begin` there, with what to call when that worker is through; `done` on the control thread once all are.
    template <class Begin>
    void ask_all(Begin begin, std::function<void()> done) {
        auto const left = std::make_shared<std::size_t>(workers.size());
        everywhere([left, begin, done = std::move(done), &io = control](worker& w) {
            begin(w, [left, done, &io] {
                boost::asio::post(io, [left, done] {
                    if (--*left == 0) done();
                });
            });
        });
    }
    // The same; `too_late` once the drain time is over and not all are through.
    template <class Begin>
    void drain_all(Begin begin, std::function<void()> too_late, std::function<void()> done) {
        auto const patience = std::make_shared<boost::asio::steady_timer>(control, options.timeouts.drain);
        ask_all(begin, [patience, done = std::move(done)] {
            patience->cancel();
            done();
        });
        patience->async_wait([too_late = std::move(too_late)](boost::system::error_code ec) {
            if (!ec) too_late();
        });
    }

    result<void> make_route(policy::rules_ptr rules, std::shared_ptr<ca::authority const> authority) {
        auto tls = net::upstream_tls::create(rules->apis());
        if (!tls) return tls.error();
        route = {std::move(rules), std::move(*tls), std::make_shared<leaf_contexts>(std::move(authority), leaves)};
        return {};
    }

    // Workers share its queue: who comes first accepts.
    result<void> listen_with(int passed) {
        tcp::endpoint where;
        for (auto& w : workers) {
            auto socket = share_listener(w->io, passed, where);
            if (!socket) return socket.error();
            w->listen(std::move(*socket));
        }
        ::close(passed);
        listeners.push_back(where);
        return {};
    }

    result<void> listen_on(tcp::endpoint where) {
        bool const shared = workers.size() > 1;
        if (shared && where.port() != 0) {
            // SO_REUSEPORT would share the port with another process of this user without a word: look first.
            auto const probe = open_listener(control, where, false);
            if (!probe) return probe.error();
        }
        for (auto& w : workers) {
            auto socket = open_listener(w->io, where, shared);
            if (!socket) return socket.error();
            boost::system::error_code ec;
            where = socket->local_endpoint(ec);  // the real port, for the next worker too
            w->listen(std::move(*socket));
        }
        listeners.push_back(where);
        return {};
    }
};

server::server(boost::asio::io_context& control, server_options options, policy::rules_ptr rules,
               std::shared_ptr<ca::authority const> authority)
    : impl_(std::make_shared<impl>(control, std::move(options))) {
    if (auto made = impl_->make_route(std::move(rules), std::move(authority)); !made) throw failure(made.error());
    auto const via = http::make_via_pseudonym();
    for (unsigned i = 0; i < std::max(1U, impl_->options.workers); ++i) {
        impl_->workers.push_back(std::make_unique<worker>(impl_->options, via, impl_->link, impl_->places));
        impl_->workers.back()->set_routing(impl_->route);
        impl_->workers.back()->logged = impl_->options.logged;
    }
}

server::~server() {
    for (auto& w : impl_->workers) w->io.stop();
    for (auto& t : impl_->threads) t.join();
}

void server::attach(jit::task_manager& manager) {
    impl_->link.attach(manager);
}

result<void> server::start() {
    for (int const passed : impl_->options.passed)
        if (auto listening = impl_->listen_with(passed); !listening) return listening;
    if (impl_->options.passed.empty())
        for (auto const& where : impl_->options.listen)
            if (auto listening = impl_->listen_on(where); !listening) return listening;
    std::vector<std::uint16_t> ports;
    for (auto const& l : impl_->listeners) ports.push_back(l.port());
    for (auto& w : impl_->workers) {
        w->upstreams.set_own_ports(ports);
        impl_->threads.emplace_back([raw = w.get()] { raw->run(); });
    }
    return {};
}

std::vector<tcp::endpoint> server::listeners() const {
    return impl_->listeners;
}

result<void> server::replace_rules(policy::rules_ptr rules, std::shared_ptr<ca::authority const> authority) {
    if (auto made = impl_->make_route(std::move(rules), std::move(authority)); !made) return made;
    impl_->everywhere([route = impl_->route](worker& w) { w.set_routing(route); });
    return {};
}

void server::set_request_log(request_log which) {
    impl_->everywhere([which](worker& w) { w.logged = which; });
}

void server::replace_limits(proxy::limits const& l) {
    impl_->places.set_most(l.connections, l.session_connections);
    impl_->everywhere([l](worker& w) { w.set_limits(l); });
}

void server::when_alive(std::function<void()> done) {
    impl_->ask_all([](worker&, auto through) { through(); }, std::move(done));
}

void server::stop_accepting() {
    impl_->everywhere([](worker& w) { w.stop_accepting(); });
}

void server::drain(std::function<void()> done) {
    auto const cut = [self = impl_] {
        log::warning("requests in flight are cut: [timeouts] drain is over");
        self->everywhere([](worker& w) { w.cut(); });
    };
    impl_->drain_all(
        [](worker& w, auto through) {
            w.when_empty(through);
            w.drain();
        },
        cut, std::move(done));
}

proxy::counters server::counters() const {
    proxy::counters sum;
    for (auto const& w : impl_->workers) w->counts.add_to(sum);
    sum.leaf_hits = impl_->leaves->hits;
    sum.leaf_misses = impl_->leaves->misses;
    sum.leaf_size = impl_->route.leaves->size();
    return sum;
}

void server::publish(jit::snapshot_ptr session) {
    impl_->everywhere([s = std::move(session)](worker& w) { w.sessions.publish(s); });
}

void server::drain(std::string const& session_id, std::function<void()> done) {
    auto const cut = [self = impl_, session_id] {
        log::warning("requests of a closing session are cut: [timeouts] drain is over", {{"session", session_id}});
        self->everywhere([session_id](worker& w) { w.cut_session(session_id); });
    };
    impl_->drain_all([session_id](worker& w, auto through) { w.when_unused(session_id, through); }, cut,
                     std::move(done));
}

void server::withdraw(std::string const& session_id) {
    impl_->everywhere([session_id](worker& w) { w.sessions.withdraw(session_id); });
}

}  // namespace jitproxy::proxy
