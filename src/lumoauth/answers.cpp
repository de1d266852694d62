#include "jitproxy/lumoauth/answers.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <utility>

#include "jitproxy/base/encoding.hpp"
#include "jitproxy/base/json.hpp"
#include "jitproxy/base/one_line.hpp"
#include "jitproxy/lumoauth/trouble.hpp"

namespace jitproxy::lumoauth {
namespace {

// Said where the server leaves expires_in out: the shortest life that it documents for any token.
constexpr std::int64_t assumed_life = 300;
constexpr std::int64_t longest_life = 7 * 24 * 3600;
constexpr std::size_t longest_token = 64 * 1024;
constexpr std::size_t longest_id = 1024;

class wiped_at_exit {
  public:
    explicit wiped_at_exit(std::string& text) : text_(text) {}
    ~wiped_at_exit() { wipe(text_); }
    wiped_at_exit(wiped_at_exit const&) = delete;
    wiped_at_exit& operator=(wiped_at_exit const&) = delete;

  private:
    std::string& text_;
};

bool succeeded(wire_answer const& a) noexcept {
    return a.status >= 200 && a.status < 300;
}

error malformed(answer_context const& c, std::string_view what) {
    return make_error(errc::as_malformed, "the authorization server's answer to " + std::string{name_of(c.endpoint)} +
                                              " cannot be used: " + std::string{what});
}

result<json::object> body_of(wire_answer const& a, answer_context const& c) {
    auto body = parse_json_object(a.body, errc::as_malformed);
    if (!body) return malformed(c, body.error().detail);
    return body;
}

// Ids go into paths: text or a number, and nothing that means another path.
std::optional<std::string> id_member(json::object const& o, std::string_view name) {
    auto id = string_member(o, name);
    if (!id) {
        auto const n = int_member(o, name);
        if (!n) return std::nullopt;
        id = std::to_string(*n);
    }
    if (id->empty() || id->size() > longest_id || *id == "." || *id == "..") return std::nullopt;
    return id;
}

std::optional<wall_time> time_member(json::object const& o, std::string_view name) {
    if (auto const text = string_member(o, name)) {
        if (auto const t = parse_rfc3339(*text)) return t;
    }
    if (auto const n = int_member(o, name); n && *n > 0 && *n < 100'000'000'000) return wall_time{seconds{*n}};
    return std::nullopt;
}

// RFC 6750 2.1 allows less; what would break out of a field value is refused.
bool fits_a_field(std::string_view token) noexcept {
    return !token.empty() && token.size() <= longest_token &&
           std::all_of(token.begin(), token.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

std::optional<jit::request_status> status_named(std::string_view text) noexcept {
    using enum jit::request_status;
    constexpr std::pair<std::string_view, jit::request_status> names[] = {
        {"pending", pending}, {"approved", approved}, {"denied", denied}, {"expired", expired}};
    for (auto const& [name, status] : names) {
        if (iequals(text, name)) return status;
    }
    return std::nullopt;
}

std::string reason_in(json::object const& o) {
    for (auto const* name : {"deny_reason", "review_notes", "reason", "message"}) {
        if (auto const text = string_member(o, name); text && !text->empty()) return one_line(*text, longest_text);
    }
    return {};
}

// A member of the pending list; nullopt where it says too little, or is decided already.
std::optional<jit::pending_request> pending_in(json::object const& o) {
    auto id = id_member(o, "request_id");
    auto task = id_member(o, "task_id");
    auto const* details = o.if_contains("authorization_details");
    if (details != nullptr && details->is_array() && details->get_array().size() == 1)
        details = &details->get_array().front();
    if (!id || !task || details == nullptr || !details->is_object()) return std::nullopt;
    auto const status = string_member(o, "status");
    if (status && status_named(*status) != jit::request_status::pending) return std::nullopt;
    jit::pending_request found{std::move(*task), canonical_json(*details), {}};
    found.state.request_id = std::move(*id);
    found.state.risk_level = one_line(string_member(o, "risk_level").value_or(""), 40);
    found.state.status_url = string_member(o, "status_url").value_or("");
    found.state.expires_at = time_member(o, "expires_at");
    return found;
}

// Why, of CAEP's latest event.
std::string last_event(json::object const& o) {
    auto const* events = o.if_contains("events");
    if (events == nullptr || !events->is_array() || events->get_array().empty()) return {};
    auto const* last = events->get_array().back().if_object();
    if (last == nullptr) return {};
    auto text = string_member(*last, "type").value_or("");
    if (auto const more = string_member(*last, "details"); more && !more->empty()) text += ": " + *more;
    return one_line(text, longest_text);
}

// A refusal may still be a decision: some answers carry it with a 4xx.
bool is_final(json::object const& o) {
    auto const status = status_named(string_member(o, "status").value_or(""));
    return id_member(o, "request_id") && status &&
           (*status == jit::request_status::denied || *status == jit::request_status::expired);
}

// What a decision by a person means where the answer does not repeat it.
std::optional<jit::request_status> implied_by(endpoint e) noexcept {
    if (e == endpoint::approve) return jit::request_status::approved;
    if (e == endpoint::deny) return jit::request_status::denied;
    return std::nullopt;
}

}  // namespace

result<jit::access_token> read_access_token(wire_answer& answer, answer_context const& context) {
    wiped_at_exit const guard{answer.body};
    if (!succeeded(answer)) return trouble_of(answer, context);
    auto body = body_of(answer, context);
    if (!body) return body.error();
    auto const found = body->find("access_token");
    auto* const text = found == body->end() ? nullptr : found->value().if_string();
    if (text == nullptr || !fits_a_field(*text)) return malformed(context, "no access_token");
    auto value = make_secret(std::string{*text});
    OPENSSL_cleanse(text->data(), text->size());
    // RFC 6749 7.1: a token of a type that is not understood must not be used.
    if (auto const type = string_member(*body, "token_type"); type && !iequals(*type, "bearer")) {
        return malformed(context, "token_type is not Bearer");
    }
    auto const life = int_member(*body, "expires_in").value_or(assumed_life);
    if (life <= 0) return malformed(context, "the token has expired already");
    return jit::access_token{std::move(value), seconds{std::min(life, longest_life)}};
}

result<jit::task> read_task(wire_answer& answer, answer_context const& context) {
    wiped_at_exit const guard{answer.body};
    if (!succeeded(answer)) return trouble_of(answer, context);
    auto const body = body_of(answer, context);
    if (!body) return body.error();
    auto id = id_member(*body, "task_id");
    if (!id) return malformed(context, "no task_id");
    return jit::task{std::move(*id), time_member(*body, "expires_at")};
}

result<jit::request_state> read_request_state(wire_answer& answer, answer_context const& context,
                                              jit::request_state known) {
    wiped_at_exit const guard{answer.body};
    auto const implied = implied_by(context.endpoint);
    auto body = body_of(answer, context);
    if (!succeeded(answer) && (!body || !is_final(*body))) return trouble_of(answer, context);
    if (!body) {
        if (!implied || !answer.body.empty()) return body.error();
        body = json::object{};  // 204, or 200 with nothing
    }
    auto state = std::move(known);
    auto const word = string_member(*body, "status").value_or("");
    auto const status = status_named(word);
    if (!status && says_inactive(to_lower(word + " " + string_member(*body, "action").value_or("")), true)) {
        return make_error(errc::as_inactive, "the authorization server says that the task is " + one_line(word, 40));
    }
    if (auto id = id_member(*body, "request_id")) state.request_id = std::move(*id);
    if (state.request_id.empty()) return malformed(context, "no request_id");
    if (!status && !implied) return malformed(context, word.empty() ? "no status" : "a status that is not known");
    state.status = status ? *status : *implied;

    if (auto level = string_member(*body, "risk_level")) state.risk_level = one_line(*level, 40);
    if (auto url = string_member(*body, "status_url"); url && !url->empty()) state.status_url = std::move(*url);
    if (auto url = string_member(*body, "token_url"); url && !url->empty()) state.token_url = std::move(*url);
    if (auto text = reason_in(*body); !text.empty()) state.reason = std::move(text);
    if (auto const t = time_member(*body, "expires_at")) state.expires_at = t;
    state.retry_after = wait_wanted(answer, context.now);
    return state;
}

result<jit::completion> read_completion(wire_answer& answer, answer_context const& context) {
    wiped_at_exit const guard{answer.body};
    if (succeeded(answer)) return jit::completion::completed;
    auto const s = answer.status;
    auto const from_the_api = answer.body.empty() || parse_json_object(answer.body, errc::as_malformed).has_value();
    if (s == 404 || s == 409 || s == 410) {
        if (from_the_api) return jit::completion::already_complete;
        // A page of some gateway on the way: it knows nothing about tasks, and the task may well be open.
        return make_error(errc::as_unclear, "something other than the authorization server's API answered " +
                                                std::to_string(s) + " to " + std::string{name_of(context.endpoint)});
    }
    auto trouble = trouble_of(answer, context);
    if (trouble.code == errc::as_inactive) return jit::completion::already_complete;
    if (s == 400 || s == 422) {
        auto const text = to_lower(message_of(answer, context));
        for (auto const* word : {"already", "completed", "closed", "expired", "not found", "unknown"}) {
            if (text.find(word) != std::string::npos) return jit::completion::already_complete;
        }
    }
    return trouble;
}

result<std::vector<jit::pending_request>> read_pending(wire_answer& answer, answer_context const& context) {
    wiped_at_exit const guard{answer.body};
    if (!succeeded(answer)) return trouble_of(answer, context);
    auto const body = parse_json(answer.body, errc::as_malformed);
    if (!body) return malformed(context, body.error().detail);
    auto const* list = body->if_array();
    for (auto const* name : {"pending_requests", "requests"})
        if (list == nullptr && body->is_object())
            if (auto const* member = body->get_object().if_contains(name)) list = member->if_array();
    if (list == nullptr) return malformed(context, "no list of requests");
    std::vector<jit::pending_request> found;
    for (auto const& each : *list)
        if (auto const* o = each.if_object())
            if (auto request = pending_in(*o)) found.push_back(std::move(*request));
    return found;
}

result<jit::evaluation> read_evaluation(wire_answer& answer, answer_context const& context) {
    wiped_at_exit const guard{answer.body};
    if (!succeeded(answer)) return trouble_of(answer, context);
    auto const body = body_of(answer, context);
    if (!body) return body.error();
    auto const action = string_member(*body, "action").value_or("");
    auto const* const active = body->if_contains("active");
    jit::evaluation out;
    out.active = !says_inactive(to_lower(action), true) && (active == nullptr || *active != json::value(false));
    if (out.active) return out;
    out.reason = "the authorization server's evaluation of the task: " +
                 (action.empty() || action == "none" ? std::string{"not active"} : one_line(action, 40));
    if (auto const why = last_event(*body); !why.empty()) out.reason += " (" + why + ")";
    return out;
}

result<void> read_revocation(wire_answer& answer, answer_context const& context) {
    wiped_at_exit const guard{answer.body};
    if (!succeeded(answer)) return trouble_of(answer, context);
    return {};
}

}  // namespace jitproxy::lumoauth
