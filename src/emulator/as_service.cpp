// Which endpoint a request is for, and what happens around every one of them.
#include <array>

#include "jitproxy/base/encoding.hpp"
#include "jitproxy/emulator/handlers.hpp"
#include "jitproxy/http/forward.hpp"

namespace jitproxy::emulator {

namespace {

struct endpoint_name {
    endpoint e;
    std::string_view name;
};
constexpr std::array endpoint_names{
    endpoint_name{endpoint::token, "token"},           endpoint_name{endpoint::revoke, "revoke"},
    endpoint_name{endpoint::introspect, "introspect"}, endpoint_name{endpoint::task, "task"},
    endpoint_name{endpoint::request, "request"},       endpoint_name{endpoint::status, "status"},
    endpoint_name{endpoint::jit_token, "jit_token"},   endpoint_name{endpoint::complete, "complete"},
    endpoint_name{endpoint::evaluate, "evaluate"},     endpoint_name{endpoint::pending, "pending"},
    endpoint_name{endpoint::approve, "approve"},       endpoint_name{endpoint::deny, "deny"},
    endpoint_name{endpoint::admin, "admin"},           endpoint_name{endpoint::unknown, "unknown"},
};

// One row an endpoint; "{}" is the path's parameter.
struct route {
    std::string_view method;
    std::string_view pattern;
    endpoint to;
};
constexpr std::array routes{
    route{"POST", "/oauth/token", endpoint::token},
    route{"POST", "/oauth/revoke", endpoint::revoke},
    route{"POST", "/oauth/introspect", endpoint::introspect},
    route{"POST", "/jit/task", endpoint::task},
    route{"POST", "/jit/request", endpoint::request},
    route{"GET", "/jit/request/{}/status", endpoint::status},
    route{"POST", "/jit/request/{}/token", endpoint::jit_token},
    route{"POST", "/jit/task/{}/complete", endpoint::complete},
    route{"POST", "/jit/task/{}/evaluate", endpoint::evaluate},
    route{"GET", "/jit/pending", endpoint::pending},
    route{"POST", "/jit/approve/{}", endpoint::approve},
    route{"POST", "/jit/deny/{}", endpoint::deny},
};

// The parameter (empty where the pattern has none), or nullopt where the path does not match.
std::optional<std::string> match(std::string_view pattern, std::string_view path) {
    auto const hole = pattern.find("{}");
    if (hole == std::string_view::npos)
        return pattern == path ? std::optional<std::string>{std::string{}} : std::nullopt;
    auto const before = pattern.substr(0, hole);
    auto const after = pattern.substr(hole + 2);
    if (path.size() <= before.size() + after.size() || !path.starts_with(before) || !path.ends_with(after))
        return std::nullopt;
    auto const segment = path.substr(before.size(), path.size() - before.size() - after.size());
    if (segment.find('/') != std::string_view::npos) return std::nullopt;
    return percent_decode(segment);
}

// Cuts "/KIND/NAME" off where the decoded name is ours.
bool cut_base(std::string_view& path, std::string_view kind, std::string_view name, std::string& base) {
    if (!path.starts_with(kind)) return false;
    auto const end = path.find('/', kind.size());
    if (end == std::string_view::npos) return false;
    auto const decoded = percent_decode(path.substr(kind.size(), end - kind.size()));
    if (!decoded || *decoded != name) return false;
    constexpr std::string_view api = "/api/v1";
    if (!path.substr(end).starts_with(api)) return false;
    base = std::string{path.substr(0, end + api.size())};
    path.remove_prefix(end + api.size());
    return true;
}

bool is_jit(endpoint e) {
    return e >= endpoint::task && e <= endpoint::deny;
}

// Recorded rather than refused: nothing that a server would have to notice, but no proxy of ours may do it.
void note_violations(world& w, request const& r) {
    for (auto const* name : {"Proxy-Authorization", "Proxy-Connection", "JIT-Justification"})
        if (r.header(name)) w.record.violation(r, std::string{name} + " sent to the authorization server");
    if (r.header_count("Authorization") > 1) w.record.violation(r, "more than one Authorization");
    if (!r.query_value("access_token").empty()) w.record.violation(r, "a token in the query");
    if (!r.target.starts_with('/')) w.record.violation(r, "target not in origin form");
}

void finish(world& w, request const& r, as_route const& to, reply& answer) {
    if (answer.status >= 400 && to.to != endpoint::unknown) {
        if (w.forms.is("error_body", "oauth")) {
            auto const parsed = parse_json_object(answer.body, errc::internal);
            if (parsed && parsed->contains("code")) {
                auto const fields = std::move(answer.fields);
                answer = oauth_error(answer.status, string_member(*parsed, "code").value_or("error"),
                                     string_member(*parsed, "message").value_or(""));
                for (auto const& f : fields)
                    if (!iequals(f.name, "Content-Type")) answer.fields.push_back(f);
            }
        } else if (w.forms.is("error_body", "html")) {
            std::erase_if(answer.fields, [](field const& f) { return iequals(f.name, "Content-Type"); });
            answer.fields.push_back({"Content-Type", "text/html"});
            answer.body = "<h1>" + std::to_string(answer.status) + "</h1>";
        } else if (w.forms.is("error_body", "empty")) {
            std::erase_if(answer.fields, [](field const& f) { return iequals(f.name, "Content-Type"); });
            answer.body.clear();
        }
    } else {
        for (auto& f : answer.fields)
            if (iequals(f.name, "Content-Type")) f.value = w.forms.get("content_type");
    }
    answer.fields.push_back({"Date", http::http_date(w.now())});  // RFC 9110 6.6.1; of the clock that `advance` moves
    w.record.as_call(r, w.tokens, name_of(to.to), answer.status);
}

reply limited(rate_limit const& limit, wall_time now) {
    auto r = api_error(429, "rate_limited", "Too many requests");
    r.fields.push_back({"Retry-After", std::to_string(limit.retry_after(now))});
    return r;
}

}  // namespace

std::string_view name_of(endpoint e) noexcept {
    for (auto const& row : endpoint_names)
        if (row.e == e) return row.name;
    return "unknown";
}

as_route route_as(request const& r, options const& o) {
    as_route out;
    out.origin = r.origin();
    std::string_view path = r.path;
    if (path.starts_with("/emulator/")) {
        out.to = endpoint::admin;
        return out;
    }
    if (!cut_base(path, "/t/", o.tenant, out.base) && !cut_base(path, "/orgs/", o.org_id, out.base)) return out;
    for (auto const& row : routes) {
        auto id = match(row.pattern, path);
        if (!id) continue;
        out.to = row.to;
        out.id = std::move(*id);
        out.method_allowed = r.method == row.method;
        break;
    }
    return out;
}

reply handle_as(world& w, request const& r, as_route const& to) {
    w.tasks.settle();
    if (to.to == endpoint::admin) return handle_admin(w, r);
    note_violations(w, r);
    w.record.count(name_of(to.to));
    reply answer;
    if (to.to == endpoint::unknown) {
        answer = api_error(404, "not_found", "No such endpoint, tenant or organisation");
        w.record.violation(r, "no such endpoint");
    } else if (!to.method_allowed) {
        answer = api_error(405, "method_not_allowed", "Not with this method");
        w.record.violation(r, "wrong method");
    } else if (to.to == endpoint::token) {
        bool const admitted = w.token_rate.admit(w.now());
        answer = admitted ? handle_oauth(w, r, to) : limited(w.token_rate, w.now());
        w.token_rate.announce(answer, w.now());
    } else if (is_jit(to.to)) {
        bool const admitted = w.jit_rate.admit(w.now());
        answer = admitted ? handle_jit(w, r, to) : limited(w.jit_rate, w.now());
        w.jit_rate.announce(answer, w.now());
    } else {
        answer = handle_oauth(w, r, to);
    }
    finish(w, r, to, answer);
    return answer;
}

std::optional<fault> as_service::take_fault(request const& r) {
    auto const to = route_as(r, world_.opts);
    if (to.to == endpoint::admin) return std::nullopt;
    auto f = world_.faults.take(name_of(to.to));
    if (f && f->kind == fault_kind::expired_token) {
        if (auto const bearer = bearer_of(r)) world_.tokens.revoke(*bearer);
    }
    return f;
}

reply as_service::handle(request const& r) {
    return handle_as(world_, r, route_as(r, world_.opts));
}

void as_service::not_handled(request const& r, unsigned status) {
    auto const to = route_as(r, world_.opts);
    world_.record.count(name_of(to.to));
    world_.record.as_call(r, world_.tokens, name_of(to.to), status);
}

}  // namespace jitproxy::emulator
