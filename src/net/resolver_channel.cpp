#include "resolver_channel.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <limits>

namespace jitproxy::net {
namespace {

namespace asio = boost::asio;

constexpr int tries = 2;  // a name server is asked again once, after twice the time

// Once a process, before any channel (ares_library_init(3)).
void init_library() {
    static int const status = ::ares_library_init(ARES_LIB_INIT_ALL);
    if (status != ARES_SUCCESS)
        throw failure(make_error(errc::internal, std::string("c-ares: ") + ::ares_strerror(status)));
}

struct addrinfo_free {
    void operator()(ares_addrinfo* info) const noexcept { ::ares_freeaddrinfo(info); }
};

asio::ip::address address_of(sockaddr const* from) {
    if (from->sa_family == AF_INET) {
        sockaddr_in in{};
        std::memcpy(&in, from, sizeof in);
        return asio::ip::address_v4(ntohl(in.sin_addr.s_addr));
    }
    sockaddr_in6 in{};
    std::memcpy(&in, from, sizeof in);
    asio::ip::address_v6::bytes_type bytes;
    std::memcpy(bytes.data(), &in.sin6_addr, bytes.size());
    return asio::ip::address_v6(bytes, in.sin6_scope_id);
}

lookup_answer read_answer(int status, ares_addrinfo const* info) {
    lookup_answer answer;
    answer.status = status;
    if (status != ARES_SUCCESS || info == nullptr) return answer;
    int ttl = std::numeric_limits<int>::max();
    // An alias on the way may be valid for a shorter time than the address at its end.
    for (auto const* alias = info->cnames; alias != nullptr; alias = alias->next) ttl = std::min(ttl, alias->ttl);
    for (auto const* node = info->nodes; node != nullptr; node = node->ai_next) {
        if (node->ai_family != AF_INET && node->ai_family != AF_INET6) continue;
        auto const address = address_of(node->ai_addr);
        if (std::find(answer.found.begin(), answer.found.end(), address) == answer.found.end())
            answer.found.push_back(address);
        ttl = std::min(ttl, node->ai_ttl);
    }
    if (answer.found.empty()) answer.status = ARES_ENODATA;
    answer.ttl = seconds{std::max(ttl, 0)};  // 0 too for what stands in the hosts file
    return answer;
}

}  // namespace

struct resolver_channel::pending_lookup {
    resolver_channel* channel;
    lookup_callback callback;
};

resolver_channel::resolver_channel(asio::io_context& io, resolver_options const& wanted, source from)
    : io_(io), timer_(io) {
    init_library();
    ares_options options{};
    // No search list: policy judged the name as it stands, so the name as it stands is what is looked up.
    options.flags = ARES_FLAG_NOSEARCH;
    // The second try waits twice as long as the first: c-ares is done shortly before the whole time is over.
    options.timeout = static_cast<int>(std::max<milliseconds::rep>(wanted.timeout.count() * 3 / 10, 1));
    options.tries = tries;
    options.sock_state_cb = &resolver_channel::on_socket_state;
    options.sock_state_cb_data = this;
    std::array<char, 2> lookups{from == source::hosts_file ? 'f' : 'b', '\0'};
    options.lookups = lookups.data();
    int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB | ARES_OPT_LOOKUPS;
    std::string configuration = wanted.configuration;
    if (!configuration.empty()) {
        options.resolvconf_path = configuration.data();
        mask |= ARES_OPT_RESOLVCONF;
    }
    if (int const status = ::ares_init_options(&channel_, &options, mask); status != ARES_SUCCESS)
        throw failure(make_error(errc::internal, std::string("the resolver: ") + ::ares_strerror(status)));
    if (from == source::hosts_file || wanted.servers.empty()) return;
    if (int const status = ::ares_set_servers_ports_csv(channel_, wanted.servers.c_str()); status != ARES_SUCCESS) {
        ::ares_destroy(channel_);
        throw failure(make_error(errc::configuration,
                                 "name servers \"" + wanted.servers + "\" cannot be used: " + ::ares_strerror(status)));
    }
}

resolver_channel::~resolver_channel() {
    closing_ = true;
    ::ares_destroy(channel_);  // calls on_addrinfo for every lookup under way, and on_socket_state for every socket
    for (auto const& [fd, s] : sockets_) s->descriptor.release();
}

void resolver_channel::lookup(std::string const& host, int family, lookup_callback callback) {
    ++pending_;
    ares_addrinfo_hints hints{};
    hints.ai_family = family;
    hints.ai_socktype = SOCK_STREAM;  // each address once
    ::ares_getaddrinfo(channel_, host.c_str(), nullptr, &hints, &resolver_channel::on_addrinfo,
                       new pending_lookup{this, std::move(callback)});
    arm_timer();
}

void resolver_channel::on_addrinfo(void* pending, int status, int, ares_addrinfo* info) {
    std::unique_ptr<ares_addrinfo, addrinfo_free> const owned(info);
    std::unique_ptr<pending_lookup> const p(static_cast<pending_lookup*>(pending));
    --p->channel->pending_;
    if (!p->channel->closing_) p->callback(read_answer(status, info));
}

void resolver_channel::on_socket_state(void* self, ares_socket_t fd, int readable, int writable) {
    auto& channel = *static_cast<resolver_channel*>(self);
    auto const found = channel.sockets_.find(fd);
    if (readable == 0 && writable == 0) {  // c-ares closes it next
        if (found == channel.sockets_.end()) return;
        found->second->descriptor.release();
        channel.sockets_.erase(found);
        return;
    }
    if (channel.closing_) return;
    auto s = found != channel.sockets_.end() ? found->second : nullptr;
    if (!s) {
        s = std::make_shared<watched_socket>(channel.io_);
        boost::system::error_code ec;
        s->descriptor.assign(fd, ec);
        if (ec) return;  // it can't be watched: its lookups time out
        channel.sockets_.emplace(fd, s);
    }
    s->want_read = readable != 0;
    s->want_write = writable != 0;
    channel.wait(s, fd);
}

void resolver_channel::wait(socket_ptr const& s, ares_socket_t fd) {
    using descriptor = asio::posix::stream_descriptor;
    // While a handler finds its socket alive, so is this: the destructor drops every socket.
    auto const start = [&](descriptor::wait_type what, bool wanted, bool watched_socket::*waiting, auto process_it) {
        if (!wanted || (*s).*waiting) return;
        (*s).*waiting = true;
        s->descriptor.async_wait(
            what, [this, fd, waiting, process_it, alive = std::weak_ptr(s)](boost::system::error_code ec) {
                auto const same = alive.lock();
                if (!same || ec == asio::error::operation_aborted) return;
                (*same).*waiting = false;
                process_it(*this);
                auto const still = sockets_.find(fd);
                if (still != sockets_.end() && still->second == same) wait(same, fd);
            });
    };
    start(descriptor::wait_read, s->want_read, &watched_socket::waiting_read,
          [fd](resolver_channel& c) { c.process(fd, ARES_SOCKET_BAD); });
    start(descriptor::wait_write, s->want_write, &watched_socket::waiting_write,
          [fd](resolver_channel& c) { c.process(ARES_SOCKET_BAD, fd); });
}

void resolver_channel::process(ares_socket_t readable, ares_socket_t writable) {
    ::ares_process_fd(channel_, readable, writable);
    arm_timer();
}

void resolver_channel::arm_timer() {
    timeval buffer{};
    auto const* const next = ::ares_timeout(channel_, nullptr, &buffer);
    if (next == nullptr) {
        timer_.cancel();
        return;
    }
    // Rounded up, so that c-ares finds the time over when it is asked.
    timer_.expires_after(seconds{next->tv_sec} + std::chrono::microseconds{next->tv_usec} + milliseconds{1});
    timer_.async_wait([this, alive = std::weak_ptr(alive_)](boost::system::error_code ec) {
        if (ec != asio::error::operation_aborted && !alive.expired()) process(ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    });
}

}  // namespace jitproxy::net
