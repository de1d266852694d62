// The real task manager over a world that answers at once, for tests of what is served about it.
#pragma once
#include <string>
#include <utility>

#include "catch.hpp"
#include "jitproxy/base/log.hpp"
#include "jitproxy/control/api.hpp"
#include "manual_clock.hpp"

namespace jitproxy::control::testing {

using jitproxy::test::manual_clock;

// Grants everything but "payment" (which waits for a human); `down` makes every call fail, `silent` lets completions
// go unanswered.
class easy_as final : public jit::authorization_server {
  public:
    explicit easy_as(manual_clock& clock) : clock_(clock) {}
    bool down = false;
    bool silent = false;
    std::vector<jit::task_order> tasks;
    std::vector<std::string> completed;
    std::vector<std::string> decisions;  // "approve req_1 TOKEN notes"

    void fetch_agent_token(jit::agent_index, jit::callback<jit::access_token> done) override {
        answer<jit::access_token>(done, {make_secret("agent-token"), seconds{36'000}});
    }
    void exchange_for_user(jit::agent_index, secret_ptr, secret_ptr, jit::callback<jit::access_token> done) override {
        answer<jit::access_token>(done, {make_secret("delegated-token"), seconds{36'000}});
    }
    void create_task(secret_ptr, jit::task_order order, jit::callback<jit::task> done) override {
        tasks.push_back(std::move(order));
        answer<jit::task>(done, {"task_" + std::to_string(tasks.size()), clock_.wall_now() + seconds{3600}});
    }
    void request_permission(secret_ptr, jit::request_order order, jit::callback<jit::request_state> done) override {
        jit::request_state state;
        state.request_id = "req_" + std::to_string(++requests_);
        state.risk_level = "low";
        state.status = jit::request_status::approved;
        if (string_member(order.authorization_details, "type") == "payment") {
            state.status = jit::request_status::pending;
            state.risk_level = "critical";
        }
        answer<jit::request_state>(done, state);
    }
    void poll_permission(secret_ptr, jit::request_state known, jit::callback<jit::request_state> done) override {
        answer<jit::request_state>(done, std::move(known));
    }
    void exchange_permission(secret_ptr, jit::request_state, jit::callback<jit::access_token> done) override {
        answer<jit::access_token>(done, {make_secret("scoped-token"), seconds{300}});
    }
    void complete_task(secret_ptr, std::string task_id, jit::callback<jit::completion> done) override {
        if (silent) return;
        completed.push_back(task_id);
        answer<jit::completion>(done, jit::completion::completed);
    }
    void revoke(jit::agent_index, secret_ptr, jit::callback<void> done) override {
        clock_.call_after(milliseconds{0}, [done] { done({}); });
    }
    void list_pending(secret_ptr, jit::callback<std::vector<jit::pending_request>> done) override {
        clock_.call_after(milliseconds{0}, [done] { done(make_error(errc::as_rejected)); });
    }
    void evaluate_task(secret_ptr, std::string, jit::callback<jit::evaluation> done) override {
        clock_.call_after(milliseconds{0}, [done] { done(jit::evaluation{}); });
    }
    void approve(secret_ptr user, std::string id, std::string notes, jit::callback<jit::request_state> done) override {
        decide("approve", user, id, notes, jit::request_status::approved, done);
    }
    void deny(secret_ptr user, std::string id, std::string reason, jit::callback<jit::request_state> done) override {
        decide("deny", user, id, reason, jit::request_status::denied, done);
    }

  private:
    template <class T>
    void answer(jit::callback<T> done, T value) {
        result<T> r = std::move(value);
        if (down) r = make_error(errc::as_unreachable, "the authorization server is down");
        clock_.call_after(milliseconds{0}, [done = std::move(done), r = std::move(r)] { done(r); });
    }
    void decide(std::string const& what, secret_ptr const& user, std::string const& id, std::string const& text,
                jit::request_status status, jit::callback<jit::request_state> done) {
        decisions.push_back(what + " " + id + " " + std::string(user->reveal()) + " " + text);
        jit::request_state state;
        state.request_id = id;
        state.status = status;
        answer<jit::request_state>(std::move(done), state);
    }
    manual_clock& clock_;
    int requests_ = 0;
};

class easy_journal final : public jit::journal {
  public:
    explicit easy_journal(manual_clock& clock) : clock_(clock) {}
    void write(jit::journal_record, jit::callback<void> done) override {
        clock_.call_after(milliseconds{0}, [done = std::move(done)] { done({}); });
    }
    [[nodiscard]] result<std::vector<jit::open_task>> left_open() const override {
        return std::vector<jit::open_task>{};
    }

  private:
    manual_clock& clock_;
};

class no_snapshots final : public jit::snapshot_sink {
  public:
    void publish(jit::snapshot_ptr) override {}
    void drain(std::string const&, std::function<void()> done) override { done(); }
    void withdraw(std::string const&) override {}
};

struct world {
    manual_clock clock;
    easy_as as{clock};
    easy_journal journal{clock};
    no_snapshots snapshots;
    event_hub hub;
    jit::task_manager manager{jit::manager_ports{as, journal, clock, snapshots, hub}, jit::task_manager_options{}};
    result<void> reload_outcome;
    control::api api{manager, clock, hub, view()};

    explicit world(bool started = true) {
        log::configure(log::level::off, log::format::text);
        if (!started) return;
        manager.start();
        settle();
    }
    void settle() { clock.advance(milliseconds{0}); }

    daemon_view view() {
        daemon_view v;
        v.access = [](jit::session_snapshot const* s) -> json::object {
            auto const credentials =
                s ? s->session_id + ":" + std::string(s->proxy_secret->reveal()) + "@" : std::string();
            auto const url = "http://" + credentials + "127.0.0.1:8080";
            return {{"proxy_url", url},
                    {"ca_file", "/s/ca.pem"},
                    {"ca_bundle", "/s/b.pem"},
                    {"env", json::object{{"HTTP_PROXY", url}}}};
        };
        v.listeners = [] { return std::vector<listener_info>{{"proxy", "127.0.0.1:8080"}}; };
        v.metrics = [] {
            return std::vector<metric>{{"jitproxy_requests_total", "Requests", metric_kind::counter, 7, {}}};
        };
        v.counters = [] { return json::object{{"requests", 7}}; };
        v.reload = [this] { return reload_outcome; };
        v.version = "1.2.3";
        return v;
    }

    // One call, waited for without moving time.
    response call(std::string method, std::string target, std::string body = {}) {
        auto const got = start(std::move(method), std::move(target), std::move(body));
        settle();
        REQUIRE(got->size() == 1);
        return got->front();
    }
    std::shared_ptr<std::vector<response>> start(std::string method, std::string target, std::string body = {}) {
        auto got = std::make_shared<std::vector<response>>();
        api.handle({std::move(method), std::move(target), std::move(body)},
                   [got](response r) { got->push_back(std::move(r)); });
        return got;
    }
    json::object object(response const& r) {
        auto parsed = parse_json_object(r.body, errc::internal);
        REQUIRE(parsed.has_value());
        return *parsed;
    }
    json::object open(std::string const& order = "{}") {
        auto const r = call("POST", "/v1/sessions", order);
        REQUIRE(r.status == 201);
        return object(r);
    }
    // A permission that waits for a human, in a session of its own.
    std::string pending_request() {
        auto const session = open();
        jit::permission_need need;
        need.session_id = session.at("session_id").get_string().c_str();
        need.api = std::make_shared<policy::api const>(policy::api{.name = "acme"});
        need.origin = "https://api.acme-corp.com:443";
        need.resource = "POST https://api.acme-corp.com:443/pay";
        need.method = "POST";
        need.url = "https://api.acme-corp.com/pay";
        need.details = {{{"type", "payment"}}};
        manager.request_permission(std::move(need), [](jit::permission_outcome const&) {});
        settle();
        auto const list = manager.requests();
        REQUIRE(list.size() == 1);
        return list.front().request_id;
    }
};

}  // namespace jitproxy::control::testing
