#include "jitproxy/lumoauth/client.hpp"

#include <boost/asio/post.hpp>
#include <utility>

#include "jitproxy/base/log.hpp"
#include "jitproxy/lumoauth/answers.hpp"
#include "jitproxy/lumoauth/rate_memory.hpp"
#include "jitproxy/lumoauth/requests.hpp"
#include "jitproxy/lumoauth/transport.hpp"
#include "jitproxy/lumoauth/trouble.hpp"

namespace jitproxy::lumoauth {
namespace {

using std::chrono::steady_clock;
using std::chrono::system_clock;

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
        : io_(io),
          at_(at),
          who_{std::move(o.client_id), std::move(o.client_secret), std::move(o.scope)},
          rates_(std::make_shared<rate_memory>()),
          alive_(std::make_shared<bool>(true)),
          transport_(io, transport_options{.at = std::move(at),
                                           .ca_file = std::move(o.ca_file),
                                           .user_agent = "jitproxy/" JITPROXY_VERSION,
                                           .timeout = o.timeout,
                                           .connections = o.connections}) {}
    ~client() override { *alive_ = false; }

    void fetch_agent_token(jit::callback<jit::access_token> done) override {
        call(token_request(at_, who_), std::move(done), read_access_token);
    }
    void exchange_for_user(secret_ptr user, secret_ptr agent, jit::callback<jit::access_token> done) override {
        call(delegation_request(at_, who_, std::move(user), std::move(agent)), std::move(done), read_access_token);
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
    void revoke(secret_ptr token, jit::callback<void> done) override {
        call(revoke_request(at_, who_, std::move(token)), std::move(done), read_revocation);
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
        boost::asio::post(io_, [alive = alive_, done = std::move(done), e = std::move(e)] {
            if (*alive) done(e);
        });
    }

    template <class T, class Read>
    void call(result<wire_request> built, jit::callback<T> done, Read read) {
        if (!built) return later(std::move(done), built.error());
        auto& request = *built;
        auto const where = request.endpoint;
        auto const began = steady_clock::now();
        if (auto const left = rates_->left(where, began)) {
            wipe(request.body);
            return later(std::move(done), error{errc::as_rate_limited,
                                                "the authorization server wants no " + std::string{name_of(where)} +
                                                    " for " + std::to_string(left->count()) + " s",
                                                static_cast<int>(left->count())});
        }
        answer_context context{where, {}, request.held};
        if (request.bearer) context.sent.push_back(request.bearer);
        transport_.send(std::move(request), [rates = rates_, context = std::move(context), began, read,
                                             done = std::move(done)](result<wire_answer> got) mutable {
            log_call(context.endpoint, got, began);
            if (!got) return done(got.error());
            context.now = system_clock::now();
            if (got->status == 429) {
                if (auto const wait = wait_wanted(*got, context.now)) {
                    rates->refused(context.endpoint, *wait, steady_clock::now());
                }
            }
            done(read(*got, context));
        });
    }

    boost::asio::io_context& io_;
    location at_;
    credentials who_;
    std::shared_ptr<rate_memory> rates_;
    std::shared_ptr<bool> alive_;
    transport transport_;
};

}  // namespace

std::unique_ptr<jit::authorization_server> create_client(boost::asio::io_context& io, client_options options) {
    auto at = parse_location(options.url, options.tenant, options.org_id, options.allow_plain_http);
    if (!at) throw failure{at.error()};
    if (options.client_id.empty()) {
        throw failure{make_error(errc::configuration, "the agent's client_id is not set (AGENT_CLIENT_ID)")};
    }
    if (!options.client_secret || options.client_secret->empty()) {
        throw failure{make_error(errc::configuration, "the agent's client_secret is not set (AGENT_CLIENT_SECRET)")};
    }
    if (options.timeout <= milliseconds{0} || options.connections == 0) {
        throw failure{make_error(errc::configuration, "timeout and connections must be more than 0")};
    }
    return std::make_unique<client>(io, std::move(*at), std::move(options));
}

}  // namespace jitproxy::lumoauth
