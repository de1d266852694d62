// The exchange machine, with any events in any order. A second machine gets the legal ones alone and must say the same:
// what was answered with `broken` has changed nothing. Input: a letter an event, each followed by the letters of its
// flags (fuzz.hpp says how they are read); other bytes mean nothing. `events` below reads them.
#include <deque>
#include <string>
#include <vector>

#include "fuzz.hpp"
#include "jitproxy/jit/exchange.hpp"

using namespace jitproxy;
using namespace jitproxy::jit;
using fuzz::require;
using state = exchange::state;

namespace {

// Makes events of letters. Every token that it hands out is another.
class events {
  public:
    explicit events(std::string_view input) : in_(input) {}

    bool next(exchange_event& out) {
        while (!in_.empty()) {
            switch (in_.byte()) {
                case 'r':
                    return out = ready(), true;
                case 's':
                    return out = started(), true;
                case 'd':
                    return out = decided(), true;
                case 'b':
                    return out = refreshed(), true;
                case 'u': {
                    auto const f = in_.flags();  // reused, nothing received, not replayable
                    return out = upstream_failed{make_error(errc::connection_closed), (f & 1) != 0, (f & 2) != 0,
                                                 (f & 4) == 0},
                           true;
                }
                case 'c':
                    return out = client_left{}, true;
                case 'f':
                    return out = response_finished{}, true;
                default:
                    break;
            }
        }
        return false;
    }

  private:
    secret_ptr token(char const* kind) { return make_secret(kind + std::to_string(++made_)); }
    snapshot_ptr session(unsigned f) {  // closing, without a bearer; 16: ended meanwhile
        auto s = std::make_shared<session_snapshot>();
        s->accepting = (f & 1) == 0;
        if ((f & 16) != 0) s->ended = std::make_shared<std::atomic<bool>>(true);
        if ((f & 2) == 0) s->bearer = token("own");
        s->bearer_generation = made_;
        return s;
    }
    request_ready ready() {
        auto const f = in_.flags();  // protected, keeps Authorization, safe to repeat, has a grant, has no session
        auto const of_session = in_.flags();
        request_ready e{(f & 1) != 0, (f & 2) != 0, (f & 4) != 0, nullptr, nullptr};
        if ((f & 16) == 0) e.session = session(of_session);
        if ((f & 8) != 0) {
            grants_.push_back(
                {"g" + std::to_string(made_ + 1), (of_session & 4) == 0 ? token("grant") : nullptr, {}, {}});
            e.grant = &grants_.back();
        }
        return e;
    }
    response_started started() {
        auto const f = in_.flags();  // signal: 0 to 3; not replayable
        response_started e{403, static_cast<signal_kind>(f & 3), (f & 4) == 0, {}};
        if (e.signal == signal_kind::permission) e.needs = std::string(1, in_.byte());
        return e;
    }
    permission_decided decided() {
        auto const f = in_.flags();  // 0 to 5: the status; not granted now but earlier; without a token
        permission_outcome o;
        o.status = static_cast<permission_status>((f & 7) % 6);
        o.cached = (f & 8) != 0;
        o.reason = "reason";
        if (o.status == permission_status::granted) {
            o.grant_id = "g" + std::to_string(made_ + 1);
            if ((f & 16) == 0) o.token = token("grant");
        }
        return {o};
    }
    bearer_refreshed refreshed() {
        auto const f = in_.flags();  // closing, without a bearer, no session, an error
        if ((f & 8) != 0) return {make_error(errc::as_unreachable)};
        return {(f & 4) != 0 ? snapshot_ptr{} : session(f)};
    }
    fuzz::reader in_;
    std::deque<scoped_bearer> grants_;
    unsigned made_ = 0;
};

std::string text_of(secret_ptr const& s) {
    return s ? std::string(s->reveal()) : std::string();
}

std::string text_of(exchange_action const& action) {
    auto text = std::to_string(action.index());
    if (auto const* a = std::get_if<send_request>(&action))
        text += text_of(a->bearer) + (a->fresh_connection ? "!" : "");
    if (auto const* a = std::get_if<ask_permission>(&action)) text += a->refused_grant;
    if (auto const* a = std::get_if<refresh_bearer>(&action))
        text += std::to_string(a->dead_generation) + a->dead_grant;
    if (auto const* a = std::get_if<relay_response>(&action); a != nullptr && a->annotate)
        text.append(to_string(a->why.status)).append(a->why.reason);
    if (auto const* a = std::get_if<answer_locally>(&action)) text += name_of(a->what.code);
    return text;
}

// What must hold, kept apart from how the machine does it.
class rules {
  public:
    void check(exchange_event const& event, exchange_action const& action, state before, state after) {
        bool const broke = std::holds_alternative<broken>(action);
        require(broke != legal(event, before), "broken for what is illegal, and for nothing else");
        if (broke) return require(before == after, "what is illegal changes nothing");
        note(event);
        if (auto const* a = std::get_if<send_request>(&action)) sending(*a, event, after);
        if (auto const* a = std::get_if<ask_permission>(&action)) asking(*a, event, after);
        if (auto const* a = std::get_if<refresh_bearer>(&action)) refreshing(*a, event, after);
        if (std::holds_alternative<relay_response>(action) || std::holds_alternative<answer_locally>(action)) {
            require(!answering_ && after == state::relaying, "one answer");
            answering_ = true;
        }
        if (auto const* a = std::get_if<relay_response>(&action)) relaying(*a, event, before);
        if (std::holds_alternative<finish>(action))
            require(before == state::relaying && after == state::done && answering_, "an end behind the answer");
        if (std::holds_alternative<abandon>(action)) require(after == state::done, "an end");
    }

