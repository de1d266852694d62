#include "jitproxy/lumoauth/transport.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <set>
#include <vector>

#include "jitproxy/lumoauth/connection.hpp"
#include "jitproxy/net/resolver.hpp"

namespace jitproxy::lumoauth {
namespace {

namespace asio = boost::asio;

bool fits_a_field(secret const& bearer) noexcept {
    auto const text = bearer.reveal();
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

// The whole message in one string that is allocated once, so that no copies of a secret stay behind in the heap.
std::string message_of(wire_request const& r, transport_options const& o) {
    std::string m;
    m.reserve(r.target.size() + r.body.size() + (r.bearer ? r.bearer->reveal().size() : 0) + o.at.host_field.size() +
              o.user_agent.size() + 512);
    m += r.method;
    m += ' ';
    m += r.target;
    m += " HTTP/1.1\r\nHost: ";
    m += o.at.host_field;
    m += "\r\nUser-Agent: ";
    m += o.user_agent;
    m += "\r\nAccept: application/json\r\nAccept-Encoding: identity\r\n";
    if (r.bearer) {
        m += "Authorization: Bearer ";
        m += r.bearer->reveal();
        m += "\r\n";
    }
    if (!r.media_type.empty()) {
        m += "Content-Type: ";
        m += r.media_type;
        m += "\r\n";
    }
    // RFC 9110 8.6: a POST without a body says so.
    if (r.method != "GET") m += "Content-Length: " + std::to_string(r.body.size()) + "\r\n";
    m += "\r\n";
    m += r.body;
    return m;
}

}  // namespace

struct transport::impl : std::enable_shared_from_this<impl> {
    impl(asio::io_context& context, transport_options o)
        : io(context),
          options(std::move(o)),
          names(io, net::resolver_options{.timeout = options.timeout, .servers = options.name_servers}) {
        if (options.at.scheme == http::scheme::https) tls.emplace(make_tls_context(options.ca_file));
    }

    asio::io_context& io;
    transport_options options;
    net::resolver names;
    std::optional<asio::ssl::context> tls;
    std::vector<std::unique_ptr<connection>> resting;  // the longest at rest first
    std::set<connection*> busy;
    std::size_t taken = 0;                                  // turns given
    std::deque<std::shared_ptr<asio::steady_timer>> queue;  // waiting for a turn; cancelled: it has come
    std::set<asio::steady_timer*> looking_up;               // cancelled: the answer is there, or none is wanted
    bool stopped = false;

    void stop() {
        stopped = true;
        for (auto* c : busy) c->close();
        for (auto const& t : queue) t->cancel();
        for (auto* t : looking_up) t->cancel();
        resting.clear();
    }

    error no_answer(std::string_view while_doing) const {
        return make_error(errc::as_unreachable, "no answer in time from the authorization server " +
                                                    options.at.origin() + " (" + std::string{while_doing} + ")");
    }

    // A turn is the right to have one connection.
    asio::awaitable<bool> take_turn(steady_time deadline) {
        if (taken < options.connections) {
            ++taken;
            co_return true;
        }
        auto const timer = std::make_shared<asio::steady_timer>(io, deadline);
        queue.push_back(timer);
        auto const [ec] = co_await timer->async_wait(use_tuple);
        if (ec) co_return !stopped;  // handed over by give_turn_back()
        std::erase(queue, timer);
        co_return false;
    }
    void give_turn_back() {
        while (!queue.empty()) {
            auto const next = queue.front();
            queue.pop_front();
            if (next->cancel() > 0) return;  // the turn changes hands
        }
        --taken;
    }
    struct turn {
        impl& owner;
        ~turn() { owner.give_turn_back(); }
    };

