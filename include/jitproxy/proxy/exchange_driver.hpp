// The driver of one exchange: does what jit::exchange says and tells it what happened. Decisions are the machine's;
// this moves bytes (exchange_driver.cpp: the loop, permission and local answers; exchange_send.cpp: one attempt;
// exchange_answer.cpp: the answer's head; exchange_relay.cpp: the answer on its way to the client).
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "jitproxy/http/forward.hpp"
#include "jitproxy/http/signal.hpp"
#include "jitproxy/jit/exchange.hpp"
#include "jitproxy/net/outbox.hpp"
#include "jitproxy/net/upstreams.hpp"
#include "jitproxy/proxy/client_connection.hpp"
#include "jitproxy/proxy/request_body.hpp"

namespace jitproxy::proxy {

struct exchange_request {
    http::request_head const* head = nullptr;
    http::body_framing framing;
    net::destination to;
    std::string path;        // origin form, exactly as received
    std::string host;        // value of Host
    std::string session_id;  // of the credentials; empty: the automatic session
    bool keep_authorization = false;
    bool upgrade = false;  // the client asks for another protocol
};

class exchange_driver {
  public:
    exchange_driver(client_side client, exchange_request request);
    ~exchange_driver();
    exchange_driver(exchange_driver const&) = delete;
    exchange_driver& operator=(exchange_driver const&) = delete;

    // True: the connection is good for the client's next request.
    [[nodiscard]] net::task<bool> run();

  private:
    using event = jit::exchange_event;
    [[nodiscard]] net::task<result<jit::request_ready>> prepare();
    [[nodiscard]] net::task<event> send(jit::send_request order);
    [[nodiscard]] net::task<event> ask(jit::ask_permission order);
    [[nodiscard]] net::task<event> refresh(jit::refresh_bearer order);
    [[nodiscard]] net::task<event> relay(jit::relay_response order);
    // `sought`: what came of the permission that the request was held for; the client is told that too. May be null.
    [[nodiscard]] net::task<event> answer(error what, jit::permission_outcome const* sought = nullptr);

    // exchange_send.cpp
    enum class moved : std::uint8_t { yes, no, failed };
    [[nodiscard]] net::task<result<void>> open_upstream(bool fresh);
    [[nodiscard]] net::endpoint_ptr take_own() const;  // the client's own connection for this very purpose, if any
    [[nodiscard]] std::string purpose() const;
    [[nodiscard]] moved pump_up();  // request head and body; arms what it waits for
    [[nodiscard]] net::task<result<void>> await_response();
    [[nodiscard]] bool client_has_left();
    [[nodiscard]] milliseconds patience() const;  // how long the next step may take
    [[nodiscard]] jit::upstream_failed failed_with(error what) const;
    // exchange_answer.cpp
    // One head from upstream: 1xx are passed on, the final one is left in response_. no: more bytes are needed.
    [[nodiscard]] result<moved> take_response_head();
    void pass_interim_on();
    void invite_body();  // 100 (Continue) of our own
    void send_interim(std::string_view text);
    [[nodiscard]] net::task<> hold_body();
    [[nodiscard]] net::task<jit::response_started> judge_response();
    // exchange_relay.cpp
    [[nodiscard]] http::body_framing framing_to_client() const;
    [[nodiscard]] bool passes_trailers() const;
    // JIT-Request-Id and JIT-Request-Status, as views of `why`; how many there are.
    static std::size_t put_outcome(jit::permission_outcome const& why, std::span<http::extra_field> into);
    void write_head_to_client(jit::relay_response const& order, http::body_framing framing);
    [[nodiscard]] moved pump_down();  // response head and body; arms what it waits for
    moved lose_client();
    void release_upstream();
    void count_bytes();  // of the attempt so far
    void note(event const& e);
    void end_asking(escalation how, steady_time since);

    client_side client_;
    worker& worker_;
    exchange_request request_;
    request_body body_;
    jit::snapshot_ptr session_;
    bool repeatable_ = false;  // idempotent and without a body: the machine sends it again where a connection was stale

    // this attempt
    net::endpoint_ptr upstream_;
    bool reused_ = false;
    bool own_ = false;          // the origin may take the connection for the client: no other's from now on
    bool upload_over_ = false;  // all was sent, or upstream takes no more of it (its answer may come all the same)
    std::string head_out_;      // to be sent; empty once it is
    net::outbox up_;
    body_writer up_framing_;
    std::optional<error> client_failure_;  // the client's body is malformed, was cut, or stopped coming

    // its answer
    http::head_search head_search_;
    std::string response_bytes_;
    http::response_head response_;
    http::body_framing response_framing_;
    body_reader response_body_;
    unsigned interim_ = 0;  // 1xx heads seen
    // The client sends its body only when it is told to (Expect: 100-continue), and has not been told yet.
    bool body_withheld_ = false;
    bool body_invited_ = false;  // it has been told
    bool anything_received_ = false;
    std::string held_;  // the beginning of the answer's body, kept while permission is sought
    http::permission_signal signal_;

    // to the client
    net::outbox down_;
    body_writer down_framing_;
    std::string head_to_client_;
    bool answer_ended_ = false;                      // all of it is in down_ or sent
    bool answer_begun_ = false;                      // some of it is, be it the origin's or ours
    errc answer_failure_ = errc::connection_closed;  // how its body was broken
    bool keep_alive_ = true;
    bool client_lost_ = false;
    bool granted_ = false;      // a permission was, in this exchange
    bool half_closed_ = false;  // the client has ended its side while the origin was silent
};

}  // namespace jitproxy::proxy
