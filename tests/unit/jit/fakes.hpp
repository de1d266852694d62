// The world around the task manager, by hand: an authorization server that answers what a test has scripted, and sinks
// that remember. A script that did not run to its end fails, and so does a call that no script foresaw.
#pragma once
#include <algorithm>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "jitproxy/base/log.hpp"
#include "jitproxy/jit/task_manager.hpp"
#include "manual_clock.hpp"

namespace jitproxy::jit::test {

using jitproxy::test::manual_clock;
using std::chrono::minutes;

using trace = std::vector<std::string>;

// One kind of call to the AS: what it answers, in order.
template <class T>
class lane {
  public:
    lane(manual_clock& clock, std::string name) : clock_(clock), name_(std::move(name)) {}

    lane& answers(result<T> r) {
        script_.push_back(std::move(r));
        return *this;
    }
    lane& fails(errc code, int retry_after = 0) { return answers(error{code, name_ + " failed", retry_after}); }
    lane& holds() {  // the call stays open until release()
        script_.push_back(std::nullopt);
        return *this;
    }
    void release(result<T> r) {
        REQUIRE_FALSE(held_.empty());
        auto done = std::move(held_.front());
        held_.pop_front();
        done(std::move(r));
        clock_.settle();
    }
    [[nodiscard]] std::size_t held() const { return held_.size(); }
    [[nodiscard]] std::size_t left() const { return script_.size(); }
    [[nodiscard]] int calls() const { return calls_; }
    std::function<result<T>()> otherwise;  // for calls beyond the script

    void called(callback<T> done) {
        ++calls_;
        if (script_.empty() && !otherwise) {
            unforeseen_ = true;
            return;
        }
        std::optional<result<T>> next = script_.empty() ? std::optional(otherwise()) : std::move(script_.front());
        if (!script_.empty()) script_.pop_front();
        if (!next) {
            held_.push_back(std::move(done));
            return;
        }
        clock_.call_after(milliseconds(0), [done = std::move(done), r = std::move(*next)] { done(r); });
    }
    void verify() const {
        INFO(name_);
        CHECK_FALSE(unforeseen_);
        CHECK(script_.size() == 0);
    }

  private:
    manual_clock& clock_;
    std::string name_;
    std::deque<std::optional<result<T>>> script_;
    std::deque<callback<T>> held_;
    int calls_ = 0;
    bool unforeseen_ = false;
};

inline std::string shown(secret_ptr const& s) {
    return s ? std::string(s->reveal()) : "none";
}

class fake_as final : public authorization_server {
  public:
    fake_as(manual_clock& clock, trace& t)
        : token(clock, "token"),
          delegated(clock, "delegated"),
          task(clock, "task"),
          ask(clock, "ask"),
          poll(clock, "poll"),
          exchange(clock, "exchange"),
          complete(clock, "complete"),
          revoked(clock, "revoke"),
          decision(clock, "decision"),
          pending(clock, "pending"),
          evaluated(clock, "evaluate"),
          trace_(t) {
        revoked.otherwise = [] { return result<void>(); };
    }
    lane<access_token> token, delegated;
    lane<jit::task> task;
    lane<request_state> ask, poll;
    lane<access_token> exchange;
    lane<completion> complete;
    lane<void> revoked;
    lane<request_state> decision;
    lane<std::vector<pending_request>> pending;
    lane<evaluation> evaluated;
    std::vector<request_order> orders;
    std::vector<task_order> tasks;

    void verify() const {
        token.verify();
        delegated.verify();
        task.verify();
        ask.verify();
        poll.verify();
        exchange.verify();
        complete.verify();
        revoked.verify();
        decision.verify();
        pending.verify();
        evaluated.verify();
    }

