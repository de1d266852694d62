#include "jitproxy/net/resolver.hpp"

#include <sys/stat.h>
#include <algorithm>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <unordered_map>
#include <utility>

#include "jitproxy/base/log.hpp"
#include "resolver_cache.hpp"
#include "resolver_channel.hpp"

namespace jitproxy::net {
namespace {

namespace asio = boost::asio;
using callback = std::function<void(result<addresses>)>;

// RFC 6761 6.3: loopback, without asking anybody.
bool is_localhost(std::string_view host) noexcept {
    return host == "localhost" || host.ends_with(".localhost");
}

error failure_of(std::string const& host, int status) {
    switch (status) {
        case ARES_ETIMEOUT:
            return make_error(errc::dns_timeout, "no name server answered for " + host + " in time");
        case ARES_ENOTFOUND:
            return make_error(errc::dns_error, "there is no host named " + host);
        case ARES_ENODATA:
            return make_error(errc::dns_error, "the name " + host + " exists, but has no address");
        case ARES_ECONNREFUSED:  // also what c-ares says when every server answered with a failure
        case ARES_ESERVFAIL:
        case ARES_EREFUSED:
        case ARES_ENOTIMP:
            return make_error(errc::dns_error, "every name server failed to look up " + host + ", or was unreachable");
        default:
            return make_error(errc::dns_error, "looking up " + host + " failed: " + ::ares_strerror(status));
    }
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
    impl(asio::io_context& context, resolver_options o)
        : io(context),
          options(std::move(o)),
          cache(options.cache_entries),
          channel(std::make_unique<resolver_channel>(context, options)),
          configuration(options.configuration.empty() ? "/etc/resolv.conf" : options.configuration),
          next_look(cache_now() + time_between_looks),
          timer(context) {}

    // Those who wait for one name.
    struct lookup {
        std::vector<callback> waiting;
        std::uint64_t number = 0;  // tells it from a later one for the same name
    };
    struct deadline {
        steady_time at;
        std::string host;
        std::uint64_t number = 0;
    };

    steady_time cache_now() const { return options.clock ? options.clock() : std::chrono::steady_clock::now(); }

    // Never from within the caller, and not at all once the resolver is gone.
    void answer_later(callback to, result<addresses> with) {
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
            retired.push_back(std::exchange(channel, std::make_unique<resolver_channel>(io, options)));
        } catch (failure const& e) {
            log::warning("the name servers' new configuration cannot be used, the old one stays", {{"why", e.what()}});
        }
    }

    void start(std::string const& host, callback first) {
        follow_configuration();
        auto& l = under_way[host];
        l.number = ++last_number;
        l.waiting.push_back(std::move(first));
        auto const now = std::chrono::steady_clock::now();
        rescues.push_back({now + options.timeout / 5, host, l.number});
        deadlines.push_back({now + options.timeout, host, l.number});
        if (deadlines.size() == 1) arm_timer();
        // May be answered within this call, from the hosts file.
        channel->lookup(host, AF_UNSPEC,
                        [this, host, number = l.number](lookup_answer a) { finish(host, number, std::move(a)); });
    }

    // There are name servers that never answer for a type of record that they don't know. Once a lookup takes long,
    // IPv4 is asked for alone, so that such a server costs a part of the time and not all of it.
    void rescue(std::string const& host, std::uint64_t number) {
        channel->lookup(host, AF_INET, [this, host, number](lookup_answer a) {
            if (a.status != ARES_SUCCESS || !waits_for({{}, host, number})) return;
            a.ttl = std::min(a.ttl, options.negative_ttl);  // half an answer
            finish(host, number, std::move(a));
        });
    }

    void finish(std::string const& host, std::uint64_t number, lookup_answer a) {
        auto answer = a.status == ARES_SUCCESS ? result<addresses>(std::move(a.found)) : failure_of(host, a.status);
        // An answer that is not there is remembered too (RFC 2308); trouble at a name server is not.
        auto ttl = seconds{0};
        if (answer)
            ttl = std::min(a.ttl, options.max_ttl);
        else if (a.status == ARES_ENOTFOUND || a.status == ARES_ENODATA)
            ttl = options.negative_ttl;
        if (ttl > seconds{0}) cache.put(host, answer, cache_now() + ttl);
        bool const first = !deadlines.empty() && deadlines.front().number == number;
        release(host, number, answer);
        if (first) arm_timer();
    }

    void release(std::string const& host, std::uint64_t number, result<addresses> const& answer) {
        auto const found = under_way.find(host);
        if (found == under_way.end() || found->second.number != number) return;  // its time was over before
        auto const waiting = std::move(found->second.waiting);
        under_way.erase(found);
        for (auto const& each : waiting) answer_later(each, answer);
    }

    // Every lookup has the same time, so that deadlines end in the order they began.
    void arm_timer() {
        for (auto* queue : {&rescues, &deadlines})
            while (!queue->empty() && !waits_for(queue->front())) queue->pop_front();  // answered in time
        if (deadlines.empty()) {
            timer.cancel();
            return;
        }
        timer.expires_at(rescues.empty() ? deadlines.front().at : std::min(rescues.front().at, deadlines.front().at));
        timer.async_wait([this, alive = weak_from_this()](boost::system::error_code ec) {
            if (ec == asio::error::operation_aborted || alive.expired()) return;
            auto const now = std::chrono::steady_clock::now();
            for (deadline d; next_due(rescues, now, d);) rescue(d.host, d.number);
            for (deadline d; next_due(deadlines, now, d);) release(d.host, d.number, failure_of(d.host, ARES_ETIMEOUT));
            arm_timer();
        });
    }

    // Takes the next one that is due and still waited for.
    bool next_due(std::deque<deadline>& queue, steady_time now, deadline& due) const {
        while (!queue.empty() && queue.front().at <= now) {
            due = std::move(queue.front());
            queue.pop_front();
            if (waits_for(due)) return true;
        }
        return false;
    }

    bool waits_for(deadline const& d) const {
        auto const found = under_way.find(d.host);
        return found != under_way.end() && found->second.number == d.number;
    }

    asio::io_context& io;
    resolver_options options;
    resolver_cache cache;
    std::unique_ptr<resolver_channel> channel;
    std::vector<std::unique_ptr<resolver_channel>> retired;  // with lookups under way
    watched_file configuration;
    steady_time next_look;
    asio::steady_timer timer;
    std::unordered_map<std::string, lookup> under_way;
    std::deque<deadline> rescues;    // when IPv4 is asked for alone
    std::deque<deadline> deadlines;  // when the time is over
    std::uint64_t last_number = 0;
};

resolver::resolver(asio::io_context& io, resolver_options options)
    : impl_(std::make_shared<impl>(io, std::move(options))) {}

resolver::~resolver() = default;

void resolver::resolve(std::string const& normalised_host, callback done) {
    auto& i = *impl_;
    boost::system::error_code no_literal;
    if (auto const literal = asio::ip::make_address(normalised_host, no_literal); !no_literal)
        return i.answer_later(std::move(done), addresses{literal});
    if (is_localhost(normalised_host))
        return i.answer_later(std::move(done),
                              addresses{asio::ip::address_v4::loopback(), asio::ip::address_v6::loopback()});
    if (auto const* known = i.cache.find(normalised_host, i.cache_now()); known != nullptr)
        return i.answer_later(std::move(done), *known);
    if (auto const found = i.under_way.find(normalised_host); found != i.under_way.end()) {
        found->second.waiting.push_back(std::move(done));
        return;
    }
    i.start(normalised_host, std::move(done));
}

}  // namespace jitproxy::net