  private:
    static bool legal(exchange_event const& event, state s) {
        if (auto const* e = std::get_if<request_ready>(&event))
            return s == state::idle && (!e->protected_api || e->session);
        if (std::holds_alternative<response_started>(event)) return s == state::sent;
        if (auto const* e = std::get_if<permission_decided>(&event))
            return s == state::asking && (e->outcome.status != permission_status::granted || e->outcome.token);
        if (auto const* e = std::get_if<bearer_refreshed>(&event))
            return s == state::refreshing && (!e->session || *e->session);
        if (std::holds_alternative<upstream_failed>(event)) return s == state::sent || s == state::relaying;
        if (std::holds_alternative<client_left>(event)) return s != state::done;
        return s == state::relaying;
    }

    void note(exchange_event const& event) {
        if (auto const* e = std::get_if<request_ready>(&event)) {
            request_ = *e;
            session_ = e->session;
            if (e->grant != nullptr) granted_.push_back(text_of(e->grant->token));
        }
        if (auto const* e = std::get_if<response_started>(&event)) replayable_ = e->replayable;
        if (auto const* e = std::get_if<upstream_failed>(&event)) replayable_ = e->replayable;
        if (auto const* e = std::get_if<bearer_refreshed>(&event); e != nullptr && e->session) session_ = *e->session;
        if (auto const* e = std::get_if<permission_decided>(&event); e != nullptr && e->outcome.token)
            granted_.push_back(text_of(e->outcome.token));
    }

    void sending(send_request const& a, exchange_event const& event, state after) {
        require(!answering_ && after == state::sent, "nothing is sent once an answer has begun");
        require(++sends_ <= 12, "it ends");
        require(replayable_ || sends_ == 1, "nothing is sent again that cannot be");
        if (auto const* e = std::get_if<upstream_failed>(&event)) {
            require(e->reused_connection && e->nothing_received && request_.safe_to_repeat && a.fresh_connection,
                    "after a failure only what is safe, and not on a connection of the pool");
            require(text_of(a.bearer) == sent_, "with what went out before");
            require(!fresh_, "once an attempt");
        } else {
            require(!a.fresh_connection, "a connection of the pool will do");
        }
        fresh_ = a.fresh_connection;
        sent_ = text_of(a.bearer);
        if (!request_.protected_api) return require(!a.bearer, "no bearer where the API is not protected");
        require(session_->accepts(), "nothing is sent for a session that is closing");
        if (!a.bearer) return require(request_.keep_authorization, "nothing without a bearer, but for the agent's own");
        bool const own = a.bearer == session_->bearer;
        bool const granted = std::find(granted_.begin(), granted_.end(), sent_) != granted_.end();
        require(own || granted, "a bearer of this session");
        require(!own || !request_.keep_authorization, "the agent's own Authorization is not replaced by the session's");
        require(std::find(dead_.begin(), dead_.end(), sent_) == dead_.end(), "no token that is known to be dead");
    }

