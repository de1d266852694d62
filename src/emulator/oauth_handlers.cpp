// /oauth/token, /oauth/revoke, /oauth/introspect.
#include <array>

#include "jitproxy/base/encoding.hpp"
#include "jitproxy/base/secret.hpp"
#include "jitproxy/emulator/handlers.hpp"

namespace jitproxy::emulator {

namespace {

constexpr std::string_view exchange_grant = "urn:ietf:params:oauth:grant-type:token-exchange";
constexpr std::string_view access_token_type = "urn:ietf:params:oauth:token-type:access_token";

reply no_store(reply r) {  // RFC 6749 5.1
    r.fields.push_back({"Cache-Control", "no-store"});
    r.fields.push_back({"Pragma", "no-cache"});
    return r;
}

reply invalid_client(bool basic) {  // RFC 6749 5.2
    auto r = oauth_error(401, "invalid_client", "Client authentication failed");
    if (basic) r.fields.push_back({"WWW-Authenticate", "Basic realm=\"emulator\""});
    return r;
}

struct credentials {
    std::string id;
    std::string client_secret;
};

// RFC 6749 2.3.1: id and secret are form-encoded before they are joined.
std::optional<credentials> basic_credentials(std::string_view value) {
    constexpr std::string_view scheme = "basic ";
    if (value.size() < scheme.size() || !iequals(value.substr(0, scheme.size()), scheme)) return std::nullopt;
    auto const text = decode_base64(value.substr(scheme.size()));
    if (!text) return std::nullopt;
    auto const colon = text->find(':');
    if (colon == std::string::npos) return std::nullopt;
    auto id = percent_decode(text->substr(0, colon));
    auto client_secret = percent_decode(text->substr(colon + 1));
    if (!id || !client_secret) return std::nullopt;
    return credentials{std::move(*id), std::move(*client_secret)};
}

// The authenticated client's id, or why it is none.
struct client_check {
    std::string id;
    std::optional<reply> refused;
};

client_check authenticate(world& w, request const& r, pairs const& form) {
    std::optional<credentials> given;
    bool const basic = r.header_count("Authorization") > 0;
    auto const* id = find(form, "client_id");
    auto const* client_secret = find(form, "client_secret");
    if (basic) {
        if (client_secret) return {{}, oauth_error(400, "invalid_request", "Credentials both in header and form")};
        given = basic_credentials(*r.header("Authorization"));
    } else if (id && client_secret) {
        given = credentials{*id, *client_secret};
    }
    if (!given) return {{}, invalid_client(basic)};
    for (auto const& a : w.opts.agents)
        if (a.id == given->id && constant_time_equal(a.client_secret, given->client_secret))
            return {a.id, std::nullopt};
    return {{}, invalid_client(basic)};
}

reply issue_agent_token(world& w, std::string const& client, pairs const& form) {
    token t;
    t.kind = token_kind::agent;
    t.agent = client;
    auto const* scope = find(form, "scope");
    t.scope = scope ? *scope : "agent";
    auto const& made = w.tokens.issue(std::move(t), w.opts.token_ttl);
    return no_store(json_reply(200, json::object{{"access_token", made.value},
                                                 {"token_type", "Bearer"},
                                                 {"expires_in", w.opts.token_ttl.count()},
                                                 {"scope", made.scope}}));
}

reply exchange_token(world& w, pairs const& form) {  // RFC 8693 2.1
    for (auto const* name : {"subject_token", "subject_token_type", "actor_token", "actor_token_type"})
        if (!find(form, name)) return oauth_error(400, "invalid_request", std::string{name} + " is missing");
    for (auto const* name : {"subject_token_type", "actor_token_type"})
        if (*find(form, name) != access_token_type)
            return oauth_error(400, "invalid_request", std::string{name} + " must be an access token's");
    auto const* user = w.tokens.find_live(*find(form, "subject_token"));
    if (!user || user->kind != token_kind::user)
        return oauth_error(400, "invalid_grant", "subject_token is no live user's token");
    auto const* agent = w.tokens.find_live(*find(form, "actor_token"));
    if (!agent || agent->kind != token_kind::agent)
        return oauth_error(400, "invalid_grant", "actor_token is no live agent's token");
    token t;
    t.kind = token_kind::delegated;
    t.agent = agent->agent;
    t.user = user->user;
    t.scope = agent->scope;
    auto const& made = w.tokens.issue(std::move(t), w.opts.token_ttl);
    return no_store(json_reply(200, json::object{{"access_token", made.value},
                                                 {"issued_token_type", access_token_type},
                                                 {"token_type", "Bearer"},
                                                 {"expires_in", w.opts.token_ttl.count()},
                                                 {"scope", made.scope}}));
}

reply handle_token(world& w, request const& r, pairs const& form) {
    auto const* grant = find(form, "grant_type");
    if (!grant) return oauth_error(400, "invalid_request", "grant_type is missing");
    bool const exchange = *grant == exchange_grant;
    if (!exchange && *grant != "client_credentials")
        return oauth_error(400, "unsupported_grant_type", "Only client_credentials and token-exchange");
    // The exchange is authenticated by the actor token; credentials may come along and must then be good.
    bool const given = find(form, "client_id") || r.header_count("Authorization") > 0;
    if (exchange && !given) return exchange_token(w, form);
    auto const client = authenticate(w, r, form);
    if (client.refused) return *client.refused;
    return exchange ? exchange_token(w, form) : issue_agent_token(w, client.id, form);
}

reply handle_revoke(world& w, std::string const& client, pairs const& form) {  // RFC 7009 2.1, 2.2
    auto const* value = find(form, "token");
    if (!value) return oauth_error(400, "invalid_request", "token is missing");
    auto const* t = w.tokens.find(*value);
    if (t && t->kind != token_kind::user && t->agent == client) w.tokens.revoke(*value);
    reply r;
    r.status = 200;
    return r;
}

reply handle_introspect(world& w, std::string const& client, pairs const& form) {  // RFC 7662 2.2
    auto const* value = find(form, "token");
    if (!value) return oauth_error(400, "invalid_request", "token is missing");
    auto const* t = w.tokens.find_live(*value);
    if (!t || t->kind == token_kind::user || t->agent != client)
        return no_store(json_reply(200, json::object{{"active", false}}));
    auto const epoch = [](wall_time at) { return std::chrono::duration_cast<seconds>(at.time_since_epoch()).count(); };
    json::object o{{"active", true},
                   {"client_id", t->agent},
                   {"token_type", "Bearer"},
                   {"iat", epoch(t->issued_at)},
                   {"exp", epoch(t->expires_at)},
                   {"sub", t->kind == token_kind::delegated ? t->user : t->agent}};
    if (!t->scope.empty()) o["scope"] = t->scope;
    if (t->kind == token_kind::delegated) o["act"] = json::object{{"sub", t->agent}};
    if (t->kind == token_kind::jit) {
        o["authorization_details"] = json::array{t->details};
        o["task_id"] = t->task;
        o["jit_request_id"] = t->request;
    }
    return no_store(json_reply(200, o));
}

}  // namespace

reply handle_oauth(world& w, request const& r, as_route const& to) {
    if (r.media_type() != "application/x-www-form-urlencoded") {
        w.record.violation(r, "not a form");
        return oauth_error(400, "invalid_request", "Content-Type must be application/x-www-form-urlencoded");
    }
    if (!r.query.empty()) {
        w.record.violation(r, "parameters in the query");
        return oauth_error(400, "invalid_request", "Parameters belong into the body");
    }
    auto const form = parse_form(r.body);
    if (!form) {
        w.record.violation(r, "malformed form");
        return oauth_error(400, "invalid_request", "The form is malformed, or a parameter comes twice");
    }
    if (to.to == endpoint::token) return handle_token(w, r, *form);
    auto const client = authenticate(w, r, *form);
    if (client.refused) return *client.refused;
    return to.to == endpoint::revoke ? handle_revoke(w, client.id, *form) : handle_introspect(w, client.id, *form);
}

}  // namespace jitproxy::emulator
