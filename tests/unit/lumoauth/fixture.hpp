// A client of a scripted server, and calls that run until they are answered.
#pragma once
#include <optional>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "jitproxy/lumoauth/client.hpp"
#include "server.hpp"

namespace jitproxy::test {

// Starts a call and runs the context until it is called back. The call's own deadline bounds it.
template <class T, class Start>
result<T> outcome(boost::asio::io_context& io, Start&& start) {
    std::optional<result<T>> got;
    start(jit::callback<T>{[&](result<T> r) {
        CHECK_FALSE(got.has_value());  // once
        got.emplace(std::move(r));
    }});
    CHECK_FALSE(got.has_value());  // never from within
    io.restart();
    while (!got && io.run_one() > 0) {
    }
    REQUIRE(got.has_value());
    return std::move(*got);
}

struct fixture {
    boost::asio::io_context io;
    std::unique_ptr<server> as;
    std::unique_ptr<jit::authorization_server> client;
    secret_ptr bearer = make_secret("bearer-123");
    unsigned attempts = 1;  // of the next connect(), like the next
    unsigned circuit_failures = 0;
    std::shared_ptr<std::vector<lumoauth::credentials>> credentials =
        std::make_shared<std::vector<lumoauth::credentials>>(std::vector<lumoauth::credentials>{
            {"agt_1", make_secret("client-secret-1"), {}}, {"agt_2", make_secret("client-secret-2"), "read"}});
    std::vector<std::pair<bool, std::string>> changes;  // of the circuit

    fixture() : as(std::make_unique<server>(io)) { connect(as->url()); }
    explicit fixture(boost::asio::ssl::context& tls) : as(std::make_unique<server>(io, &tls)) {}

    void connect(std::string url, milliseconds timeout = seconds{10}, std::string ca_file = {},
                 std::size_t connections = 8) {
        lumoauth::client_options o;
        o.url = std::move(url);
        o.tenant = "acme";
        o.agents = credentials;
        o.timeout = timeout;
        o.ca_file = std::move(ca_file);
        o.connections = connections;
        o.attempts = attempts;
        o.retry_pause = milliseconds{2};
        o.circuit.failures = circuit_failures;
        o.circuit.first_pause = seconds{30};
        o.on_change = [this](bool down, std::string const& why) { changes.emplace_back(down, why); };
        client = lumoauth::create_client(io, std::move(o));
    }
    void answers(step s) { as->script.push_back(std::move(s)); }
    void answers(int status, std::string_view body = {}, std::string_view fields = {}) {
        as->script.push_back({reply(status, body, fields)});
    }

    result<jit::access_token> fetch() {
        return outcome<jit::access_token>(io, [&](auto done) { client->fetch_agent_token(0, std::move(done)); });
    }
    std::string token() {
        auto const t = fetch();
        INFO((t ? "" : t.error().detail));
        REQUIRE(t.has_value());
        return std::string{t->value->reveal()};
    }
    result<jit::task> create_task() {
        return outcome<jit::task>(io, [&](auto done) { client->create_task(bearer, {}, std::move(done)); });
    }
    result<jit::completion> complete(std::string id = "tsk_1") {
        return outcome<jit::completion>(io, [&](auto done) { client->complete_task(bearer, id, std::move(done)); });
    }
    result<jit::request_state> ask() {
        return outcome<jit::request_state>(io, [&](auto done) {
            client->request_permission(bearer, {"tsk_1", {{"type", "x"}}}, std::move(done));
        });
    }
    result<jit::request_state> poll(jit::request_state known) {
        return outcome<jit::request_state>(io,
                                           [&](auto done) { client->poll_permission(bearer, known, std::move(done)); });
    }
    result<jit::access_token> exchange(jit::request_state known) {
        return outcome<jit::access_token>(
            io, [&](auto done) { client->exchange_permission(bearer, known, std::move(done)); });
    }
};

inline std::string const token_body = R"({"access_token": "tok-1", "token_type": "Bearer", "expires_in": 300})";

}  // namespace jitproxy::test