    void asking(ask_permission const& a, exchange_event const& event, state after) {
        auto const* e = std::get_if<response_started>(&event);
        require(e != nullptr && e->signal == signal_kind::permission && after == state::asking, "asked when told to");
        require(request_.protected_api, "asked for a protected API only");
        require(++asks_ <= 3, "three needs at most");
        require(a.refused_grant.empty() || sent_ == "grant" + a.refused_grant.substr(1),
                "a grant that was not enough is the one that went out");
    }

    void refreshing(refresh_bearer const& a, exchange_event const& event, state after) {
        if (std::holds_alternative<request_ready>(event)) {
            require(request_.protected_api && !request_.session->bearer && after == state::refreshing, "no bearer yet");
            require(a.dead_grant.empty() && ++refreshes_ == 1, "nothing is dead");
            return;
        }
        auto const* e = std::get_if<response_started>(&event);
        require(e != nullptr && e->signal == signal_kind::dead_token && after == state::refreshing, "a token is dead");
        require(request_.protected_api && !sent_.empty(), "a token of ours");
        require(++refreshes_ <= 2, "one grant is dropped and one bearer renewed");
        if (a.dead_grant.empty())
            require(a.dead_generation == session_->bearer_generation && sent_ == text_of(session_->bearer),
                    "it is the session's own bearer that is dead");
        else
            require(sent_ == "grant" + a.dead_grant.substr(1), "the grant that is dropped is the one that went out");
        dead_.push_back(sent_);
    }

    void relaying(relay_response const& a, exchange_event const& event, state before) {
        require(before == state::sent || before == state::asking || before == state::refreshing, "an answer is held");
        if (auto const* e = std::get_if<permission_decided>(&event))
            require(a.annotate && (e->outcome.status == permission_status::granted
                                       ? a.why.status == permission_status::pending && !replayable_
                                       : a.why.status == e->outcome.status),
                    "the client is told what was decided");
        require(!a.annotate || (request_.protected_api && !a.why.reason.empty()), "and why");
        require(!a.why.token, "but not the token");
    }

    request_ready request_;
    snapshot_ptr session_;
    std::string sent_;                  // the bearer that went out last
    std::vector<std::string> granted_;  // tokens that may go out
    std::vector<std::string> dead_;     // and those that may not again
    bool replayable_ = true;
    bool fresh_ = false;
    bool answering_ = false;
    unsigned sends_ = 0;
    unsigned asks_ = 0;
    unsigned refreshes_ = 0;
};

}  // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    events from{fuzz::view(data, size)};
    exchange machine;
    exchange undisturbed;
    rules all;
    exchange_event event;
    auto const feed = [&] {
        auto const before = machine.current();
        auto const action = machine.resume(event);
        all.check(event, action, before, machine.current());
        if (!std::holds_alternative<broken>(action))
            require(text_of(undisturbed.resume(event)) == text_of(action), "what was illegal has left no trace");
    };
    while (from.next(event)) feed();

    // Whatever has happened, it comes to an end: the API answers, nothing more is granted, the answer is over.
    for (int steps = 0; machine.current() != state::done; ++steps) {
        require(steps < 3, "it comes to an end");
        switch (machine.current()) {
            case state::idle:
                event = client_left{};
                break;
            case state::sent:
                event = response_started{};
                break;
            case state::asking:
                event = permission_decided{};
                break;
            case state::refreshing:
                event = bearer_refreshed{make_error(errc::as_unreachable)};
                break;
            default:
                event = response_finished{};
        }
        if (machine.current() == state::asking) std::get<permission_decided>(event).outcome.reason = "no";
        feed();
    }
    return 0;
}
