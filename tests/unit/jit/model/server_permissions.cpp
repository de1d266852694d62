// model_server: permissions, from the asking to the token, and the human who decides.
#include <utility>

#include "jitproxy/base/json.hpp"
#include "server_call.hpp"

namespace jitproxy::jit::model {

namespace {

constexpr auto request_life = std::chrono::hours(2);

}  // namespace

error model_server::inactive(std::string const& task_id) const {
    auto const it = as_.tasks.find(task_id);
    return make_error(errc::as_inactive, it == as_.tasks.end() ? "no such task" : it->second.why_not);
}

request_state model_server::state_of(std::string const& id) const {
    auto const& r = as_.requests.at(id);
    request_state s;
    s.request_id = id;
    s.status = r.status;
    s.risk_level = "high";
    if (r.ends < clock_.wall_now() + std::chrono::minutes(1)) s.expires_at = r.ends;
    return s;
}

void model_server::request_permission(secret_ptr bearer, request_order order, callback<request_state> done) {
    auto const key = ref_.asking(order, bearer);
    auto const make = [this, order](int variant) -> result<request_state> {
        auto const t = as_.tasks.find(order.task_id);
        if (t == as_.tasks.end() || !t->second.open) return inactive(order.task_id);
        auto const id = as_.fresh("req-");
        request_book book;
        book.task_id = order.task_id;
        book.needs = canonical_json(order.authorization_details);
        book.origin = order.justification;
        book.local_id = order.callback_url;
        book.status = variant == 0   ? request_status::approved
                      : variant == 2 ? request_status::denied
                                     : request_status::pending;
        book.ends = clock_.wall_now() + (variant == 3 ? seconds(30) : request_life);
        as_.requests[id] = book;
        return state_of(id);
    };
    enter<request_state>(bearer,
                         {make,
                          [this, key](result<request_state> const& answer, fault f) {
                              if (answer.has_value() && !answer->request_id.empty())
                                  as_.requests.at(answer->request_id).told_in = ref_.life;
                              ref_.filed.answered(key, answer, f, clock_.wall_now());
                          },
                          [](result<request_state>& s) { s->request_id.clear(); }},
                         std::move(done));
}

void model_server::poll_permission(secret_ptr bearer, request_state known, callback<request_state> done) {
    auto const id = known.request_id;
    ref_.about_request("poll_permission", id, bearer);
    auto const look = [this, id](int) -> result<request_state> {
        auto const it = as_.requests.find(id);
        if (it == as_.requests.end()) return make_error(errc::as_rejected, "no such request");
        if (!as_.tasks.at(it->second.task_id).open) return inactive(it->second.task_id);
        return state_of(id);
    };
    enter<request_state>(
        bearer,
        {look,
         [this, id](result<request_state> const& answer, fault) { ref_.filed.polled(id, answer, clock_.wall_now()); },
         [](result<request_state>& s) { s->request_id.clear(); }},
        std::move(done));
}

void model_server::exchange_permission(secret_ptr bearer, request_state known, callback<access_token> done) {
    auto const id = known.request_id;
    ref_.about_request("exchange_permission", id, bearer);
    auto const make = [this, id](int variant) -> result<access_token> {
        auto const it = as_.requests.find(id);
        if (it == as_.requests.end()) return make_error(errc::as_rejected, "no such request");
        if (!as_.tasks.at(it->second.task_id).open) return inactive(it->second.task_id);
        if (it->second.status != request_status::approved) return make_error(errc::as_rejected, "not approved");
        if (std::exchange(it->second.exchanged, true)) return make_error(errc::as_rejected, "exchanged already");
        return make_token(token_kind::scoped, as_.tasks.at(it->second.task_id).agent, variant, {}, id);
    };
    enter<access_token>(bearer,
                        {make,
                         [this, id](result<access_token> const& answer, fault) {
                             ref_.told_token(answer);
                             ref_.filed.exchanged(id, answer);
                         },
                         [](result<access_token>& t) { t->value = nullptr; }},
                        std::move(done));
}

void model_server::list_pending(secret_ptr bearer, callback<std::vector<pending_request>> done) {
    ref_.listing(bearer);
    auto const list = [this, agent = agent_of(bearer)](int variant) -> result<std::vector<pending_request>> {
        if (variant == 1) return make_error(errc::as_rejected, "not yours to see");
        std::vector<pending_request> all;
        for (auto const& [id, r] : as_.requests)
            if (as_.undecided(r) && as_.tasks.at(r.task_id).agent == agent)
                all.push_back({r.task_id, r.needs, state_of(id)});
        return all;
    };
    enter<std::vector<pending_request>>(
        bearer, {list, [this](auto const& answer, fault) { ref_.filed.listed(answer); }}, std::move(done));
}

void model_server::decide(secret_ptr user, std::string const& id, request_status to, callback<request_state> done) {
    ref_.demand(user && user->reveal() == std::string(secret_mark) + "-human", "1", "decides with another bearer");
    auto const settle = [this, id, to](int) -> result<request_state> {
        auto const it = as_.requests.find(id);
        if (it == as_.requests.end() || !as_.undecided(it->second)) return make_error(errc::as_rejected, "too late");
        it->second.status = to;
        return state_of(id);
    };
    enter<request_state>(nullptr,
                         {settle,
                          [this, id](result<request_state> const& answer, fault) {
                              if (answer.has_value()) ref_.filed.decided(id, answer->status);
                          },
                          [](result<request_state>& s) { s->request_id.clear(); }},
                         std::move(done));
}

void model_server::approve(secret_ptr user, std::string id, std::string, callback<request_state> done) {
    decide(std::move(user), id, request_status::approved, std::move(done));
}

void model_server::deny(secret_ptr user, std::string id, std::string, callback<request_state> done) {
    decide(std::move(user), id, request_status::denied, std::move(done));
}

}  // namespace jitproxy::jit::model
