// One worker: a thread with its own io_context, listener, pool, sessions and connections. Workers share nothing on the
// hot path.
#pragma once
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <ctime>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "jitproxy/net/buffer.hpp"
#include "jitproxy/net/deadline.hpp"
#include "jitproxy/net/upstreams.hpp"
#include "jitproxy/proxy/admission.hpp"
#include "jitproxy/proxy/control_link.hpp"
#include "jitproxy/proxy/leaf_contexts.hpp"
#include "jitproxy/proxy/replay.hpp"
#include "jitproxy/proxy/request_record.hpp"
#include "jitproxy/proxy/server.hpp"
#include "jitproxy/proxy/sessions.hpp"

namespace jitproxy::proxy {

class client_connection;

// What is read from the configuration and replaced as a whole.
struct routing {
    policy::rules_ptr rules;
    std::shared_ptr<net::upstream_tls const> tls;
    std::shared_ptr<leaf_contexts> leaves;
};

class worker {
  public:
    using acceptor = boost::asio::basic_socket_acceptor<boost::asio::ip::tcp, boost::asio::io_context::executor_type>;

    worker(server_options const& options, std::string via, control_link& control, proxy::admission& admission);
    ~worker();
    worker(worker const&) = delete;
    worker& operator=(worker const&) = delete;

    // Before run(), or on the worker's thread.
    void set_routing(routing r);
    void set_limits(proxy::limits const& l);
    void listen(acceptor socket);
    void stop_accepting();
    // Idle connections end now, busy ones after their request.
    void drain();
    // Everything ends now.
    void cut();
    // Everything that serves the session ends now.
    void cut_session(std::string_view session_id);
    // Called back on this thread once no connection serves a request or a tunnel of the session.
    void when_unused(std::string session_id, std::function<void()> callback);
    void check_unused();  // a request or tunnel is over
    // Called back on this thread once no connection is left.
    void when_empty(std::function<void()> callback);
    void run();  // until stopped; the thread's function

    void remove(client_connection* connection);    // deferred: never from within the connection's own coroutine
    void note_use(std::string const& session_id);  // tells the task manager, at most once a second a session
    [[nodiscard]] steady_time now() const { return options.clock ? options.clock() : std::chrono::steady_clock::now(); }
    [[nodiscard]] std::chrono::microseconds since(steady_time then) const {
        return std::chrono::duration_cast<std::chrono::microseconds>(now() - then);
    }
    void over(request_record const& r);  // the request was served, one way or another: counts it, writes its line
    [[nodiscard]] std::string const& date() const noexcept { return date_; }  // for Date fields; to the second

    // What connections work with.
    boost::asio::io_context io{1};
    server_options const& options;
    std::string const via;
    control_link& control;
    proxy::admission& admission;
    net::buffer_pool buffers;
    net::deadlines deadlines;
    net::upstreams upstreams;
    session_table sessions;
    routing route;
    std::vector<char> scratch;  // body bytes on their way; used between two suspensions only
    proxy::limits limits;       // those that hold now; the options have those of the start
    replay_limits replay;
    bool draining = false;
    request_log logged = request_log::all;  // which requests get a line

    traffic counts;

  private:
    void accept_on(std::size_t index);
    [[nodiscard]] bool accept_some(acceptor& from);
    void take(int socket);  // connected; owned from now on
    [[nodiscard]] result<admission::place> admit(int socket);
    [[nodiscard]] std::optional<error> judge_user(int socket);
    void tell_denied(error const& why);
    void tell_connections();  // to origins, as `upstreams` counts them
    void arm_tick();
    void tick();
    void check_empty();

    std::vector<acceptor> acceptors_;
    log::line line_;  // of the request that is over
    std::string date_;
    std::time_t dated_ = 0;    // the second that date_ says
    std::size_t refused_ = 0;  // connections without a place, which are being told why
    std::uint64_t denied_untold_ = 0;
    steady_time denied_told_;
    std::vector<std::size_t> accept_again_;  // acceptors whose last accept failed
    boost::asio::basic_waitable_timer<std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>,
                                      boost::asio::io_context::executor_type>
        ticker_;
    std::unordered_map<client_connection*, std::unique_ptr<client_connection>> connections_;
    std::unordered_map<std::string, steady_time> last_use_;
    std::function<void()> on_empty_;
    struct ending_session {
        std::string id;
        std::function<void()> unused;
    };
    std::vector<ending_session> endings_;
};

}  // namespace jitproxy::proxy
