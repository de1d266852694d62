// One client's connection: reads request heads, decides where each goes, and hands it to an exchange or a tunnel.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "jitproxy/http/framing.hpp"
#include "jitproxy/http/head.hpp"
#include "jitproxy/http/target.hpp"
#include "jitproxy/net/deadline.hpp"
#include "jitproxy/net/endpoint.hpp"
#include "jitproxy/net/outbox.hpp"
#include "jitproxy/net/task.hpp"
#include "jitproxy/net/waker.hpp"
#include "jitproxy/policy/rules.hpp"
#include "jitproxy/proxy/admission.hpp"
#include "jitproxy/proxy/request_record.hpp"

namespace jitproxy::proxy {

class worker;
struct exchange_request;

// An upstream connection whose origin may know the client by the connection itself (NTLM, Negotiate): for that client
// connection's further requests alone, and never in the pool.
struct own_upstream {
    net::endpoint_ptr stream;  // null: there is none
    std::string purpose;       // session, origin and API that it may be used for
};

// What an exchange or a tunnel needs of the connection it serves.
struct client_side {
    proxy::worker& worker;
    net::waker& waker;
    net::deadline& limit;
    net::endpoint& stream;
    bool const& cut;           // everything is to end at once
    std::string_view& served;  // the session of what is under way, for who closes it; empty: none
    own_upstream& own;
    request_record& record;
};

class client_connection {
  public:
    // Without a place it is answered with the error, whatever it asks for, and closed.
    client_connection(proxy::worker& w, int socket, result<admission::place> place);
    ~client_connection();
    client_connection(client_connection const&) = delete;
    client_connection& operator=(client_connection const&) = delete;

    void start();
    void wake() { waker_.wake(); }
    void cut();
    // A request or a tunnel of that session is under way here.
    [[nodiscard]] bool serves(std::string_view session_id) const noexcept { return served_ == session_id; }
    [[nodiscard]] bool admitted() const noexcept { return place_.has_value(); }

  private:
    enum class after : std::uint8_t { next_request, close };
    enum class head_state : std::uint8_t { ready, ended, failed };

    // Set once CONNECT to a protected API was answered with 200: the same loop goes on inside.
    struct inside_tunnel {
        http::authority authority;
        http::scheme scheme = http::scheme::http;
        std::string session_id;      // of the CONNECT's credentials; empty: none
        bool name_mismatch = false;  // SNI named another host
    };

    net::task<> run();
    net::task<> serve();
    net::task<> refuse();
    void end_request();  // counts it, once
    net::task<head_state> read_head();
    net::task<after> handle_request();
    net::task<after> handle_connect(http::request_target target);
    net::task<after> tunnel(http::request_target target);
    net::task<after> intercept(http::authority authority, std::string session_id);
    net::task<bool> accept_tls(http::authority const& authority, net::ssl_ctx_ptr context);
    net::task<bool> send_all(std::string text);
    net::task<after> reject(error e);
    net::task<after> answer_as_last();
    net::task<bool> discard_body();
    net::task<> linger();

    [[nodiscard]] net::task<result<std::string>> identify();
    [[nodiscard]] result<void> resolve_inside(http::request_target& target) const;
    [[nodiscard]] result<exchange_request> plan(http::request_target const& target, std::string session_id);
    // Whose request it is, for what is counted and logged.
    void belongs_to(policy::api_ptr const& api);

    proxy::worker& worker_;
    net::waker waker_;
    net::deadline limit_;
    net::endpoint stream_;
    result<admission::place> place_;
    bool cut_ = false;
    std::string head_bytes_;
    http::request_head head_;
    http::body_framing framing_;
    bool body_pending_ = false;  // the current request's body was not read
    bool keep_alive_ = false;    // the client wants the connection kept
    std::optional<inside_tunnel> inside_;
    std::string_view served_;  // the session of what is under way; empty: none
    own_upstream own_;
    request_record record_;        // of the current request
    policy::api_ptr counted_api_;  // of the last one, and its row: looked up once as long as it stays the same
    api_traffic* counted_in_ = nullptr;
    net::task<> root_;
};

}  // namespace jitproxy::proxy
