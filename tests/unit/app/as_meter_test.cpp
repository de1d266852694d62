#include "jitproxy/app/as_meter.hpp"

#include "control/world.hpp"

using namespace jitproxy;
using namespace jitproxy::app;
using control::testing::easy_as;
using control::testing::manual_clock;

namespace {

// Remembers what was revoked.
class revocable final : public jit::authorization_server {
  public:
    explicit revocable(manual_clock& clock) : easy(clock), clock_(clock) {}
    easy_as easy;
    seconds lifetime{300};
    std::vector<std::string> revoked;

    void fetch_agent_token(jit::agent_index, jit::callback<jit::access_token> done) override {
        auto const name = "agent-" + std::to_string(++fetched_);
        clock_.call_after(milliseconds{0}, [this, name, done] {
            if (easy.down) return done(make_error(errc::as_unreachable, "down"));
            done(jit::access_token{make_secret(name), lifetime});
        });
    }
    void revoke(jit::agent_index agent, secret_ptr token, jit::callback<void> done) override {
        revoked.push_back(std::string(token->reveal()) + (agent == 0 ? "" : " of " + std::to_string(agent)));
        easy.revoke(agent, std::move(token), std::move(done));
    }
    void list_pending(secret_ptr b, jit::callback<std::vector<jit::pending_request>> done) override {
        easy.list_pending(std::move(b), std::move(done));
    }
    void evaluate_task(secret_ptr b, std::string t, jit::callback<jit::evaluation> done) override {
        easy.evaluate_task(std::move(b), std::move(t), std::move(done));
    }
    void exchange_for_user(jit::agent_index agent, secret_ptr u, secret_ptr a,
                           jit::callback<jit::access_token> done) override {
        easy.exchange_for_user(agent, std::move(u), std::move(a), std::move(done));
    }
    void create_task(secret_ptr b, jit::task_order o, jit::callback<jit::task> done) override {
        easy.create_task(std::move(b), std::move(o), std::move(done));
    }
    void request_permission(secret_ptr b, jit::request_order o, jit::callback<jit::request_state> done) override {
        easy.request_permission(std::move(b), std::move(o), std::move(done));
    }
    void poll_permission(secret_ptr b, jit::request_state s, jit::callback<jit::request_state> done) override {
        easy.poll_permission(std::move(b), std::move(s), std::move(done));
    }
    void exchange_permission(secret_ptr b, jit::request_state s, jit::callback<jit::access_token> done) override {
        easy.exchange_permission(std::move(b), std::move(s), std::move(done));
    }
    void complete_task(secret_ptr b, std::string id, jit::callback<jit::completion> done) override {
        easy.complete_task(std::move(b), std::move(id), std::move(done));
    }
    void approve(secret_ptr u, std::string id, std::string t, jit::callback<jit::request_state> done) override {
        easy.approve(std::move(u), std::move(id), std::move(t), std::move(done));
    }
    void deny(secret_ptr u, std::string id, std::string t, jit::callback<jit::request_state> done) override {
        easy.deny(std::move(u), std::move(id), std::move(t), std::move(done));
    }

  private:
    manual_clock& clock_;
    int fetched_ = 0;
};

struct metered {
    manual_clock clock;
    revocable inner{clock};
    as_meter meter{inner};
    void settle() { clock.advance(milliseconds{0}); }
};

}  // namespace

TEST_CASE("calls are counted by outcome, and answers pass unchanged") {
    metered m;
    std::string task;
    errc failed{};
    m.meter.create_task(make_secret("t"), {}, [&](result<jit::task> r) { task = r->task_id; });
    m.settle();
    m.inner.easy.down = true;
    m.meter.create_task(make_secret("t"), {}, [&](result<jit::task> r) { failed = r.error().code; });
    m.meter.complete_task(make_secret("t"), "task_1", [](result<jit::completion>) {});
    m.settle();
    CHECK(task == "task_1");
    CHECK(failed == errc::as_unreachable);
    CHECK(m.meter.seen() ==
          as_meter::counts{{{"complete", "as_unreachable"}, 1}, {{"task", "as_unreachable"}, 1}, {{"task", "ok"}, 1}});
}

TEST_CASE("at the end every agent token that may be alive is revoked, once") {
    metered m;
    for (int i = 0; i < 2; ++i) m.meter.fetch_agent_token(0, [](result<jit::access_token>) {});
    m.settle();
    m.inner.lifetime = seconds{0};  // dead on arrival: nothing to revoke
    m.meter.fetch_agent_token(0, [](result<jit::access_token>) {});
    m.settle();
    m.inner.lifetime = seconds{300};
    m.meter.fetch_agent_token(1, [](result<jit::access_token>) {});
    m.settle();
    int done = 0;
    m.meter.revoke_agent_tokens([&] { ++done; });
    CHECK(done == 0);
    m.settle();
    CHECK(done == 1);
    CHECK(m.inner.revoked == std::vector<std::string>{"agent-1", "agent-2", "agent-4 of 1"});
    m.meter.revoke_agent_tokens([&] { ++done; });
    CHECK(done == 2);
    CHECK(m.inner.revoked.size() == 3);
}

TEST_CASE("a token that was not given is not revoked") {
    metered m;
    m.inner.easy.down = true;
    m.meter.fetch_agent_token(0, [](result<jit::access_token>) {});
    m.settle();
    bool done = false;
    m.meter.revoke_agent_tokens([&] { done = true; });
    CHECK(done);
    CHECK(m.inner.revoked.empty());
}
