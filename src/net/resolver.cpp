#include "jitproxy/net/resolver.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <optional>
#include <unordered_map>
#include <utility>

#include "jitproxy/base/log.hpp"
#include "resolver_answer.hpp"
#include "resolver_cache.hpp"
#include "resolver_channel.hpp"

namespace jitproxy::net {
namespace {

namespace asio = boost::asio;
using callback = std::function<void(result<found_addresses>)>;

// RFC 6761 6.3: loopback, without asking anybody.
bool is_localhost(std::string_view host) noexcept {
    return host == "localhost" || host.ends_with(".localhost");
}

constexpr seconds time_between_looks{5};

class watched_file {
  public:
    explicit watched_file(std::string path) : path_(std::move(path)) { changed(); }
    // Since the last call. A file that is gone counts as unchanged: it is being replaced.
    bool changed() {
        struct stat now {};
        if (::stat(path_.c_str(), &now) != 0) return false;
        bool const same = now.st_ino == seen_.st_ino && now.st_size == seen_.st_size &&
                          now.st_mtim.tv_sec == seen_.st_mtim.tv_sec && now.st_mtim.tv_nsec == seen_.st_mtim.tv_nsec;
        seen_ = now;
        return !same;
    }

  private:
    std::string path_;
    struct stat seen_ {};
};

}  // namespace

struct resolver::impl : std::enable_shared_from_this<impl> {
    using source = resolver_channel::source;

    impl(asio::io_context& context, resolver_options o)
        : io(context),
          options(std::move(o)),
          cache(options.cache_entries),
          hosts(context, options, source::hosts_file),
          channel(std::make_unique<resolver_channel>(context, options, source::name_servers)),
          configuration(options.configuration.empty() ? "/etc/resolv.conf" : options.configuration),
          next_look(cache_now() + time_between_looks),
          timer(context) {}

    struct waiter {
        callback tell;
        bool takes_parts = false;
        bool has_part = false;
    };
    // One name that is being looked up, and those who wait for it.
    struct lookup {
        std::vector<waiter> waiting;
        std::uint64_t number = 0;  // tells it from a later one for the same name
        std::optional<lookup_answer> v6;
        std::optional<lookup_answer> v4;
        bool delay_over = false;  // of IPv4 that waits for IPv6
    };
    struct moment {
        steady_time at;
        std::string host;
        std::uint64_t number = 0;
    };

    steady_time cache_now() const { return options.clock ? options.clock() : std::chrono::steady_clock::now(); }

    // Never from within the caller, and not at all once the resolver is gone.
    void answer_later(callback to, result<found_addresses> with) {
        asio::post(io, [alive = weak_from_this(), to = std::move(to), with = std::move(with)]() mutable {
            if (!alive.expired()) to(std::move(with));
        });
    }

    // A machine that changes networks gets other name servers: c-ares reads them only when a channel is made.
    void follow_configuration() {
        std::erase_if(retired, [](auto const& c) { return c->idle(); });
        if (!options.servers.empty() || cache_now() < next_look) return;
        next_look = cache_now() + time_between_looks;
        if (!configuration.changed()) return;
        try {
            retired.push_back(
                std::exchange(channel, std::make_unique<resolver_channel>(io, options, source::name_servers)));
        } catch (failure const& e) {
            log::warning("the name servers' new configuration cannot be used, the old one stays", {{"why", e.what()}});
        }
    }

    void start(std::string const& host, waiter first) {
        // What stands in the hosts file is the whole answer, also where it has one family only.
        std::optional<lookup_answer> local;
        hosts.lookup(host, AF_UNSPEC, [&](lookup_answer a) { local = std::move(a); });
        if (local && local->status == ARES_SUCCESS)
            return answer_later(std::move(first.tell), found_addresses{std::move(local->found), true});
        follow_configuration();
        auto& l = under_way[host];
        auto const number = ++last_number;
        l.number = number;
        l.waiting.push_back(std::move(first));
        deadlines.push_back({std::chrono::steady_clock::now() + options.timeout, host, number});
        // Each family for itself, IPv6 first (RFC 8305 3), so that neither waits for the other. May be answered within
        // the call.
        for (int const family : {AF_INET6, AF_INET})
            channel->lookup(host, family, [this, host, number, family](lookup_answer a) {
                answered(host, number, family, std::move(a));
            });
        arm_timer();
    }

    void answered(std::string const& host, std::uint64_t number, int family, lookup_answer a) {
        auto* const l = find(host, number);
        if (l == nullptr) return;  // its time was over before
        (family == AF_INET6 ? l->v6 : l->v4) = std::move(a);
        if (l->v6 && l->v4) return finish(host, *l);
        if (family == AF_INET && l->v4->status == ARES_SUCCESS)
            delays.push_back({std::chrono::steady_clock::now() + resolution_delay, host, number});
        tell_part(host, *l);
        arm_timer();
    }

