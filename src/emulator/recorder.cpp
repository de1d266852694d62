#include "jitproxy/emulator/recorder.hpp"

#include "jitproxy/base/encoding.hpp"

namespace jitproxy::emulator {

namespace {

constexpr std::size_t kept_calls = 200;

void keep(json::array& list, json::object entry) {
    if (list.size() >= kept_calls) list.erase(list.begin());
    list.push_back(std::move(entry));
}

std::string method_and_path(request const& r) {
    return as_utf8(r.method + " " + r.path);
}

}  // namespace

std::string authorization_kind(request const& r, token_store const& tokens) {
    if (r.header_count("Authorization") == 0) return "none";
    auto const bearer = bearer_of(r);
    auto const* t = bearer ? tokens.find(*bearer) : nullptr;
    return t ? std::string{name_of(t->kind)} : "unknown";
}

void recorder::api_call(request const& r, token_store const& tokens, unsigned status) {
    count("api");
    auto const bearer = bearer_of(r);
    auto const* t = bearer ? tokens.find(*bearer) : nullptr;
    json::array headers;
    for (auto const& f : r.fields)
        if (!iequals(f.name, "Authorization")) headers.push_back(json::array{as_utf8(f.name), as_utf8(f.value)});
    json::object entry{{"method", as_utf8(r.method)},
                       {"path", as_utf8(r.path)},
                       {"target", as_utf8(r.target)},
                       {"scheme", r.scheme},
                       {"status", status},
                       {"authorization", authorization_kind(r, tokens)},
                       {"token_live", t && tokens.is_live(*t)},
                       {"task_id", nullptr},
                       {"request_id", nullptr},
                       {"headers", std::move(headers)},
                       {"body_sha256", r.body_sha256},
                       {"body_bytes", r.body_bytes},
                       {"connection", r.connection},
                       {"sni", as_utf8(r.sni)},
                       {"tls_resumed", r.tls_resumed}};
    if (t && t->kind == token_kind::jit) {
        entry["task_id"] = t->task;
        entry["request_id"] = t->request;
    }
    keep(api_calls_, std::move(entry));
}

void recorder::as_call(request const& r, token_store const& tokens, std::string_view endpoint, unsigned status) {
    keep(as_calls_, json::object{{"method", as_utf8(r.method)},
                                 {"path", as_utf8(r.path)},
                                 {"endpoint", endpoint},
                                 {"status", status},
                                 {"authorization", authorization_kind(r, tokens)},
                                 {"connection", r.connection}});
}

void recorder::violation(request const& r, std::string_view what) {
    keep(violations_, json::object{{"call", method_and_path(r)}, {"what", what}});
}

json::object recorder::counts() const {
    // Always there, so that a test may ask without looking first.
    json::object o;
    for (auto const* name : {"token", "revoke", "introspect", "task", "request", "status", "jit_token", "complete",
                             "evaluate", "pending", "approve", "deny", "api"})
        o.emplace(name, 0);
    for (auto const& [name, n] : counts_) o[name] = n;
    return o;
}

void recorder::clear() {
    counts_.clear();
    api_calls_.clear();
    as_calls_.clear();
    violations_.clear();
}

}  // namespace jitproxy::emulator