    void fetch_agent_token(agent_index agent, callback<access_token> done) override {
        trace_.push_back("as token" + of(agent));
        token.called(std::move(done));
    }
    void exchange_for_user(agent_index agent, secret_ptr user, secret_ptr actor, callback<access_token> done) override {
        trace_.push_back("as delegated " + shown(user) + " " + shown(actor) + of(agent));
        delegated.called(std::move(done));
    }
    void create_task(secret_ptr bearer, task_order order, callback<jit::task> done) override {
        trace_.push_back("as task " + shown(bearer));
        tasks.push_back(std::move(order));
        task.called(std::move(done));
    }
    void request_permission(secret_ptr bearer, request_order order, callback<request_state> done) override {
        trace_.push_back("as ask " + shown(bearer) + " " + order.task_id);
        orders.push_back(std::move(order));
        ask.called(std::move(done));
    }
    void poll_permission(secret_ptr bearer, request_state known, callback<request_state> done) override {
        trace_.push_back("as poll " + shown(bearer) + " " + known.request_id);
        poll.called(std::move(done));
    }
    void exchange_permission(secret_ptr bearer, request_state known, callback<access_token> done) override {
        trace_.push_back("as exchange " + shown(bearer) + " " + known.request_id);
        exchange.called(std::move(done));
    }
    void complete_task(secret_ptr bearer, std::string task_id, callback<completion> done) override {
        trace_.push_back("as complete " + shown(bearer) + " " + task_id);
        complete.called(std::move(done));
    }
    void revoke(agent_index agent, secret_ptr t, callback<void> done) override {
        trace_.push_back("as revoke " + shown(t) + of(agent));
        revoked.called(std::move(done));
    }
    void list_pending(secret_ptr bearer, callback<std::vector<pending_request>> done) override {
        trace_.push_back("as pending " + shown(bearer));
        pending.called(std::move(done));
    }
    void evaluate_task(secret_ptr bearer, std::string task_id, callback<evaluation> done) override {
        trace_.push_back("as evaluate " + shown(bearer) + " " + task_id);
        evaluated.called(std::move(done));
    }
    void approve(secret_ptr user, std::string id, std::string notes, callback<request_state> done) override {
        trace_.push_back("as approve " + shown(user) + " " + id + " " + notes);
        decision.called(std::move(done));
    }
    void deny(secret_ptr user, std::string id, std::string reason, callback<request_state> done) override {
        trace_.push_back("as deny " + shown(user) + " " + id + " " + reason);
        decision.called(std::move(done));
    }

  private:
    static std::string of(agent_index agent) { return agent == 0 ? "" : " of agent " + std::to_string(agent); }
    trace& trace_;
};

// Writes what it is given in order, and answers then: when the clock is settled, or when told.
class fake_journal final : public journal {
  public:
    fake_journal(manual_clock& clock, trace& t) : clock_(clock), trace_(t) {}
    std::set<std::string> failing;                   // names of records that fail from now on
    bool holds = false;                              // waits for write_one()
    std::vector<open_task> left;                     // of an earlier life
    std::map<std::string, std::string> open;         // session → task id
    std::map<std::string, std::string> permissions;  // need → outcome, "" while it is open
    std::map<std::string, session_facts> about;      // by session
    std::map<std::string, std::string> reasons;      // session → why it closes
    std::map<std::string, open_permission> pending;  // by need
    std::vector<records::permission_settled> settled;
    std::vector<std::string> dropped;

    void write(journal_record what, callback<void> done) override {
        queue_.emplace_back(std::move(what), std::move(done));
        if (!holds) clock_.call_after(milliseconds(0), [this] { write_one(); });
    }
    result<std::vector<open_task>> left_open() const override {
        if (failing.count("left_open") != 0) return make_error(errc::storage, "disk full");
        return left;
    }
    [[nodiscard]] std::size_t queued() const { return queue_.size(); }
    void write_one() {
        if (queue_.empty()) return;
        auto const next = std::move(queue_.front());
        queue_.pop_front();
        next.second(std::visit([this](auto const& r) { return put(r); }, next.first));
    }
    void write_all() {  // and what that leads to
        while (!queue_.empty()) {
            write_one();
            clock_.settle();
        }
    }

