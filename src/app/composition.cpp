#include "jitproxy/app/composition.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <thread>

#include "jitproxy/app/adoption.hpp"
#include "jitproxy/app/as_meter.hpp"
#include "jitproxy/app/audit_recorder.hpp"
#include "jitproxy/app/client_environment.hpp"
#include "jitproxy/app/config_keys.hpp"
#include "jitproxy/app/config_load.hpp"
#include "jitproxy/app/endpoint.hpp"
#include "jitproxy/app/paths.hpp"
#include "jitproxy/app/secret_file.hpp"
#include "jitproxy/app/settings.hpp"
#include "jitproxy/app/traffic_report.hpp"
#include "jitproxy/base/log.hpp"
#include "jitproxy/control/callback_listener.hpp"
#include "jitproxy/control/server.hpp"
#include "jitproxy/lumoauth/client.hpp"
#include "jitproxy/net/scheduler.hpp"
#include "jitproxy/net/tls.hpp"
#include "jitproxy/proxy/server.hpp"
#include "jitproxy/store/journal_writer.hpp"

namespace jitproxy::app {
namespace asio = boost::asio;
namespace fs = std::filesystem;
namespace {

template <class T>
T need(result<T> r) {  // start-up: an error is an exception
    if (!r) throw failure(r.error());
    return std::move(*r);
}
void need(result<void> const& r) {
    if (!r) throw failure(r.error());
}

}  // namespace

struct composition::impl : std::enable_shared_from_this<impl> {
    asio::io_context& io;
    config settings;
    composition_options options;
    std::unique_ptr<store::journal_writer> journal;
    std::shared_ptr<ca::authority const> authority;
    net::asio_scheduler clock;
    control::event_hub hub;
    audit_recorder audit;
    std::unique_ptr<jit::authorization_server> as;
    std::unique_ptr<as_meter> meter;
    std::shared_ptr<std::vector<lumoauth::credentials>> credentials;  // the client's, one an agent
    bool as_down = false;                                             // its circuit is open
    std::unique_ptr<proxy::server> proxy;
    std::unique_ptr<jit::task_manager> manager;
    std::unique_ptr<control::api> api;
    std::unique_ptr<control::server> control;
    std::unique_ptr<control::callback_listener> callbacks;  // null: none is wanted

    impl(asio::io_context& i, config const& c, composition_options o)
        : io(i),
          settings(c),
          options(std::move(o)),
          clock(i),
          audit(
              options.audit_file, [this] { return clock.wall_now(); }, hub) {}

