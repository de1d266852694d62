#include "jitproxy/lumoauth/requests.hpp"

#include <algorithm>

#include "jitproxy/base/encoding.hpp"

namespace jitproxy::lumoauth {
namespace {

constexpr std::string_view form_type = "application/x-www-form-urlencoded";
constexpr std::string_view json_type = "application/json";
constexpr std::string_view access_token_type = "urn:ietf:params:oauth:token-type:access_token";
constexpr seconds longest_ttl{900};  // protocol.md section 2

// A form whose buffer is large enough from the start: a growing string would leave copies of its secrets behind.
class form {
  public:
    form() { text_.reserve(16 * 1024); }
    void add(std::string_view name, std::string_view value) {
        if (!text_.empty()) text_ += '&';
        text_ += name;
        text_ += '=';
        text_ += percent_encode(value);
    }
    void add(std::string_view name, secret_ptr const& value) {
        auto encoded = percent_encode(value ? value->reveal() : std::string_view{});
        if (text_.size() + name.size() + encoded.size() + 2 > text_.capacity()) grow(encoded.size() + name.size() + 2);
        if (!text_.empty()) text_ += '&';
        text_ += name;
        text_ += '=';
        text_ += encoded;
        wipe(encoded);
    }
    std::string take() { return std::move(text_); }