  private:
    result<void> put(records::task_opening const& r) {
        return note("opening", [&] {
            open[r.session_id] = "";
            about[r.session_id] = r.about;
        });
    }
    result<void> put(records::task_opened const& r) {
        return note("opened " + r.opened.task_id, [&] { open[r.session_id] = r.opened.task_id; });
    }
    result<void> put(records::session_closing const& r) {
        reasons[r.session_id] = r.reason;
        return {};
    }
    result<void> put(records::session_resumed const&) {
        return note("resumed", [] {});
    }
    result<void> put(records::task_closed const& r) {
        return note("closed", [&] {
            open.erase(r.session_id);
            reasons[r.session_id] = r.reason;
        });
    }
    result<void> put(records::permission_pending const& r) {
        pending[r.what.need] = r.what;
        return {};
    }
    result<void> put(records::grant_dropped const& r) {
        dropped.push_back(r.grant_id + ": " + r.reason);
        return {};
    }
    result<void> put(records::permission_asking const& r) {
        return note("asking " + r.need, [&] { permissions[r.need] = ""; });
    }
    result<void> put(records::permission_settled const& r) {
        return note("settled " + r.request_id + " " + r.outcome, [&] {
            permissions[r.need] = r.outcome;
            settled.push_back(r);
        });
    }
    template <class Change>
    result<void> note(std::string const& what, Change change) {
        if (failing.count(what.substr(0, what.find(' '))) != 0) return make_error(errc::storage, "disk full");
        trace_.push_back("journal " + what);
        change();
        return {};
    }
    manual_clock& clock_;
    trace& trace_;
    std::deque<std::pair<journal_record, callback<void>>> queue_;
};

class fake_snapshots final : public snapshot_sink {
  public:
    explicit fake_snapshots(trace& t) : trace_(t) {}
    std::map<std::string, snapshot_ptr> latest;
    std::vector<snapshot_ptr> all;
    void publish(snapshot_ptr s) override {
        trace_.push_back(std::string("publish ") + (s->accepting ? "accepting" : "closed") +
                         " grants=" + std::to_string(s->grants.size()) + " " + shown(s->bearer));
        latest[s->session_id] = s;
        all.push_back(std::move(s));
    }
    bool busy = false;  // requests are in flight until release()
    void drain(std::string const&, std::function<void()> done) override {
        if (!busy) return done();
        waiting_.push_back(std::move(done));
    }
    void release() {
        busy = false;
        for (auto const& done : std::exchange(waiting_, {})) done();
    }
    void withdraw(std::string const& session) override {
        trace_.push_back("withdraw");
        latest.erase(session);
    }

  private:
    trace& trace_;
    std::vector<std::function<void()>> waiting_;
};

class fake_events final : public event_sink {
  public:
    std::vector<event> all;
    void on_event(event const& e) override { all.push_back(e); }
    [[nodiscard]] int count(std::string const& type) const {
        return static_cast<int>(std::count_if(all.begin(), all.end(), [&](event const& e) { return e.type == type; }));
    }
    [[nodiscard]] event last(std::string const& type) const {
        for (auto it = all.rbegin(); it != all.rend(); ++it)
            if (it->type == type) return *it;
        return {};
    }
};

// What a callback was told, and how often.
template <class T>
struct told {
    std::vector<T> values;
    [[nodiscard]] bool any() const { return !values.empty(); }
    [[nodiscard]] T const& one() const {
        REQUIRE(values.size() == 1);
        return values.front();
    }
};
template <class T>
using told_ptr = std::shared_ptr<told<T>>;

template <class T>
std::pair<told_ptr<T>, std::function<void(T)>> listen() {
    auto t = std::make_shared<told<T>>();
    return {t, [t](T value) { t->values.push_back(std::move(value)); }};
}

inline access_token token_of(std::string value, seconds life = seconds(600)) {
    return {make_secret(std::move(value)), life};
}
inline request_state state_of(std::string id, request_status status, std::string reason = {}) {
    request_state s;
    s.request_id = std::move(id);
    s.status = status;
    s.reason = std::move(reason);
    s.risk_level = "high";
    return s;
}
inline json::object details_of(std::string const& what) {
    return {{"type", "document"}, {"identifier", what}};
}

struct world {
    manual_clock clock;
    trace log;
    fake_as as{clock, log};
    fake_journal journal{clock, log};
    fake_snapshots snapshots{log};
    fake_events events;
    std::unique_ptr<task_manager> manager;
    policy::api_ptr api;
    bool verified = true;  // at the end