    asio::awaitable<result<connection::addresses>> look_up(steady_time deadline) {
        struct answer {
            explicit answer(asio::io_context& io, steady_time until) : timer(io, until) {}
            asio::steady_timer timer;
            std::optional<result<net::addresses>> got;
        };
        auto const a = std::make_shared<answer>(io, deadline);
        names.resolve(options.at.authority.host, [a](result<net::addresses> got) {
            a->got = std::move(got);
            a->timer.cancel();
        });
        looking_up.insert(&a->timer);
        co_await a->timer.async_wait(use_tuple);
        looking_up.erase(&a->timer);
        if (!a->got) co_return no_answer("looking up its name");
        if (!*a->got) {
            co_return make_error(errc::as_unreachable, "cannot look up the authorization server " +
                                                           options.at.origin() + ": " + a->got->error().detail);
        }
        co_return std::move(**a->got);
    }

    std::unique_ptr<connection> take_resting(bool repeatable) {
        auto const now = std::chrono::steady_clock::now();
        auto const longest = repeatable ? options.longest_rest : options.surely_alive;
        while (!resting.empty()) {
            auto c = std::move(resting.back());
            resting.pop_back();
            if (now - c->rests_since <= longest && c->reusable()) return c;
            if (now - c->rests_since <= options.longest_rest && c->reusable()) {  // good enough for others
                resting.push_back(std::move(c));
                break;
            }
        }
        return nullptr;
    }

    void put_to_rest(std::unique_ptr<connection> link) {
        link->rests_since = std::chrono::steady_clock::now();
        // A call that must not be repeated passes over older ones and adds its own.
        if (resting.size() >= options.connections) resting.erase(resting.begin());
        resting.push_back(std::move(link));
    }

    asio::awaitable<result<wire_answer>> perform(wire_request& request, std::string const& message,
                                                 steady_time deadline) {
        bool const my_turn = co_await take_turn(deadline);
        if (!my_turn) co_return no_answer("waiting for a connection");
        turn const mine{*this};
        connection::limits const bounds{options.head_limit, options.answer_limit};
        auto link = take_resting(request.repeatable);
        for (;;) {
            bool const kept = link != nullptr;
            if (!kept) {
                auto const to = co_await look_up(deadline);
                if (!to) co_return to.error();
                if (stopped) co_return no_answer("stopped");
                link = std::make_unique<connection>(io.get_executor(), tls ? &*tls : nullptr);
                busy.insert(link.get());
                auto const opened = co_await link->open(options.at, *to, deadline);
                busy.erase(link.get());
                if (!opened) co_return opened.error();
            }
            if (stopped) co_return no_answer("stopped");
            busy.insert(link.get());
            auto answer = co_await link->exchange(options.at, message, bounds, deadline);
            busy.erase(link.get());
            if (answer) {
                if (!stopped && link->keeps()) put_to_rest(std::move(link));
                co_return answer;
            }
            // RFC 9112 9.3.1: a kept connection may have been closed while the request was on its way.
            bool const again = kept && request.repeatable && !link->answered() && !link->timed_out() && !stopped;
            if (!again) co_return answer;
            link.reset();  // now a fresh one: kept ones may all have gone with the same restart of the server
        }
    }

    asio::awaitable<void> run(wire_request request, std::function<void(result<wire_answer>)> done) {
        auto message = message_of(request, options);
        wipe(request.body);
        auto answer = co_await perform(request, message, std::chrono::steady_clock::now() + options.timeout);
        wipe(message);
        if (stopped) co_return;
        done(std::move(answer));
    }
};

transport::transport(asio::io_context& io, transport_options options)
    : impl_(std::make_shared<impl>(io, std::move(options))) {}

transport::~transport() {
    impl_->stop();
}

void transport::send(wire_request request, std::function<void(result<wire_answer>)> done) {
    if (request.bearer && !fits_a_field(*request.bearer)) {
        asio::post(impl_->io, [self = impl_, done = std::move(done)] {
            if (!self->stopped) done(make_error(errc::bad_argument, "the bearer token is empty or no token at all"));
        });
        return;
    }
    // Posted, as a coroutine begins to run within co_spawn where this is already the context's thread.
    asio::post(impl_->io, [self = impl_, request = std::move(request), done = std::move(done)]() mutable {
        auto& me = *self;
        asio::co_spawn(me.io, me.run(std::move(request), std::move(done)), [self](std::exception_ptr failed) {
            if (failed) std::rethrow_exception(failed);
        });
    });
}

}  // namespace jitproxy::lumoauth
