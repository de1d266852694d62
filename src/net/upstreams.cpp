#include "jitproxy/net/upstreams.hpp"

#include <algorithm>
#include <optional>

#include "jitproxy/net/dialer.hpp"
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
    ++generation_;
    pool_.clear();
    idle_now = 0;
    sessions_.clear();
}

endpoint_ptr upstreams::take_idle(destination const& to, waker& user, stale one) {
    auto const found = pool_.find(to);
    if (found == pool_.end()) return nullptr;
    auto& idle_ones = found->second;
    while (!idle_ones.empty()) {
        auto stream = std::move(idle_ones.back().stream);  // the youngest is the likeliest to be alive
        idle_ones.pop_back();
        --idle_now;
        bool const quiet =
            (one == stale::risked && stream->seems_quiet()) || stream->look() == endpoint::peer_state::quiet;
        if (!quiet) continue;
        stream->set_waker(&user);
        ++reuses;
        return stream;
    }
    return nullptr;
}

bool upstreams::is_reusable(endpoint& stream) const {
    // Made under rules that were replaced meanwhile: its context and its address may no longer be right.
    if (stream.generation != generation_) return false;
    return stream.is_open() && stream.buffer().empty() && stream.flushed();
}

void upstreams::give_back(destination const& to, endpoint_ptr stream) {
    if (!is_reusable(*stream)) return;
    auto& idle_ones = at(pool_, to);
    if (idle_ones.size() >= options_.pool_per_origin) return;
    stream->set_waker(nullptr);
    stream->buffer().release();
    idle_ones.push_back({std::move(stream), now_});
    ++idle_now;
}

void upstreams::tick(steady_time now) {
    now_ = now;
    for (auto entry = pool_.begin(); entry != pool_.end();) {
        auto& idle_ones = entry->second;
        idle_now -= std::erase_if(idle_ones, [&](idle& i) { return now - i.since >= options_.pool_idle; });
        entry = idle_ones.empty() ? pool_.erase(entry) : std::next(entry);
    }
}

task<result<endpoint_ptr>> upstreams::dial(destination const& to, policy::address_guard const& guard, waker& user,
                                           deadline& limit) {
    limit.expires_after(options_.connect);
    mailbox<result<found_addresses>> names(user);
    resolver_.resolve_in_parts(to.authority.host, names.deliver_here());
    dialer attempts(io_, buffers_, guard, to.authority.port, user, limit);
    std::optional<result<endpoint_ptr>> outcome;
    while (!outcome) {
        if (names.full()) {
            auto const names_came = names.take();
            if (names_came)
                attempts.found(names_came->all, names_came->whole);
            else
                outcome.emplace(names_came.error());
        }
        if (!outcome) outcome = attempts.advance();
        if (!outcome) co_await user.wait();
    }
    limit.never();
    co_return std::move(*outcome);
}

task<result<endpoint_ptr>> upstreams::connect(destination const& to, bool with_tls, waker& user, deadline& limit) {
    auto made = co_await make(to, with_tls, user, limit);
    ++(made ? connects : connect_failures);
    if (made) (*made)->count_in(open_now);
    co_return made;
}

task<result<endpoint_ptr>> upstreams::make(destination const& to, bool with_tls, waker& user, deadline& limit) {
    auto const began_under = reach_;  // stays alive and the same while we wait
    auto const generation = generation_;
    auto dialled = co_await dial(to, began_under.rules->guard(), user, limit);
    if (!dialled) {
        auto e = dialled.error();
        if (e.code != errc::address_denied) e.detail = to.origin + ": " + e.detail;
        co_return e;
    }
    endpoint_ptr stream = std::move(*dialled);
    stream->generation = generation;
    if (is_loop(*stream)) co_return make_error(errc::loop, to.origin + " is this proxy itself");
    if (with_tls && to.scheme == http::scheme::https) {
        auto* context = began_under.tls->context(to.api.get());
        session_slot_ptr sessions;
        if (generation == generation_) sessions = slot_of(to);
        auto started = stream->start_tls_connect(context, to.authority.host, to.authority.is_ip, std::move(sessions));
        if (!started) co_return started.error();
        auto secured = co_await start_tls(*stream, to, limit, user);
        if (!secured) co_return secured.error();
    }
    co_return std::move(stream);
}

// The session that a server gave is as good as the certificate that it showed: one that was accepted under other rules
// is never resumed under these.
session_slot_ptr upstreams::slot_of(destination const& to) {
    if (sessions_.size() >= most_sessions) sessions_.clear();
    auto& slot = at(sessions_, to);
    if (!slot) slot = std::make_shared<session_slot>();
    return slot;
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

bool upstreams::is_loop(endpoint const& stream) const {
    auto const remote = stream.remote_address();
    if (!remote || std::find(own_ports_.begin(), own_ports_.end(), remote->port()) == own_ports_.end()) return false;
    // Whatever name led here: a connection whose two ends are the same machine and whose port is ours.
    auto const local = stream.local_address();
    return local && (local->address() == remote->address() || remote->address().is_loopback());
}

}  // namespace jitproxy::net