    explicit world(task_manager_options options = {}) {
        manager = std::make_unique<task_manager>(manager_ports{as, journal, clock, snapshots, events}, options);
        policy::api a;
        a.name = "acme";
        api = std::make_shared<policy::api const>(std::move(a));
        log_lines().clear();
        log::capture([](std::string_view line) { log_lines().emplace_back(line); });
    }
    ~world() {
        manager.reset();
        log::capture(nullptr);
        if (std::uncaught_exceptions() != 0) return;
        no_secret_was_told();
        if (verified) as.verify();
        // A manager that is gone has left no timer behind. (Answers of the fake AS may still be on their way.)
        clock.settle();
        CHECK(clock.timers() == 0);
    }

    // A session, opened without any hitch. Returns its id.
    std::string open(std::string const& task_id = "task-1", session_order order = {}) {
        if (as.token.calls() == 0 && as.token.left() == 0) as.token.answers(token_of("agent-1", seconds(3600)));
        as.task.answers(task{task_id, std::nullopt});
        auto [opened, done] = listen<result<opened_session>>();
        manager->open_session(std::move(order), done);
        clock.settle();
        REQUIRE(opened->one().has_value());
        return opened->one()->info.session_id;
    }
    [[nodiscard]] permission_need need(std::string const& session, std::string const& what = "A") const {
        permission_need n;
        n.session_id = session;
        n.api = api;
        n.origin = "https://api.example:443";
        n.method = "GET";
        n.url = "https://api.example/" + what;
        n.resource = resource_key("GET", n.origin, "/" + what + "?q=1");
        n.details.push_back(details_of(what));
        return n;
    }
    told_ptr<permission_outcome> ask(permission_need n) {
        auto [outcome, done] = listen<permission_outcome>();
        last_ticket = manager->request_permission(std::move(n), done);
        CHECK_FALSE(outcome->any());  // never from within the call
        return outcome;
    }
    told_ptr<permission_outcome> ask(std::string const& session, std::string const& what = "A") {
        return ask(need(session, what));
    }
    // A permission granted without any hitch.
    permission_outcome grant(std::string const& session, std::string const& what, std::string const& token,
                             seconds life = seconds(300)) {
        as.ask.answers(state_of("req-" + what, request_status::approved));
        as.exchange.answers(token_of(token, life));
        auto const outcome = ask(session, what);
        clock.settle();
        REQUIRE(outcome->one().status == permission_status::granted);
        return outcome->one();
    }
    told_ptr<result<session_info>> close(std::string const& session) {
        auto [info, done] = listen<result<session_info>>();
        manager->close_session(session, done);
        CHECK_FALSE(info->any());
        return info;
    }
    [[nodiscard]] std::size_t count(std::string const& prefix) const {
        return static_cast<std::size_t>(
            std::count_if(log.begin(), log.end(), [&](auto const& line) { return line.starts_with(prefix); }));
    }
    // The first line that begins so; -1: none.
    [[nodiscard]] int at(std::string const& prefix) const {
        for (std::size_t i = 0; i != log.size(); ++i)
            if (log[i].starts_with(prefix)) return static_cast<int>(i);
        return -1;
    }
    task_manager::ticket last_ticket = 0;

  private:
    static std::vector<std::string>& log_lines() {
        static std::vector<std::string> lines;
        return lines;
    }
    // All tokens of the tests begin with one of these.
    void no_secret_was_told() const {
        std::vector<std::string> told = log_lines();
        for (auto const& e : events.all) told.push_back(e.type + e.session_id + json::serialize(e.data));
        for (auto const& line : told)
            for (auto const* secret : {"agent-", "scoped-", "delegated-", "user-"})
                CHECK(line.find(secret) == std::string::npos);
    }
};

}  // namespace jitproxy::jit::test
