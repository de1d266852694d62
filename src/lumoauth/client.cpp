#include "jitproxy/lumoauth/client.hpp"

#include <random>
#include <utility>

#include "jitproxy/base/log.hpp"
#include "jitproxy/lumoauth/answers.hpp"
#include "jitproxy/lumoauth/patience.hpp"
#include "jitproxy/lumoauth/requests.hpp"
#include "jitproxy/lumoauth/transport.hpp"
#include "jitproxy/net/scheduler.hpp"

namespace jitproxy::lumoauth {
namespace {

using std::chrono::steady_clock;

void log_call(endpoint e, result<wire_answer> const& got, steady_time began) {
    if (!log::enabled(log::level::debug)) return;
    auto const took = std::chrono::duration_cast<milliseconds>(steady_clock::now() - began).count();
    if (!got) {
        log::debug("authorization server called",
                   {{"endpoint", name_of(e)}, {"error", name_of(got.error().code)}, {"ms", took}});
    } else {
        log::debug("authorization server called", {{"endpoint", name_of(e)}, {"status", got->status}, {"ms", took}});
    }
}

auto reading_state(jit::request_state known) {
    return
        [known = std::move(known)](wire_answer& a, answer_context const& c) { return read_request_state(a, c, known); };
}

class client final : public jit::authorization_server {
  public:
    client(boost::asio::io_context& io, location at, client_options o)
        : clock_(io),
          at_(at),
          agents_(std::move(o.agents)),
          patience_(o.circuit, std::move(o.on_change)),
          timeout_(o.timeout),
          attempts_(o.attempts),
          retry_pause_(o.retry_pause),
          transport_(io, transport_options{.at = std::move(at),
                                           .ca_file = std::move(o.ca_file),
                                           .user_agent = "jitproxy/" JITPROXY_VERSION,
                                           .timeout = o.timeout,
                                           .connections = o.connections}) {}

    void fetch_agent_token(jit::agent_index agent, jit::callback<jit::access_token> done) override {
        call_again<jit::access_token>([this, agent] { return token_request(at_, agents_->at(agent)); }, std::move(done),
                                      read_access_token);
    }
    void exchange_for_user(jit::agent_index agent, secret_ptr user, secret_ptr actor,
                           jit::callback<jit::access_token> done) override {
        call_again<jit::access_token>(
            [this, agent, user, actor] { return delegation_request(at_, agents_->at(agent), user, actor); },
            std::move(done), read_access_token);
    }
    void create_task(secret_ptr bearer, jit::task_order order, jit::callback<jit::task> done) override {
        call(create_task_request(at_, std::move(bearer), order), std::move(done), read_task);
    }
    void request_permission(secret_ptr bearer, jit::request_order order,
                            jit::callback<jit::request_state> done) override {
        call(permission_request(at_, std::move(bearer), order), std::move(done), reading_state({}));
    }
    void poll_permission(secret_ptr bearer, jit::request_state known, jit::callback<jit::request_state> done) override {
        call(status_request(at_, std::move(bearer), known), std::move(done), reading_state(known));
    }
    void exchange_permission(secret_ptr bearer, jit::request_state known,
                             jit::callback<jit::access_token> done) override {
        call(exchange_request(at_, std::move(bearer), known), std::move(done), read_access_token);
    }
    void complete_task(secret_ptr bearer, std::string task_id, jit::callback<jit::completion> done) override {
        call(complete_request(at_, std::move(bearer), task_id), std::move(done), read_completion);
    }
    void revoke(jit::agent_index agent, secret_ptr token, jit::callback<void> done) override {
        call_again<void>([this, agent, token] { return revoke_request(at_, agents_->at(agent), token); },
                         std::move(done), read_revocation);
    }
    void list_pending(secret_ptr bearer, jit::callback<std::vector<jit::pending_request>> done) override {
        call(pending_request(at_, std::move(bearer)), std::move(done), read_pending);
    }
    void evaluate_task(secret_ptr bearer, std::string task_id, jit::callback<jit::evaluation> done) override {
        call(evaluate_request(at_, std::move(bearer), task_id), std::move(done), read_evaluation);
    }
    void approve(secret_ptr user, std::string request_id, std::string notes,
                 jit::callback<jit::request_state> done) override {
        call(approve_request(at_, std::move(user), request_id, notes), std::move(done),
             reading_state({.request_id = request_id}));
    }
    void deny(secret_ptr user, std::string request_id, std::string reason,
              jit::callback<jit::request_state> done) override {
        call(deny_request(at_, std::move(user), request_id, reason), std::move(done),
             reading_state({.request_id = request_id}));
    }

