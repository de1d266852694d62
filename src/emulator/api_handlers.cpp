// The protected API: who may do what, and what it answers then.
#include <algorithm>
#include <array>
#include <optional>

#include "jitproxy/base/encoding.hpp"
#include "jitproxy/emulator/details.hpp"
#include "jitproxy/emulator/handlers.hpp"
#include "jitproxy/emulator/signal_writer.hpp"

namespace jitproxy::emulator {

namespace {

constexpr std::string_view documents = "/v1/documents/";
constexpr std::string_view reports = "/v1/reports/";
constexpr std::string_view summary = "/summary";

json::object need(request const& r, std::string_view type, std::string_view action, std::string_view identifier = {}) {
    json::object o{{"type", type}, {"actions", json::array{action}}};
    if (!identifier.empty()) o["identifier"] = identifier;
    o["locations"] = json::array{as_utf8(r.origin())};
    // Bytes that give '+' and '/' in base64, at each of the three alignments.
    if (r.query_value("dialect") == "base64url") o["note"] = ">>>>>>??????";
    return o;
}

// Decoded, and one segment only.
std::optional<std::string> id_between(std::string_view path, std::string_view before, std::string_view after) {
    if (!path.starts_with(before) || !path.ends_with(after) || path.size() <= before.size() + after.size())
        return std::nullopt;
    auto const segment = path.substr(before.size(), path.size() - before.size() - after.size());
    if (segment.find('/') != std::string_view::npos) return std::nullopt;
    auto id = percent_decode(segment);
    return id && is_printable(*id) ? id : std::nullopt;
}

bool is_read(request const& r) {
    return r.method == "GET" || r.method == "HEAD";
}

// The first of three that the bearer's task holds no live grant for.
std::optional<json::object> next_of_multi(world const& w, request const& r, token const& bearer) {
    for (auto const* type : {"multi_first", "multi_second", "multi_third"}) {
        auto wanted = need(r, type, "read");
        auto const held =
            bearer.kind == token_kind::jit ? w.tokens.live_of_task(bearer.task) : std::vector<token const*>{};
        bool const have =
            std::any_of(held.begin(), held.end(), [&](token const* t) { return covers(t->details, wanted); });
        if (!have) return wanted;
    }
    return std::nullopt;
}

// What the token must carry for this request; nullopt where a live token is enough.
std::optional<json::object> need_of(world& w, request const& r, token const& bearer) {
    if (auto const id = id_between(r.path, documents, "")) {
        if (r.method == "DELETE") return need(r, "document", "delete", *id);
        return need(r, "document", is_read(r) ? "read" : "write", *id);
    }
    if (auto const id = id_between(r.path, reports, summary)) return need(r, "financial_report", "read", *id);
    if (r.path == "/v1/uploads") return need(r, "upload", "write");
    if (r.path == "/v1/stream") return need(r, "stream", "read");
    if (r.path == "/v1/payments") return need(r, "payment_initiation", "execute");
    if (r.path == "/v1/multi") return next_of_multi(w, r, bearer);
    if (r.path == "/v1/insatiable") return need(r, "insatiable", "read", "step_" + std::to_string(++w.insatiable));
    return std::nullopt;
}

std::optional<reply> refuse(world& w, request const& r) {
    auto const bearer = bearer_of(r);
    auto const* t = bearer ? w.tokens.find_live(*bearer) : nullptr;
    if (!t || t->kind == token_kind::user) {
        if (r.header_count("Authorization") > 0) return refuse_dead_token(r);
        auto missing = api_error(401, "unauthorized", "A bearer token is needed");
        missing.fields.push_back({"WWW-Authenticate", "Bearer"});  // RFC 6750 3.1: no error code without a token
        return missing;
    }
    auto const wanted = need_of(w, r, *t);
    if (!wanted) return std::nullopt;
    bool const enough = r.path == "/v1/multi" ? false : t->kind == token_kind::jit && covers(t->details, *wanted);
    if (enough) return std::nullopt;
    auto const form = dialect_named(r.query_value("dialect"));
    return write_signal(*wanted, form ? *form : *dialect_named(w.forms.get("dialect")));
}

void note_api_violations(world& w, request const& r) {
    for (auto const* name : {"Proxy-Authorization", "Proxy-Connection", "JIT-Justification"})
        if (r.header(name)) w.record.violation(r, std::string{name} + " reached the API");
    if (r.header_count("Authorization") > 1) w.record.violation(r, "more than one Authorization");
    if (r.header_count("Host") != 1) w.record.violation(r, "not exactly one Host");
    if (r.header("Transfer-Encoding") && r.header("Content-Length"))
        w.record.violation(r, "Transfer-Encoding and Content-Length");
    if (!r.target.starts_with('/') && r.target != "*") w.record.violation(r, "target not in origin form");
    auto const bearer = bearer_of(r);
    auto const* t = bearer ? w.tokens.find(*bearer) : nullptr;
    if (!t || t->kind != token_kind::jit) return;
    auto const* where = t->details.if_contains("locations");
    if (!where || !where->is_array()) return;
    auto const& list = where->get_array();
    if (std::find(list.begin(), list.end(), json::value(as_utf8(r.origin()))) == list.end())
        w.record.violation(r, "a JIT token at another origin than it was granted for");
}

bool is_text(std::string_view bytes) {
    return bytes.size() <= 64UL * 1024 && std::all_of(bytes.begin(), bytes.end(), [](char c) {
               return (c >= ' ' && c <= '~') || c == '\n' || c == '\r' || c == '\t';
           });
}

json::object body_summary(request const& r) {
    return {{"sha256", r.body_sha256}, {"bytes", r.body_bytes}};
}

reply document(world& w, request const& r, std::string const& id) {
    auto const at = w.documents.find(id);
    if (!is_read(r) && r.method != "DELETE") {
        bool const created = at == w.documents.end();
        w.documents.insert_or_assign(id, r.body);
        auto o = body_summary(r);
        o["id"] = id;
        return json_reply(created ? 201 : 200, o);
    }
    if (at == w.documents.end()) return api_error(404, "document_not_found", "No such document");
    if (r.method == "DELETE") {
        w.documents.erase(at);
        return json_reply(200, json::object{{"id", id}, {"deleted", true}});
    }
    if (r.query_value("raw") == "1") {
        reply raw;
        raw.fields.push_back({"Content-Type", "application/octet-stream"});
        raw.body = at->second;
        return raw;
    }
    json::object o{{"id", id}, {"sha256", hex(sha256(at->second))}, {"bytes", at->second.size()}};
    if (is_text(at->second)) o["text"] = at->second;
    return json_reply(200, o);
}

reply report(std::string const& id) {
    if (id != "FY2024-Q4" && id != "FY2024-Q3") return api_error(404, "report_not_found", "No such report");
    bool const q4 = id == "FY2024-Q4";
    return json_reply(200,
                      json::object{{"id", id},
                                   {"summary", q4 ? "Revenue up 12 percent, costs flat." : "Revenue up 9 percent."},
                                   {"revenue_million", q4 ? 48 : 43}});
}

reply bytes(request const& r) {
    constexpr std::uint64_t most = 256UL * 1024 * 1024;
    reply out;
    out.fields.push_back({"Content-Type", "application/octet-stream"});
    out.body.resize(std::min(most, r.query_number("n", 1024)));
    for (std::size_t i = 0; i < out.body.size(); ++i) out.body[i] = static_cast<char>('a' + i % 26);
    if (r.query_value("chunked") == "1") out.how = delivery::chunked;
    if (auto const cut = r.query_value("cut"); !cut.empty()) {
        out.how = delivery::truncated;
        out.cut_at = std::min<std::size_t>(r.query_number("cut", 0), out.body.size());
    }
    return out;
}

reply echo(world const& w, request const& r) {
    json::array headers;
    for (auto const& f : r.fields) {
        bool const hidden = iequals(f.name, "Authorization");
        headers.push_back(json::array{as_utf8(f.name), hidden ? authorization_kind(r, w.tokens) : as_utf8(f.value)});
    }
    auto o = body_summary(r);
    o["method"] = as_utf8(r.method);
    o["target"] = as_utf8(r.target);
    o["scheme"] = r.scheme;
    o["headers"] = std::move(headers);
    return json_reply(200, o);
}

reply serve(world& w, request const& r) {
    if (auto const id = id_between(r.path, documents, "")) return document(w, r, *id);
    if (auto const id = id_between(r.path, reports, summary)) return report(*id);
    if (r.path == "/v1/uploads") return json_reply(201, body_summary(r));
    if (r.path == "/v1/payments") return json_reply(201, json::object{{"payment", "made"}});
    if (r.path == "/v1/public" || r.path == "/v1/multi") return json_reply(200, json::object{{"ok", true}});
    if (r.path == "/v1/echo") return echo(w, r);
    if (r.path == "/v1/bytes") return bytes(r);
    if (r.path == "/v1/forbidden")
        return api_error(403, "forbidden", "Nobody may do this, with no permission whatever");
    if (r.path == "/v1/redirect") {
        auto const to = r.query_value("to");
        bool const usable = !to.empty() && is_printable(to);
        if (!usable) return api_error(400, "malformed", "?to= is missing");
        auto out = json_reply(302, json::object{{"location", to}});
        out.fields.push_back({"Location", to});
        return out;
    }
    if (r.path == "/v1/stream") {
        reply out;
        out.fields.push_back({"Content-Type", "text/event-stream"});
        out.fields.push_back({"Cache-Control", "no-store"});
        out.events = event_stream{std::min<std::uint64_t>(r.query_number("n", 5), 100'000),
                                  std::min<std::uint64_t>(r.query_number("interval_ms", 200), 60'000)};
        return out;
    }
    return api_error(404, "not_found", "No such route");
}

// Empty where any method will do.
std::string_view allowed_methods(std::string_view path) {
    if (id_between(path, documents, "")) return "GET, HEAD, PUT, POST, DELETE";
    if (path == "/v1/uploads" || path == "/v1/payments") return "POST, PUT";
    if (path == "/v1/stream" || id_between(path, reports, summary)) return "GET, HEAD";
    return {};
}

}  // namespace

reply refuse_dead_token(request const&) {
    auto r = api_error(401, "invalid_token", "The token is dead or unknown");
    r.fields.push_back({"WWW-Authenticate", "Bearer error=\"invalid_token\""});
    return r;
}

reply handle_api(world& w, request const& r) {
    w.tasks.settle();
    note_api_violations(w, r);
    reply answer;
    auto const allowed = allowed_methods(r.path);
    if (!allowed.empty() && allowed.find(r.method) == std::string_view::npos) {
        answer = api_error(405, "method_not_allowed", "Not with this method");
        answer.fields.push_back({"Allow", std::string{allowed}});
    } else if (auto no = refuse(w, r)) {
        answer = std::move(*no);
    } else {
        answer = serve(w, r);
    }
    w.record.api_call(r, w.tokens, answer.status);
    return answer;
}

std::optional<reply> api_service::before_body(request const& r) {
    bool const asked = r.expects_continue || (r.has_body && r.query_value("early") == "1");
    if (!asked) return std::nullopt;
    world_.tasks.settle();
    auto no = refuse(world_, r);
    if (!no) return std::nullopt;
    note_api_violations(world_, r);
    world_.record.api_call(r, world_.tokens, no->status);
    no->close = true;  // the body may or may not follow: nothing can be read behind it
    return no;
}

std::optional<fault> api_service::take_fault(request const& r) {
    auto f = world_.faults.take("api");
    if (f && f->kind == fault_kind::expired_token) {
        if (auto const bearer = bearer_of(r)) world_.tokens.revoke(*bearer);
    }
    return f;
}

reply api_service::handle(request const& r) {
    return handle_api(world_, r);
}

void api_service::not_handled(request const& r, unsigned status) {
    world_.record.api_call(r, world_.tokens, status);
}

}  // namespace jitproxy::emulator
