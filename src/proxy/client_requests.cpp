// client_connection: what is done with a request whose head was read.
#include "jitproxy/base/encoding.hpp"
#include "jitproxy/base/log.hpp"
#include "jitproxy/http/forward.hpp"
#include "jitproxy/http/reply.hpp"
#include "jitproxy/net/mailbox.hpp"
#include "jitproxy/proxy/client_connection.hpp"
#include "jitproxy/proxy/exchange_driver.hpp"
#include "jitproxy/proxy/tunnel.hpp"
#include "jitproxy/proxy/worker.hpp"

namespace jitproxy::proxy {

namespace {

constexpr std::string_view without_credentials = "*";  // counts as a session's id; none looks like this
constexpr std::string_view tunnel_established = "HTTP/1.1 200 Connection established\r\n\r\n";
constexpr unsigned char tls_handshake_record = 0x16;  // RFC 8446 5.1

bool expects_only_continue(http::request_head const& head) {
    auto const* expect = head.find(http::field_id::expect);
    return expect == nullptr || (head.count(http::field_id::expect) == 1 && iequals(expect->value, "100-continue"));
}

}  // namespace

net::task<client_connection::after> client_connection::handle_request() {
    auto target = http::parse_request_target(head_.method, head_.target);
    if (!target) co_return co_await reject(target.error());
    record_.name_target(*target, inside_ ? inside_->authority : target->authority,
                        inside_ ? inside_->scheme : target->scheme);
    if (!expects_only_continue(head_))
        co_return co_await reject(make_error(errc::unsupported_expectation, "only Expect: 100-continue is understood"));
    if (http::via_contains(head_, worker_.via))
        co_return co_await reject(make_error(errc::loop, "this request came through this proxy before"));
    if (target->form == http::target_form::authority) co_return co_await handle_connect(std::move(*target));

    std::string session_id;
    if (inside_) {
        if (auto const fits = resolve_inside(*target); !fits) co_return co_await reject(fits.error());
        session_id = inside_->session_id;
        if (!session_id.empty()) {
            auto const session = worker_.sessions.find(session_id);
            if (!session) co_return co_await reject(make_error(errc::session_unknown, "this session is closed"));
            if (!session->accepts()) co_return co_await reject(session->refusal());
        }
    } else {
        if (target->form != http::target_form::absolute)
            co_return co_await reject(
                make_error(errc::bad_target,
                           "this is a forward proxy: the request target must be absolute, as in GET http://host/path"));
        auto identity = co_await identify();
        if (!identity) co_return co_await reject(identity.error());
        session_id = std::move(*identity);
    }
    if (auto const left = http::max_forwards(head_); left && *left == 0) co_return co_await answer_as_last();
    record_.session_id = session_id;
    auto planned = plan(*target, std::move(session_id));
    if (!planned) co_return co_await reject(planned.error());
    client_side const side{worker_, waker_, limit_, stream_, cut_, served_, own_, record_};
    exchange_driver driver(side, std::move(*planned));
    bool const keep = co_await driver.run();
    co_return (keep && keep_alive_ && !worker_.draining) ? after::next_request : after::close;
}

net::task<client_connection::after> client_connection::answer_as_last() {
    bool keep = keep_alive_ && !worker_.draining;
    if (keep && body_pending_) keep = co_await discard_body();
    std::string text;
    record_.status = 200;
    record_.outcome = outcome::served;
    http::write_final_recipient_reply(text, head_, {.keep_alive = keep, .date = worker_.date()});
    bool const sent = co_await send_all(std::move(text));
    co_return (sent && keep) ? after::next_request : after::close;
}

net::task<result<std::string>> client_connection::identify() {
    auto session_id = worker_.sessions.authenticate(head_, worker_.options.session_required);
    if (!session_id && session_id.error().code == errc::session_unknown) {
        // A session that was opened this very moment may still be on its way to this worker: look again behind it.
        co_await net::breathe(worker_.io, waker_);
        session_id = worker_.sessions.authenticate(head_, worker_.options.session_required);
    }
    if (session_id && !worker_.admission.move(*place_, session_id->empty() ? without_credentials : *session_id))
        co_return make_error(errc::limit_reached,
                             "too many connections of this session ([limits] session_connections)");
    co_return session_id;
}

// Inside an intercepted tunnel the CONNECT target is the destination; everything that names another is misdirected (RFC
// 9110 7.4).
result<void> client_connection::resolve_inside(http::request_target& target) const {
    auto const& tunnel = *inside_;
    if (tunnel.name_mismatch)
        return make_error(errc::misdirected, "the TLS server name is not the host that CONNECT named");
    auto const* host = head_.find(http::field_id::host);
    if (host != nullptr) {
        auto const named = http::parse_authority(host->value, http::default_port(tunnel.scheme));
        if (!named) return make_error(errc::malformed_request, "Host is not valid");
        bool const port_left_out = host->value.find(':') == std::string_view::npos;  // clients do so for any port
        if (named->host != tunnel.authority.host || (named->port != tunnel.authority.port && !port_left_out))
            return make_error(errc::misdirected, "Host names another host than CONNECT did");
    }
    if (target.form == http::target_form::absolute &&
        (target.authority != tunnel.authority || target.scheme != tunnel.scheme))
        return make_error(errc::misdirected, "the request target names another origin than CONNECT did");
    target.authority = tunnel.authority;
    target.scheme = tunnel.scheme;
    return {};
}

result<exchange_request> client_connection::plan(http::request_target const& target, std::string session_id) {
    auto const& rules = *worker_.route.rules;
    exchange_request planned;
    planned.head = &head_;
    planned.framing = framing_;
    planned.session_id = std::move(session_id);
    planned.to.authority = target.authority;
    planned.to.scheme = target.scheme;
    if (target.scheme == http::scheme::http) {
        // http://api/ of an API that is always reached over TLS: port 80 stands for its 443.
        auto secure = target.authority;
        if (secure.port == 80) secure.port = 443;
        auto const upgraded = rules.route_request(secure);
        if (upgraded && upgraded->kind == policy::route_kind::protected_api &&
            upgraded->api->upstream_tls == policy::upstream_tls::always) {
            planned.to.authority = secure;
            planned.to.scheme = http::scheme::https;
        }
    }
    auto const route = rules.route_request(planned.to.authority);
    if (!route) {
        belongs_to(rules.api_of_host(planned.to.authority));
        return route.error();
    }
    if (route->kind == policy::route_kind::protected_api) {
        planned.to.api = route->api;
        belongs_to(route->api);
        if (planned.to.scheme == http::scheme::http && !route->api->allow_plain_http)
            return make_error(errc::plain_http_denied, "the API \"" + route->api->name +
                                                           "\" would get its bearer over plain HTTP: use https, or set "
                                                           "upstream_tls = \"always\" or allow_plain_http = true");
        planned.keep_authorization = route->api->authorization == policy::authorization_mode::keep &&
                                     head_.find(http::field_id::authorization) != nullptr;
    } else if (inside_) {
        return make_error(errc::host_denied, "this host is no protected API any more; connect anew");
    }
    planned.to.origin = http::origin_of(planned.to.scheme, planned.to.authority);
    planned.host = http::format_authority(planned.to.authority, planned.to.scheme);
    planned.path = target.form == http::target_form::asterisk ? std::string("*") : std::string(target.path);
    planned.upgrade = http::wants_upgrade(head_);
    return planned;
}

void client_connection::belongs_to(policy::api_ptr const& api) {
    if (!api) return;
    if (counted_api_ != api) {
        counted_in_ = &worker_.counts.of(api->name);
        counted_api_ = api;
    }
    record_.api = counted_in_;
}

net::task<client_connection::after> client_connection::handle_connect(http::request_target target) {
    if (inside_)
        co_return co_await reject(make_error(errc::bad_target, "CONNECT inside an intercepted tunnel is not served"));
    if (body_pending_) co_return co_await reject(make_error(errc::malformed_request, "CONNECT has no body"));
    auto identity = co_await identify();
    if (!identity) co_return co_await reject(identity.error());
    record_.session_id = *identity;
    auto const route = worker_.route.rules->route_connect(target.authority);
    belongs_to(route ? route->api : worker_.route.rules->api_of_host(target.authority));
    if (!route) co_return co_await reject(route.error());
    if (route->kind == policy::route_kind::protected_api) {
        co_return co_await intercept(target.authority, std::move(*identity));
    }

    served_ = *identity;
    auto const then = co_await tunnel(std::move(target));
    served_ = {};
    worker_.check_unused();
    co_return then;
}

net::task<client_connection::after> client_connection::tunnel(http::request_target target) {
    net::destination to;
    to.authority = target.authority;
    to.scheme = http::scheme::https;
    to.origin = http::origin_of(to.scheme, to.authority);
    auto upstream = co_await worker_.upstreams.connect(to, false, waker_, limit_);
    record_.queue = worker_.since(record_.began);
    if (cut_) co_return after::close;
    if (!upstream) co_return co_await reject(upstream.error());
    bool const told = co_await send_all(std::string(tunnel_established));
    if (!told) co_return after::close;
    record_.status = 200;
    record_.outcome = outcome::tunneled;
    add(worker_.counts.tunnels);
    record_.method = "CONNECT";  // the head goes now
    std::string().swap(head_bytes_);
    client_side const side{worker_, waker_, limit_, stream_, cut_, served_, own_, record_};
    co_await run_tunnel(side, **upstream);
    record_.bytes_up = (*upstream)->bytes_out;
    record_.bytes_down = (*upstream)->bytes_in;
    co_return after::close;
}

net::task<client_connection::after> client_connection::intercept(http::authority authority, std::string session_id) {
    // Before the 200: a protected host that cannot be intercepted is refused, never tunnelled.
    auto context = worker_.route.leaves->context(authority.host, std::chrono::system_clock::now());
    if (!context) co_return co_await reject(context.error());
    bool const told = co_await send_all(std::string(tunnel_established));
    if (!told) co_return after::close;
    record_.silent = true;  // what comes inside is told, each for itself; where nothing does, nothing was asked for

    auto& buffer = stream_.buffer();
    limit_.expires_after(worker_.options.timeouts.client_idle);
    while (buffer.empty()) {
        auto const got = stream_.try_read(buffer.prepare(net::buffer_pool::block_size));
        if (got.status == net::io_status::ok) {
            buffer.commit(got.bytes);
        } else if (got.status == net::io_status::blocked) {
            buffer.release();
            if (worker_.draining) co_return after::close;  // nothing was begun: as an idle connection
            stream_.wait_read();
            co_await waker_.wait();
            if (cut_ || limit_.expired()) co_return after::close;
        } else {
            co_return after::close;
        }
    }
    limit_.never();
    inside_tunnel tunnel{authority, http::scheme::http, std::move(session_id), false};
    // The first byte tells TLS from HTTP in the clear, whatever the port (some clients CONNECT for http: URLs too).
    if (static_cast<unsigned char>(buffer.data().front()) == tls_handshake_record) {
        bool const secured = co_await accept_tls(authority, std::move(*context));
        if (!secured) co_return after::close;
        tunnel.scheme = http::scheme::https;
        auto const named = net::sni_of(stream_.tls());
        tunnel.name_mismatch = !named.empty() && named != authority.host && named != authority.host + '.';
    }
    inside_.emplace(std::move(tunnel));
    co_return after::next_request;
}

net::task<bool> client_connection::accept_tls(http::authority const& authority, net::ssl_ctx_ptr context) {
    if (!stream_.start_tls_accept(context.get())) {
        worker_.counts.failed(errc::internal);
        co_return false;
    }
    limit_.expires_after(worker_.options.timeouts.tls_handshake);
    for (;;) {
        auto const step = stream_.handshake();
        if (step.status == net::io_status::ok) break;
        if (step.status != net::io_status::blocked) {
            log::info("TLS handshake with a client failed; does it trust the local CA?",
                      {{"host", authority.host}, {"reason", stream_.handshake_error().detail}});
            worker_.counts.failed(errc::tls_failed);
            co_return false;
        }
        stream_.wait_read();
        co_await waker_.wait();
        if (cut_) co_return false;
        if (limit_.expired()) {
            worker_.counts.failed(errc::client_timeout);
            co_return false;
        }
    }
    limit_.never();
    co_return true;
}

}  // namespace jitproxy::proxy
