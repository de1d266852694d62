#include "server.hpp"

#include <utility>

#include "server_call.hpp"

namespace jitproxy::jit::model {

namespace {

constexpr auto task_life = std::chrono::hours(23);  // of one that does not say; the manager reckons with a day

}  // namespace

error failure_of(fault f) {
    switch (f) {
        case fault::unreachable:
            return make_error(errc::as_unreachable, "lost on the way");
        case fault::slow_down:
            return {errc::as_rate_limited, "slow down", 2};
        case fault::wait_long:
            return {errc::as_rate_limited, "slow down", 30};
        case fault::down:
            return {errc::as_down, "left alone", 5};
        case fault::unauthorized:
            return make_error(errc::as_unauthorized, "dead bearer");
        case fault::rejected:
            return make_error(errc::as_rejected, "no");
        case fault::garbled:
        case fault::incomplete:
            return make_error(errc::as_malformed, "cannot be understood");
        default:
            return make_error(errc::as_unclear, "no answer");
    }
}

void model_server::process(std::size_t n, int variant) {
    if (n < calls_.size()) calls_[n]->process(variant);
}

void model_server::answer(std::size_t n, fault f, int variant) {
    if (n >= calls_.size()) return;
    auto const c = calls_[n];
    calls_.erase(calls_.begin() + static_cast<std::ptrdiff_t>(n));
    c->answer(f == fault::none ? weather : f, variant);
}

void model_server::nobody_listens(bool lost, bool processed) {
    for (auto const& c : calls_) c->heard = false;
    if (processed)
        for (auto const& c : std::exchange(calls_, std::deque<std::shared_ptr<call>>{})) c->process(0);
    if (lost) calls_.clear();
}

bool model_server::alive(secret_ptr const& bearer) const {
    auto const it = as_.tokens.find(std::string(bearer->reveal()));
    return it != as_.tokens.end() && it->second.alive;
}

agent_index model_server::agent_of(secret_ptr const& bearer) const {
    auto const it = as_.tokens.find(std::string(bearer->reveal()));
    return it == as_.tokens.end() ? 0 : it->second.agent;
}

access_token model_server::make_token(token_kind kind, agent_index agent, int variant, std::string user,
                                      std::string request) {
    constexpr char const* names[] = {"-agent-", "-delegated-", "-scoped-"};
    auto const value = as_.fresh(secret_mark + std::string(names[static_cast<int>(kind)]));
    seconds const usual(kind == token_kind::scoped ? 300 : 3600);
    seconds const life = variant == 1 ? seconds(30) : variant == 2 ? seconds(300) : usual;
    as_.tokens[value] = {kind, agent, std::move(user), std::move(request), true, clock_.wall_now() + life, 0, false};
    return {make_secret(value), variant == 2 ? seconds(0) : life};
}

void model_server::fetch_agent_token(agent_index agent, callback<access_token> done) {
    enter<access_token>(nullptr,
                        {[this, agent](int variant) { return make_token(token_kind::agent, agent, variant, {}, {}); },
                         [this](auto const& answer, fault) { ref_.told_token(answer); },
                         [](result<access_token>& t) { t->value = nullptr; }},
                        std::move(done));
}

void model_server::exchange_for_user(agent_index index, secret_ptr user, secret_ptr agent,
                                     callback<access_token> done) {
    ref_.delegating(index, user, agent);
    std::string name(user ? user->reveal() : "");
    enter<access_token>(
        agent,
        {[this, index, name](int variant) { return make_token(token_kind::delegated, index, variant, name, {}); },
         [this](auto const& answer, fault) { ref_.told_token(answer); },
         [](result<access_token>& t) { t->value = nullptr; }},
        std::move(done));
}

void model_server::create_task(secret_ptr bearer, task_order order, callback<task> done) {
    ref_.creating(order, bearer);
    auto const make = [this, order, agent = agent_of(bearer)](int variant) -> result<task> {
        auto const id = as_.fresh("task-");
        auto const now = clock_.wall_now();
        task_book book;
        book.name = order.name;
        book.parent = order.parent_task_id;
        book.agent = agent;
        book.ends = now + (variant == 1 ? std::chrono::minutes(1) : task_life);
        as_.tasks[id] = book;
        task made{id, {}};
        if (variant == 1) made.expires_at = book.ends;
        if (variant == 2) made.expires_at = now - seconds(10);  // our clocks disagree
        return made;
    };
    enter<task>(bearer,
                {make, [this](auto const& answer, fault) { ref_.told_task(answer); },
                 [](result<task>& t) { t->task_id.clear(); }},
                std::move(done));
}

void model_server::complete_task(secret_ptr bearer, std::string task_id, callback<completion> done) {
    ref_.completing(task_id, bearer);
    auto const complete = [this, task_id](int) -> result<completion> {
        auto const it = as_.tasks.find(task_id);
        if (it == as_.tasks.end() || !it->second.open) return completion::already_complete;
        as_.end_task(task_id, "the task is complete");
        return completion::completed;
    };
    enter<completion>(bearer, {complete}, std::move(done));
}

void model_server::revoke(agent_index agent, secret_ptr token, callback<void> done) {
    ref_.revoking(agent, token);
    auto const end = [this, value = std::string(token->reveal())](int) -> result<void> {
        if (auto const it = as_.tokens.find(value); it != as_.tokens.end()) it->second.alive = false;
        return {};
    };
    enter<void>(nullptr, {end}, std::move(done));
}

void model_server::evaluate_task(secret_ptr bearer, std::string task_id, callback<evaluation> done) {
    ref_.about_task("evaluate_task", task_id, bearer);
    auto const evaluate = [this, task_id](int) -> result<evaluation> {
        auto const& t = as_.tasks.at(task_id);
        return evaluation{t.open, t.why_not};
    };
    enter<evaluation>(bearer,
                      {evaluate, [this, task_id](auto const& answer, fault) { ref_.told_evaluation(task_id, answer); }},
                      std::move(done));
}

}  // namespace jitproxy::jit::model