  private:
    void grow(std::size_t more) {
        std::string larger;
        larger.reserve(2 * text_.capacity() + more);
        larger += text_;
        wipe(text_);
        text_ = std::move(larger);
    }
    std::string text_;
};

wire_request post(endpoint e, std::string target, secret_ptr bearer = nullptr) {
    wire_request r;
    r.endpoint = e;
    r.target = std::move(target);
    r.bearer = std::move(bearer);
    return r;
}

void set_json(wire_request& r, json::object const& body) {
    r.media_type = json_type;
    r.body = json::serialize(body);
}

void add_nonempty(json::object& o, std::string_view name, std::string_view value) {
    if (!value.empty()) o[name] = value;
}

std::string request_path(location const& at, std::string_view request_id, std::string_view last) {
    return at.api_path + "/jit/request/" + percent_encode(request_id) + std::string{last};
}

}  // namespace

std::string_view name_of(endpoint e) noexcept {
    switch (e) {
        case endpoint::token:
            return "oauth/token";
        case endpoint::revoke:
            return "oauth/revoke";
        case endpoint::create_task:
            return "jit/task";
        case endpoint::request:
            return "jit/request";
        case endpoint::status:
            return "jit/request/status";
        case endpoint::exchange:
            return "jit/request/token";
        case endpoint::complete:
            return "jit/task/complete";
        case endpoint::approve:
            return "jit/approve";
        case endpoint::deny:
            return "jit/deny";
        case endpoint::pending:
            return "jit/pending";
        case endpoint::evaluate:
            return "jit/task/evaluate";
    }
    return "?";
}

wire_request token_request(location const& at, credentials const& who) {
    auto r = post(endpoint::token, at.api_path + "/oauth/token");
    form f;
    f.add("grant_type", "client_credentials");
    f.add("client_id", who.client_id);
    f.add("client_secret", who.client_secret);
    if (!who.scope.empty()) f.add("scope", who.scope);
    r.media_type = form_type;
    r.body = f.take();
    r.held = {who.client_secret};
    r.repeatable = true;
    return r;
}

wire_request delegation_request(location const& at, credentials const& who, secret_ptr user_token,
                                secret_ptr agent_token) {
    auto r = post(endpoint::token, at.api_path + "/oauth/token");
    form f;
    f.add("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange");
    f.add("subject_token", user_token);
    f.add("subject_token_type", access_token_type);
    f.add("actor_token", agent_token);
    f.add("actor_token_type", access_token_type);
    // RFC 8693 2.1 leaves client authentication to the server; a confidential client has to (RFC 6749 2.3).
    f.add("client_id", who.client_id);
    f.add("client_secret", who.client_secret);
    r.media_type = form_type;
    r.body = f.take();
    r.held = {std::move(user_token), std::move(agent_token), who.client_secret};
    r.repeatable = true;
    return r;
}

wire_request revoke_request(location const& at, credentials const& who, secret_ptr token) {
    auto r = post(endpoint::revoke, at.api_path + "/oauth/revoke");
    form f;
    f.add("token", token);
    f.add("token_type_hint", "access_token");
    f.add("client_id", who.client_id);
    f.add("client_secret", who.client_secret);
    r.media_type = form_type;
    r.body = f.take();
    r.held = {std::move(token), who.client_secret};
    r.repeatable = true;
    return r;
}

wire_request create_task_request(location const& at, secret_ptr bearer, jit::task_order const& order) {
    auto r = post(endpoint::create_task, at.api_path + "/jit/task", std::move(bearer));
    json::object body;
    add_nonempty(body, "name", order.name);
    add_nonempty(body, "type", order.type);
    add_nonempty(body, "parent_task_id", order.parent_task_id);
    add_nonempty(body, "on_behalf_of", order.on_behalf_of);
    set_json(r, body);
    return r;
}

wire_request permission_request(location const& at, secret_ptr bearer, jit::request_order const& order) {
    auto r = post(endpoint::request, at.api_path + "/jit/request", std::move(bearer));
    json::object body;
    body["task_id"] = order.task_id;
    body["authorization_details"] = order.authorization_details;
    add_nonempty(body, "justification", order.justification);
    // Always sent: the server's default differs between its documents.
    body["requested_ttl"] = std::clamp(order.requested_ttl, seconds{1}, longest_ttl).count();
    add_nonempty(body, "callback_url", order.callback_url);
    set_json(r, body);
    return r;
}

result<wire_request> status_request(location const& at, secret_ptr bearer, jit::request_state const& known) {
    result<std::string> target = known.status_url.empty() ? request_path(at, known.request_id, "/status")
                                                          : resolve_reference(at, known.status_url);
    if (!target) return target.error();
    auto r = post(endpoint::status, std::move(*target), std::move(bearer));
    r.method = "GET";
    r.repeatable = true;
    return r;
}

result<wire_request> exchange_request(location const& at, secret_ptr bearer, jit::request_state const& known) {
    result<std::string> target =
        known.token_url.empty() ? request_path(at, known.request_id, "/token") : resolve_reference(at, known.token_url);
    if (!target) return target.error();
    // Not repeatable: what the server makes of one approval exchanged twice is said nowhere.
    return post(endpoint::exchange, std::move(*target), std::move(bearer));
}

wire_request complete_request(location const& at, secret_ptr bearer, std::string_view task_id) {
    auto r =
        post(endpoint::complete, at.api_path + "/jit/task/" + percent_encode(task_id) + "/complete", std::move(bearer));
    r.repeatable = true;
    return r;
}

wire_request pending_request(location const& at, secret_ptr bearer) {
    auto r = post(endpoint::pending, at.api_path + "/jit/pending", std::move(bearer));
    r.method = "GET";
    r.repeatable = true;
    return r;
}

wire_request evaluate_request(location const& at, secret_ptr bearer, std::string_view task_id) {
    // Without a body: with one it would close the task.
    auto r =
        post(endpoint::evaluate, at.api_path + "/jit/task/" + percent_encode(task_id) + "/evaluate", std::move(bearer));
    r.repeatable = true;
    return r;
}

wire_request approve_request(location const& at, secret_ptr bearer, std::string_view request_id,
                             std::string_view notes) {
    auto r = post(endpoint::approve, at.api_path + "/jit/approve/" + percent_encode(request_id), std::move(bearer));
    json::object body;
    add_nonempty(body, "notes", notes);
    set_json(r, body);
    return r;
}

wire_request deny_request(location const& at, secret_ptr bearer, std::string_view request_id, std::string_view reason) {
    auto r = post(endpoint::deny, at.api_path + "/jit/deny/" + percent_encode(request_id), std::move(bearer));
    json::object body;
    add_nonempty(body, "reason", reason);
    set_json(r, body);
    return r;
}

}  // namespace jitproxy::lumoauth
