#include "jitproxy/net/upstreams.hpp"

#include <algorithm>

#include "jitproxy/net/mailbox.hpp"

namespace jitproxy::net {

namespace {
constexpr std::size_t most_sessions = 4096;  // TLS sessions remembered
}

upstreams::upstreams(boost::asio::io_context& io, buffer_pool& buffers, upstream_options options,
                     resolver_options names)
    : io_(io),
      buffers_(buffers),
      options_(options),
      resolver_(io, std::move(names)),
      now_(std::chrono::steady_clock::now()) {}

void upstreams::set_reach(reach r) {
    reach_ = std::move(r);
    pool_.clear();
    sessions_.clear();
}

std::string upstreams::key_of(destination const& to) {
    return to.api ? to.origin + ' ' + to.api->name : to.origin;
}

endpoint_ptr upstreams::take_idle(destination const& to, waker& user) {
    auto const found = pool_.find(key_of(to));
    if (found == pool_.end()) return nullptr;
    auto& idle_ones = found->second;
    while (!idle_ones.empty()) {
        auto stream = std::move(idle_ones.back().stream);  // the youngest is the likeliest to be alive
        idle_ones.pop_back();
        if (stream->look() != endpoint::peer_state::quiet) continue;
        stream->set_waker(&user);
        ++reuses;
        return stream;
    }
    return nullptr;
}

void upstreams::give_back(destination const& to, endpoint_ptr stream) {
    if (!stream->is_open() || !stream->buffer().empty() || !stream->flushed()) return;
    // Made under rules that were replaced meanwhile: its context and its address may no longer be right.
    if (to.api &&
        std::find(reach_.rules->apis().begin(), reach_.rules->apis().end(), to.api) == reach_.rules->apis().end())
        return;
    auto& idle_ones = pool_[key_of(to)];
    if (idle_ones.size() >= options_.pool_per_origin) return;
    stream->set_waker(nullptr);
    stream->buffer().release();
    idle_ones.push_back({std::move(stream), now_});
}

void upstreams::tick(steady_time now) {
    now_ = now;
    for (auto entry = pool_.begin(); entry != pool_.end();) {
        auto& idle_ones = entry->second;
        std::erase_if(idle_ones, [&](idle& i) { return now - i.since >= options_.pool_idle; });
        entry = idle_ones.empty() ? pool_.erase(entry) : std::next(entry);
    }
}

task<result<addresses>> upstreams::resolve(std::string const& host, waker& user, deadline& limit) {
    mailbox<result<addresses>> answer(user);
    resolver_.resolve(host, answer.deliver_here());
    while (!answer.full()) {
        if (limit.expired()) co_return make_error(errc::dns_timeout, "looking up " + host + " took too long");
        co_await user.wait();
    }
    co_return answer.take();
}

task<result<endpoint_ptr>> upstreams::dial(boost::asio::ip::tcp::endpoint address, waker& user, deadline& limit) {
    tcp_socket socket(io_.get_executor());
    boost::system::error_code ec;
    socket.open(address.protocol(), ec);
    if (ec) co_return make_error(errc::limit_reached, "no socket: " + ec.message());
    auto stream = std::make_unique<endpoint>(std::move(socket), buffers_);
    stream->set_waker(&user);
    int const fd = stream->socket().native_handle();
    if (::connect(fd, address.data(), static_cast<socklen_t>(address.size())) == 0) co_return std::move(stream);
    int code = errno;
    if (code == EINPROGRESS) {
        stream->wait_write();
        for (;;) {
            co_await user.wait();
            if (limit.expired()) co_return make_error(errc::connection_timeout, "connecting took too long");
            sockaddr_storage peer{};
            socklen_t peer_size = sizeof(peer);
            socklen_t code_size = sizeof(code);
            ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &code_size);
            if (code != 0 || ::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &peer_size) == 0) break;
            stream->wait_write();
        }
    }
    if (code == 0) co_return std::move(stream);
    auto const text = boost::system::error_code(code, boost::system::system_category()).message();
    switch (code) {
        case ECONNREFUSED:
            co_return make_error(errc::connection_refused, text);
        case ETIMEDOUT:
            co_return make_error(errc::connection_timeout, text);
        default:
            co_return make_error(errc::unreachable, text);
    }
}

task<result<endpoint_ptr>> upstreams::connect(destination const& to, bool with_tls, waker& user, deadline& limit) {
    auto const began_under = reach_;  // stays alive and the same while we wait
    limit.expires_after(options_.connect);
    auto found = co_await resolve(to.authority.host, user, limit);
    if (!found) {
        limit.never();
        co_return found.error();
    }
    error last = make_error(errc::dns_error, to.authority.host + " has no address");
    endpoint_ptr stream;
    for (auto const& address : *found) {
        if (auto const allowed = began_under.rules->guard().check(address); !allowed) {
            if (last.code == errc::dns_error) last = allowed.error();  // a failure to connect tells more
            continue;
        }
        limit.expires_after(options_.connect);
        auto dialled = co_await dial({address, to.authority.port}, user, limit);
        if (dialled) {
            stream = std::move(*dialled);
            break;
        }
        last = dialled.error();
    }
    limit.never();
    if (!stream) {
        if (last.code != errc::address_denied) last.detail = to.origin + ": " + last.detail;
        co_return last;
    }
    if (is_loop(*stream)) co_return make_error(errc::loop, to.origin + " is this proxy itself");
    ++connects;
    if (with_tls && to.scheme == http::scheme::https) {
        auto* context = began_under.tls->context(to.api.get());
        auto& slot = sessions_[key_of(to)];
        if (!slot) slot = std::make_shared<session_slot>();
        auto started = stream->start_tls_connect(context, to.authority.host, to.authority.is_ip, slot);
        if (sessions_.size() > most_sessions) sessions_.clear();
        if (!started) co_return started.error();
        auto secured = co_await start_tls(*stream, to, limit, user);
        if (!secured) co_return secured.error();
    }
    co_return std::move(stream);
}

task<result<void>> upstreams::start_tls(endpoint& stream, destination const& to, deadline& limit, waker& user) {
    limit.expires_after(options_.tls_handshake);
    for (;;) {
        auto const step = stream.handshake();
        if (step.status == io_status::ok) break;
        if (step.status != io_status::blocked) {
            limit.never();
            auto e = stream.handshake_error();
            e.detail = to.origin + ": " + e.detail;
            co_return e;
        }
        if (limit.expired()) {
            limit.never();
            co_return make_error(errc::tls_failed, to.origin + ": the TLS handshake took too long");
        }
        stream.wait_read();
        co_await user.wait();
    }
    limit.never();
    co_return result<void>{};
}

bool upstreams::is_loop(endpoint& stream) const {
    boost::system::error_code ec;
    auto const remote = stream.socket().remote_endpoint(ec);
    if (ec || std::find(own_ports_.begin(), own_ports_.end(), remote.port()) == own_ports_.end()) return false;
    // Whatever name led here: a connection whose two ends are the same machine and whose port is ours.
    auto const local = stream.socket().local_endpoint(ec);
    return !ec && (local.address() == remote.address() || remote.address().is_loopback());
}

}  // namespace jitproxy::net
