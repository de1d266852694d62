#include "jitproxy/proxy/worker.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "jitproxy/base/log.hpp"
#include "jitproxy/http/forward.hpp"
#include "jitproxy/net/socket_owner.hpp"
#include "jitproxy/proxy/client_connection.hpp"

namespace jitproxy::proxy {

namespace {

constexpr std::size_t scratch_size = 256 * 1024;
constexpr unsigned most_accepted_at_once = 32;
constexpr std::size_t most_refused = 64;  // connections over the limit, told so at the same time

net::upstream_options upstream_options_of(server_options const& o) {
    return {o.timeouts.connect, o.timeouts.tls_handshake, o.timeouts.pool_idle, o.limits.pool_per_origin};
}

}  // namespace

worker::worker(server_options const& o, std::string pseudonym, control_link& link, proxy::admission& places)
    : options(o),
      via(std::move(pseudonym)),
      control(link),
      admission(places),
      deadlines(o.clock ? o.clock() : std::chrono::steady_clock::now()),
      upstreams(io, buffers, upstream_options_of(o), o.resolver),
      scratch(scratch_size),
      limits(o.limits),
      replay{o.limits.replay_memory, o.limits.replay_file, o.temporary_directory},
      ticker_(io.get_executor()) {}

worker::~worker() {
    endings_.clear();
    connections_.clear();
}

void worker::set_routing(routing r) {
    upstreams.set_reach({r.rules, r.tls});
    for (auto const& api : r.rules->apis()) (void)counts.of(api->name);  // shown from the start, as nothing
    route = std::move(r);
}

void worker::set_limits(proxy::limits const& l) {
    limits = l;
    replay.memory = l.replay_memory;
    replay.file = l.replay_file;
    upstreams.set_pool_per_origin(l.pool_per_origin);
}

void worker::listen(acceptor socket) {
    acceptors_.push_back(std::move(socket));
    accept_on(acceptors_.size() - 1);
}

void worker::accept_on(std::size_t index) {
    acceptors_[index].async_wait(acceptor::wait_read, [this, index](boost::system::error_code ec) {
        if (ec || index >= acceptors_.size() || !acceptors_[index].is_open()) return;
        if (accept_some(acceptors_[index])) return accept_on(index);
        accept_again_.push_back(index);  // at the next tick rather than spin
    });
}

// False: accept(2) fails, and will do so for a while.
bool worker::accept_some(acceptor& from) {
    for (unsigned i = 0; i != most_accepted_at_once && from.is_open(); ++i) {
        int const socket = ::accept4(from.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (socket >= 0) {
            take(socket);
            continue;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK) return true;
        bool const out_of_something = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
        if (!out_of_something) continue;  // what is wrong with this one is told here (accept(2), "Error handling")
        log::warning("accept failed", {{"reason", std::generic_category().message(errno)}});
        return false;
    }
    return true;
}

void worker::take(int socket) {
    add(counts.connections);
    auto place = admit(socket);
    if (!place) counts.failed(place.error().code);
    // One that may not connect is told why, unless there are many of them: then it is closed without a word.
    if (!place && ++refused_ > most_refused) {
        --refused_;
        ::close(socket);
        return;
    }
    auto connection = std::make_unique<client_connection>(*this, socket, std::move(place));
    auto* raw = connection.get();
    connections_.emplace(raw, std::move(connection));
    counts.open.store(connections_.size(), std::memory_order_relaxed);
    raw->start();
}

result<admission::place> worker::admit(int socket) {
    if (auto denied = judge_user(socket)) return std::move(*denied);
    auto place = admission.enter();
    if (!place) return make_error(errc::limit_reached, "too many client connections ([limits] connections)");
    return std::move(*place);
}

std::optional<error> worker::judge_user(int socket) {
    auto const& allowed = options.allow_users;
    if (allowed.empty()) return std::nullopt;
    auto const user = net::owner_of_peer(socket);
    if (user && std::find(allowed.begin(), allowed.end(), *user) != allowed.end()) return std::nullopt;
    auto why = user ? make_error(errc::user_denied, "user " + std::to_string(*user) +
                                                        " is none of those that may use this proxy ([listen] "
                                                        "allow_users)")
                    : user.error();
    add(counts.users_denied);
    tell_denied(why);
    return why;
}

void worker::tell_denied(error const& why) {
    ++denied_untold_;
    if (denied_told_ != steady_time{} && deadlines.now() - denied_told_ < std::chrono::seconds{1}) return;
    denied_told_ = deadlines.now();
    log::warning("clients refused: [listen] allow_users", {{"clients", denied_untold_}, {"reason", why.detail}});
    if (options.on_user_denied) options.on_user_denied(why, denied_untold_);
    denied_untold_ = 0;
}

void worker::stop_accepting() {
    boost::system::error_code ignored;
    for (auto& a : acceptors_) a.close(ignored);
}

void worker::drain() {
    stop_accepting();
    draining = true;
    std::vector<client_connection*> all;
    for (auto const& [raw, owner] : connections_) all.push_back(raw);
    for (auto* c : all) c->wake();  // ends are deferred, so none is gone before its turn
    check_empty();
}

void worker::cut() {
    draining = true;
    std::vector<client_connection*> all;
    for (auto const& [raw, owner] : connections_) all.push_back(raw);
    for (auto* c : all) c->cut();
    check_empty();
}

void worker::cut_session(std::string_view session_id) {
    std::vector<client_connection*> all;
    for (auto const& [raw, owner] : connections_)
        if (raw->serves(session_id)) all.push_back(raw);
    for (auto* c : all) c->cut();
}

void worker::when_unused(std::string session_id, std::function<void()> callback) {
    endings_.push_back({std::move(session_id), std::move(callback)});
    check_unused();
}

void worker::check_unused() {
    if (endings_.empty()) return;
    std::erase_if(endings_, [this](ending_session& e) {
        for (auto const& [raw, owner] : connections_)
            if (raw->serves(e.id)) return false;
        e.unused();
        return true;
    });
}

void worker::when_empty(std::function<void()> callback) {
    on_empty_ = std::move(callback);
    check_empty();
}

void worker::check_empty() {
    if (connections_.empty() && on_empty_) std::exchange(on_empty_, nullptr)();
}

void worker::remove(client_connection* connection) {
    boost::asio::post(io, [this, connection] {
        if (!connection->admitted()) --refused_;
        if (connections_.erase(connection) != 0) counts.open.store(connections_.size(), std::memory_order_relaxed);
        check_empty();
    });
}

void worker::tell_connections() {
    counts.connects.store(upstreams.connects, std::memory_order_relaxed);
    counts.connect_failures.store(upstreams.connect_failures, std::memory_order_relaxed);
    counts.reuses.store(upstreams.reuses, std::memory_order_relaxed);
    counts.upstream_open.store(upstreams.open_now, std::memory_order_relaxed);
    counts.upstream_idle.store(upstreams.idle_now, std::memory_order_relaxed);
}

void worker::over(request_record const& r) {
    if (r.silent) return;
    auto const duration = since(r.began);
    auto& row = r.api != nullptr ? *r.api : counts.of_none();
    add(row.requests[static_cast<std::size_t>(r.outcome)]);
    if (r.outcome != outcome::tunneled && r.status != 101) row.duration.observe(duration);
    if (r.error) counts.failed(*r.error);
    add(counts.up, r.bytes_up);
    add(counts.down, r.bytes_down);
    tell_connections();
    if (logged == request_log::none || (logged == request_log::escalated && !r.escalated)) return;
    if (!log::enabled(log::level::info)) return;
    describe(line_, r, duration);
    log::write(line_);
}

void worker::note_use(std::string const& session_id) {
    auto& last = last_use_[session_id];
    if (deadlines.now() - last < std::chrono::seconds{1}) return;
    last = deadlines.now();
    control.touch(session_id);
    if (last_use_.size() > 4096) last_use_.clear();
}

void worker::arm_tick() {
    ticker_.expires_after(net::tick_length);
    ticker_.async_wait([this](boost::system::error_code ec) {
        if (ec) return;
        tick();
        arm_tick();
    });
}

void worker::tick() {
    auto const at = now();
    deadlines.tick(at);
    for (auto index : std::exchange(accept_again_, {})) accept_on(index);
    upstreams.tick(at);
    tell_connections();
    if (auto const second = std::time(nullptr); second != dated_) {
        dated_ = second;
        date_ = http::http_date(std::chrono::system_clock::from_time_t(second));
    }
}

void worker::run() {
    tick();
    arm_tick();
    auto const keep_running = boost::asio::make_work_guard(io);
    io.run();
}

}  // namespace jitproxy::proxy