  private:
    template <class T>
    void later(jit::callback<T> done, error e) {
        clock_.call_after(milliseconds{0}, [done = std::move(done), e = std::move(e)] { done(e); });
    }

    // Neither the transport nor the clock calls back once this is gone.
    template <class T, class Read>
    void call(result<wire_request> built, jit::callback<T> done, Read read) {
        if (!built) return later(std::move(done), built.error());
        auto& request = *built;
        auto const where = request.endpoint;
        auto const began = clock_.now();
        if (auto const refused = patience_.refuses(where, began)) {
            wipe(request.body);
            return later(std::move(done), *refused);
        }
        answer_context context{where, {}, request.held};
        if (request.bearer) context.sent.push_back(request.bearer);
        transport_.send(std::move(request), [this, context = std::move(context), began, read,
                                             done = std::move(done)](result<wire_answer> got) mutable {
            log_call(context.endpoint, got, began);
            context.now = clock_.wall_now();
            if (got) patience_.heard(context.endpoint, *got, context.now, clock_.now());
            auto outcome = got ? result<T>(read(*got, context)) : result<T>(got.error());
            patience_.ended(outcome.has_error() ? std::optional{outcome.error()} : std::nullopt, clock_.now());
            done(std::move(outcome));
        });
    }

    // For tokens and revocations: making them twice does no harm, and nobody behind them tries again soon. What else
    // may be made twice is tried again by the machine that wants it (jit). A call that took long is not repeated: its
    // caller has waited enough.
    template <class T, class Build, class Read>
    void call_again(Build build, jit::callback<T> done, Read read, unsigned attempt = 1) {
        auto const began = clock_.now();
        call<T>(
            build(),
            [this, build, done = std::move(done), read, attempt, began](result<T> outcome) {
                auto const took = clock_.now() - began;
                bool const again = outcome.has_error() && is_trouble(outcome.error().code) &&
                                   outcome.error().retry_after == 0 && attempt < attempts_ && took < timeout_ / 2;
                if (!again) return done(std::move(outcome));
                clock_.call_after(jittered(attempt * retry_pause_), [this, build, done, read, attempt] {
                    call_again<T>(build, done, read, attempt + 1);
                });
            },
            read);
    }
    milliseconds jittered(milliseconds pause) {
        return milliseconds{std::uniform_int_distribution{pause.count() / 2, pause.count() * 3 / 2}(random_)};
    }

    net::asio_scheduler clock_;
    location at_;
    std::shared_ptr<std::vector<credentials>> agents_;
    patience patience_;
    milliseconds timeout_;
    unsigned attempts_;
    milliseconds retry_pause_;
    std::minstd_rand random_{std::random_device{}()};
    transport transport_;
};

}  // namespace

std::unique_ptr<jit::authorization_server> create_client(boost::asio::io_context& io, client_options options) {
    auto at = parse_location(options.url, options.tenant, options.org_id, options.allow_plain_http);
    if (!at) throw failure{at.error()};
    if (!options.agents || options.agents->empty()) throw failure{make_error(errc::configuration, "there is no agent")};
    for (auto const& agent : *options.agents) {
        if (agent.client_id.empty()) {
            throw failure{make_error(errc::configuration, "the agent's client_id is not set (AGENT_CLIENT_ID)")};
        }
        if (!agent.client_secret || agent.client_secret->empty()) {
            throw failure{
                make_error(errc::configuration, "the agent's client_secret is not set (AGENT_CLIENT_SECRET)")};
        }
    }
    if (options.timeout <= milliseconds{0} || options.connections == 0) {
        throw failure{make_error(errc::configuration, "timeout and connections must be more than 0")};
    }
    return std::make_unique<client>(io, std::move(*at), std::move(options));
}

}  // namespace jitproxy::lumoauth
