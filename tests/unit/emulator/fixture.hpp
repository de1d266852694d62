// A world with a clock of its own, and requests as a client would send them.
#pragma once
#include <string>
#include <utility>

#include "jitproxy/base/encoding.hpp"
#include "jitproxy/emulator/handlers.hpp"
#include "jitproxy/emulator/world.hpp"

namespace jitproxy::emulator {

inline wall_time test_start() {
    return wall_time{seconds{1'700'000'000}};
}

struct fixture {
    explicit fixture(options o = {}) : w(std::move(o), [] { return test_start(); }) {}

    static request make(std::string method, std::string target, std::string bearer = {}, std::string body = {},
                        std::string type = "application/json") {
        request r;
        r.method = std::move(method);
        r.target = std::move(target);
        split_target(r);
        r.fields.push_back({"Host", "api.acme-corp.test"});
        if (!bearer.empty()) r.fields.push_back({"Authorization", "Bearer " + bearer});
        if (!body.empty()) r.fields.push_back({"Content-Type", std::move(type)});
        r.body_bytes = body.size();
        r.body_sha256 = hex(sha256(body));
        r.body = std::move(body);
        r.has_body = r.body_bytes > 0;
        return r;
    }

    reply as(request const& r) { return handle_as(w, r, route_as(r, w.opts)); }
    reply form(std::string const& path, std::string body) {
        return as(make("POST", base + path, {}, std::move(body), "application/x-www-form-urlencoded"));
    }
    reply jit(std::string method, std::string const& path, json::value const& body = nullptr) {
        return as(make(std::move(method), base + path, agent, body.is_null() ? "" : json::serialize(body)));
    }
    reply jit_as(std::string const& bearer, std::string const& path, json::value const& body = nullptr) {
        return as(make("POST", base + path, bearer, body.is_null() ? "" : json::serialize(body)));
    }
    reply api(std::string method, std::string target, std::string bearer = {}, std::string body = {}) {
        return handle_api(w, make(std::move(method), std::move(target), std::move(bearer), std::move(body)));
    }
    reply admin(std::string method, std::string const& path, json::value const& body = nullptr) {
        return as(make(std::move(method), "/emulator/" + path, {}, body.is_null() ? "" : json::serialize(body)));
    }

    static json::object body_of(reply const& r) { return json::parse(r.body).as_object(); }
    static std::string text(json::object const& o, std::string_view name) {
        return string_member(o, name).value_or("(absent)");
    }
    static std::string header(reply const& r, std::string_view name) {
        for (auto const& f : r.fields)
            if (iequals(f.name, name)) return f.value;
        return "(absent)";
    }

    // An agent's token, kept for the calls that follow.
    std::string log_in() {
        auto const r =
            form("/oauth/token", "grant_type=client_credentials&client_id=agt_demo&client_secret=demo-secret");
        agent = text(body_of(r), "access_token");
        return agent;
    }
    std::string open_task(json::object body = {}) { return text(body_of(jit("POST", "/jit/task", body)), "task_id"); }
    reply ask(std::string const& task, json::object details) {
        return jit("POST", "/jit/request",
                   json::object{{"task_id", task},
                                {"authorization_details", std::move(details)},
                                {"justification", "a test"},
                                {"requested_ttl", 300}});
    }
    reply exchange(std::string const& request_id) { return jit("POST", "/jit/request/" + request_id + "/token"); }
    // A grant's token for those details, approved by the rules or by a human.
    std::string granted(std::string const& task, json::object details) {
        auto const id = text(body_of(ask(task, std::move(details))), "request_id");
        (void)w.tasks.approve(id, "test", std::nullopt, "");
        return text(body_of(exchange(id)), "access_token");
    }
    void advance(long n) {
        w.ahead += seconds{n};
        w.tasks.settle();
    }

    world w;
    std::string base = "/t/acme-corp/api/v1";
    std::string agent;
};

inline json::object details_of(std::string_view type, std::string_view action) {
    return {{"type", type}, {"actions", json::array{action}}};
}

}  // namespace jitproxy::emulator