    // While one family has not answered, what is there already is told to those who can be helped by it.
    void tell_part(std::string const& host, lookup& l) {
        bool const v6_is_there = l.v6 && l.v6->status == ARES_SUCCESS;
        bool const v4_is_due = l.v4 && l.v4->status == ARES_SUCCESS && l.delay_over;
        if (!v6_is_there && !v4_is_due) return;
        auto const part = *join(host, l.v6 ? &*l.v6 : nullptr, l.v4 ? &*l.v4 : nullptr, options).answer;
        for (auto& w : l.waiting) {
            if (w.has_part || (!w.takes_parts && !v4_is_due)) continue;
            answer_later(w.tell, found_addresses{part, !w.takes_parts});
            w.has_part = true;
        }
        std::erase_if(l.waiting, [](waiter const& w) { return w.has_part && !w.takes_parts; });
    }

    // Both have answered, or there is no more time.
    void finish(std::string const& host, lookup& l) {
        auto const joined = join(host, l.v6 ? &*l.v6 : nullptr, l.v4 ? &*l.v4 : nullptr, options);
        if (joined.ttl > seconds{0}) cache.put(host, joined.answer, cache_now() + joined.ttl);
        auto const waiting = std::move(l.waiting);
        under_way.erase(host);
        for (auto const& w : waiting) answer_later(w.tell, told(joined.answer));
        arm_timer();
    }

    static result<found_addresses> told(result<addresses> const& answer) {
        if (!answer) return answer.error();
        return found_addresses{*answer, true};
    }

    // All moments of a kind have the same distance, so that they come in the order in which they were set.
    void arm_timer() {
        auto next = steady_time::max();
        for (auto* queue : {&delays, &deadlines}) {
            while (!queue->empty() && find(queue->front().host, queue->front().number) == nullptr) queue->pop_front();
            if (!queue->empty()) next = std::min(next, queue->front().at);
        }
        if (next == armed_for) return;
        armed_for = next;
        if (next == steady_time::max()) return void(timer.cancel());
        timer.expires_at(next);
        timer.async_wait([this, alive = weak_from_this()](boost::system::error_code ec) {
            if (ec == asio::error::operation_aborted || alive.expired()) return;
            armed_for = steady_time::max();
            auto const now = std::chrono::steady_clock::now();
            for (moment m; auto* const l = next_due(delays, now, m);) {
                l->delay_over = true;
                tell_part(m.host, *l);
            }
            for (moment m; auto* const l = next_due(deadlines, now, m);) finish(m.host, *l);
            arm_timer();
        });
    }

    // Takes the next one that is due and still waited for.
    lookup* next_due(std::deque<moment>& queue, steady_time now, moment& due) {
        while (!queue.empty() && queue.front().at <= now) {
            due = std::move(queue.front());
            queue.pop_front();
            if (auto* const l = find(due.host, due.number)) return l;
        }
        return nullptr;
    }

    lookup* find(std::string const& host, std::uint64_t number) {
        auto const found = under_way.find(host);
        return found == under_way.end() || found->second.number != number ? nullptr : &found->second;
    }

    void resolve(std::string const& host, waiter w) {
        boost::system::error_code no_literal;
        if (auto const literal = asio::ip::make_address(host, no_literal); !no_literal)
            return answer_later(std::move(w.tell), found_addresses{{literal}, true});
        if (is_localhost(host))
            return answer_later(
                std::move(w.tell),
                found_addresses{{asio::ip::address_v4::loopback(), asio::ip::address_v6::loopback()}, true});
        if (auto const* known = cache.find(host, cache_now()); known != nullptr)
            return answer_later(std::move(w.tell), told(*known));
        auto const found = under_way.find(host);
        if (found == under_way.end()) return start(host, std::move(w));
        found->second.waiting.push_back(std::move(w));
        tell_part(host, found->second);
    }

    asio::io_context& io;
    resolver_options options;
    resolver_cache cache;
    resolver_channel hosts;
    std::unique_ptr<resolver_channel> channel;
    std::vector<std::unique_ptr<resolver_channel>> retired;  // with lookups under way
    watched_file configuration;
    steady_time next_look;
    asio::steady_timer timer;
    steady_time armed_for = steady_time::max();
    std::unordered_map<std::string, lookup> under_way;
    std::deque<moment> delays;     // when IPv4 waits no longer for IPv6
    std::deque<moment> deadlines;  // when the time is over
    std::uint64_t last_number = 0;
};

resolver::resolver(asio::io_context& io, resolver_options options)
    : impl_(std::make_shared<impl>(io, std::move(options))) {}

resolver::~resolver() = default;

void resolver::resolve(std::string const& normalised_host, std::function<void(result<addresses>)> done) {
    auto whole = [done = std::move(done)](result<found_addresses> found) {
        if (found)
            done(std::move(found->all));
        else
            done(found.error());
    };
    impl_->resolve(normalised_host, {std::move(whole)});
}

void resolver::resolve_in_parts(std::string const& normalised_host, std::function<void(result<found_addresses>)> done) {
    impl_->resolve(normalised_host, {std::move(done), true});
}

}  // namespace jitproxy::net