    void replace_credentials(std::vector<agent> const& agents) const;
    void build(std::vector<agent> const& agents);
    [[nodiscard]] result<std::shared_ptr<ca::authority const>> make_authority(config const& c,
                                                                              policy::rules const& rules) const;
    [[nodiscard]] fs::path bundle_file() const { return options.state / "ca-bundle.pem"; }
    [[nodiscard]] fs::path truststore_file() const { return options.state / "truststore.p12"; }
    [[nodiscard]] control::daemon_view view();
    [[nodiscard]] json::object access(jit::session_snapshot const* session) const;
    [[nodiscard]] std::vector<control::listener_info> listeners() const;
};

result<std::shared_ptr<ca::authority const>> composition::impl::make_authority(config const& c,
                                                                               policy::rules const& rules) const {
    // What may fail is tried before: other hosts make another CA, and once its files are replaced there is no way back.
    if (auto const tls = net::upstream_tls::create(rules.apis()); !tls) return tls.error();
    auto made = ca::authority::load_or_create(authority_settings(c, rules, options.state), clock.wall_now());
    if (!made) return made.error();
    if (auto done = ca::write_bundle(bundle_file(), made->root_pem()); !done) return done.error();
    if (auto done = ca::write_truststore(truststore_file(), *made, truststore_password); !done) return done.error();
    if (fs::path const shown = c.ca.public_directory; !shown.empty())
        if (auto done = ca::write_public_files(shown, *made, truststore_password); !done) return done.error();
    return std::make_shared<ca::authority const>(std::move(*made));
}

void composition::impl::build(std::vector<agent> const& agents) {
    need(ensure_directory(options.state));
    auto file = need(store::sqlite_journal::open(options.state));
    if (!options.orphans.empty())
        if (auto const n = adopt_orphans(options.orphans, *file); n > 0)
            log::info("tasks of ended runs taken over", {{"tasks", n}});
    journal = std::make_unique<store::journal_writer>(
        std::move(file), [this](std::function<void()> outcome) { asio::post(io, std::move(outcome)); });
    auto const rules = need(make_rules(settings));
    auto reaching = as_settings(settings, agents);
    reaching.on_change = [this](bool down, std::string const& why) {
        as_down = down;
        json::object data;
        if (down) data["reason"] = why;
        hub.on_event({down ? "authorization_server.down" : "authorization_server.up", {}, std::move(data)});
    };
    credentials = reaching.agents;
    as = lumoauth::create_client(io, std::move(reaching));
    meter = std::make_unique<as_meter>(*as);
    authority = need(make_authority(settings, *rules));
    auto serving = server_settings(settings);
    serving.passed = options.proxy_sockets;
    serving.on_user_denied = [this](error const& why, std::uint64_t clients) {
        asio::post(io, [self = weak_from_this(), why, clients] {
            if (auto const alive = self.lock())
                alive->audit.on_event({"client.refused", {}, {{"reason", why.detail}, {"clients", clients}}, {}});
        });
    };
    proxy = std::make_unique<proxy::server>(io, std::move(serving), rules, authority);
    auto of_sessions = manager_settings(settings, agents);
    of_sessions.hash = std::make_shared<keyed_hash const>(need(load_or_make_secret(options.state / "journal.key")));
    of_sessions.ready = [this] { return audit.ready(); };
    if (auto const where = parse_endpoint(settings.approval.callback_listen)) {
        control::callback_options listening;
        listening.address.host = where->address;
        listening.address.port = where->port;
        listening.url = settings.approval.callback_url;
        callbacks = std::make_unique<control::callback_listener>(io, std::move(listening),
                                                                 [this](std::string const& id) { manager->hint(id); });
        of_sessions.callback_url = [this](std::string const& id) { return callbacks->url_of(id); };
    }
    manager = std::make_unique<jit::task_manager>(jit::manager_ports{*meter, *journal, clock, *proxy, audit},
                                                  std::move(of_sessions));
    proxy->attach(*manager);
    api = std::make_unique<control::api>(*manager, clock, hub, view());
    control::server_options socket;
    socket.address = options.control;
    socket.group = options.control_group;
    if (!socket.address.is_unix()) socket.token = need(load_or_make_secret(options.control_token_file));
    control = std::make_unique<control::server>(io, *api, hub, std::move(socket));
}

control::daemon_view composition::impl::view() {
    // The API lives no longer than this object, which owns it.
    control::daemon_view out;
    out.access = [this](jit::session_snapshot const* session) { return access(session); };
    out.listeners = [this] { return listeners(); };
    out.metrics = [this] {
        auto all = traffic_metrics(proxy->counters(), meter->seen(), as_down);
        for (auto& each : audit.metrics()) all.push_back(std::move(each));
        return all;
    };
    out.audit = [this] { return audit.status(); };
    out.counters = [this] { return traffic_counters(proxy->counters()); };
    out.reload = options.reload;
    out.version = JITPROXY_VERSION;
    out.config_file = options.config_file;
    out.session_required = settings.session.default_mode == "required";
    return out;
}

json::object composition::impl::access(jit::session_snapshot const* session) const {
    auto const bound = proxy->listeners();
    endpoint_text where{"127.0.0.1", 0, false};
    if (!bound.empty()) {
        auto const& first = bound.front();
        where.port = first.port();
        where.v6 = first.address().is_v6();
        where.address =
            first.address().is_unspecified() ? (where.v6 ? "::1" : "127.0.0.1") : first.address().to_string();
    }
    std::string user;  // ids and secrets are of the URL-safe alphabet
    if (session && session->proxy_secret)
        user = session->session_id + ":" + std::string(session->proxy_secret->reveal()) + "@";
    client_access a;
    a.proxy_url = "http://" + user + where.text();
    a.proxy_host = where.address;
    a.proxy_port = where.port;
    fs::path const trusted =
        settings.ca.public_directory.empty() ? options.state.string() : settings.ca.public_directory;
    a.ca_file = (trusted / "ca.pem").string();
    a.ca_bundle = (trusted / "ca-bundle.pem").string();
    a.truststore = (trusted / "truststore.p12").string();
    a.direct = names_reached_directly(settings.apis);
    json::object env;
    for (auto const& [name, value] : client_environment(a)) env[name] = value;
    return {{"proxy_url", a.proxy_url}, {"ca_file", a.ca_file}, {"ca_bundle", a.ca_bundle}, {"env", std::move(env)}};
}

std::vector<control::listener_info> composition::impl::listeners() const {
    std::vector<control::listener_info> out;
    for (auto const& e : proxy->listeners())
        out.push_back({"proxy", endpoint_text{e.address().to_string(), e.port(), e.address().is_v6()}.text()});
    out.push_back({"control", control->listener().text()});
    if (callbacks) out.push_back({"callback", callbacks->listener().text()});
    return out;
}

composition::composition(asio::io_context& io, config const& c, std::vector<agent> const& agents,
                         composition_options options)
    : impl_(std::make_shared<impl>(io, c, std::move(options))) {
    impl_->build(agents);
}

composition::~composition() {
    // What still waits for I/O may hold the parts for a while; nothing is to be lost with the process until then.
    impl_->journal->stop();
}

result<void> composition::start() {
    if (auto listening = impl_->control->start(); !listening) return listening;
    if (impl_->callbacks)
        if (auto listening = impl_->callbacks->start(); !listening) return listening;
    if (auto listening = impl_->proxy->start(); !listening) return listening;
    json::object about{{"version", JITPROXY_VERSION}, {"config_file", impl_->options.config_file}};
    if (auto begun = impl_->audit.begin({"daemon.started", {}, std::move(about), {}}); !begun) return begun;
    impl_->manager->start();
    return {};
}

std::vector<control::listener_info> composition::listeners() const {
    return impl_->listeners();
}

// Other secrets of the same agents count from the next call on. Who the agents are cannot change.
void composition::impl::replace_credentials(std::vector<agent> const& agents) const {
    for (auto& now : *credentials)
        for (auto const& next : agents)
            if (next.client_id == now.client_id) now = {next.client_id, next.client_secret, next.scope};
    manager->credentials_changed();
}

result<void> composition::replace(config const& c, std::vector<agent> const& agents) {
    auto& now = *impl_;
    auto const rules = make_rules(c);
    if (!rules) return rules.error();
    auto const authority = now.make_authority(c, **rules);
    if (!authority) return authority.error();
    if (auto replaced = now.proxy->replace_rules(*rules, *authority); !replaced) return replaced;
    now.authority = *authority;
    now.proxy->replace_limits(limit_settings(c));
    now.replace_credentials(agents);
    configure_log(c);
    now.proxy->set_request_log(request_log_of(c));
    for (auto const& name : settings_that_need_a_restart(now.settings, c))
        log::warning("changed, but takes effect only with the next start", {{"key", name}});
    now.settings.apis = c.apis;
    auto name_servers = std::move(now.settings.egress.name_servers);  // these stay: told again at the next reload
    now.settings.egress = c.egress;
    now.settings.egress.name_servers = std::move(name_servers);
    now.settings.limits = c.limits;
    now.settings.log = c.log;
    now.settings.ca = c.ca;
    return {};
}

void composition::when_alive(std::function<void()> done) {
    impl_->proxy->when_alive(std::move(done));
}

std::string composition::status_line() const {
    auto const sessions = impl_->manager->sessions();
    std::size_t pending = 0;
    for (auto const& s : sessions) pending += s.pending_requests;
    return std::to_string(sessions.size()) + (sessions.size() == 1 ? " session, " : " sessions, ") +
           std::to_string(pending) + (pending == 1 ? " request waits" : " requests wait") + " for a decision";
}

std::vector<std::string> composition::unconfirmed_tasks() const {
    std::vector<std::string> out;
    for (auto const& s : impl_->manager->sessions()) out.push_back(s.task_id);
    for (auto const& t : impl_->manager->recovered().waiting) out.push_back(t.task_id);
    return out;
}

void composition::stop(std::function<void(bool)> done) {
    auto const self = impl_;
    // Requests in flight have the drain time, completions a call's time and some more; then the journal must do.
    auto const patience = self->settings.timeouts.drain + self->settings.authorization_server.timeout + seconds{5};
    auto const once = std::make_shared<std::function<void(bool)>>(std::move(done));
    auto const finish = [self, once](bool confirmed) {
        auto const tell = std::exchange(*once, nullptr);
        if (!tell) return;
        self->audit.on_event({"daemon.stopped", {}, {{"every_task_completed", confirmed}}, {}});
        self->hub.end();
        self->control->stop();
        if (self->callbacks) self->callbacks->stop();
        tell(confirmed);
    };
    self->clock.call_after(patience, [finish] { finish(false); });
    self->proxy->stop_accepting();
    self->proxy->drain([self, finish] {
        self->manager->shut_down([self, finish] { self->meter->revoke_agent_tokens([finish] { finish(true); }); });
    });
}

}  // namespace jitproxy::app
