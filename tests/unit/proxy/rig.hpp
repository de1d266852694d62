// The data path between two ends that the test holds in its hands: a client's socket and an origin's, byte by byte. In
// between the real server with its worker threads and the real task manager; only the authorization server is played.
#pragma once
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <cstdint>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "directory.hpp"
#include "jitproxy/ca/authority.hpp"
#include "jitproxy/net/scheduler.hpp"
#include "jitproxy/proxy/server.hpp"

namespace jitproxy::proxy::test {

// One end of a connection; blocking, and never for long: what does not come within seconds is a failure.
class peer {
  public:
    explicit peer(int fd);
    peer(peer&& other) noexcept;
    ~peer();
    void send(std::string_view bytes);
    // Head with its empty line.
    std::string read_head();
    std::string read(std::size_t bytes);
    std::string read_to_end();                    // until the other side ends; throws where it resets
    bool ended();                                 // nothing more comes, but the end
    bool silent(int milliseconds = 50);           // nothing came meanwhile
    bool reset_by_peer();                         // reads until a reset
    bool gone();                                  // ended or reset, whatever comes before that
    std::size_t fill_up(std::string_view block);  // sends until the other side has taken nothing for a while
    void end();                                   // half-close
    void close();
    void reset();

  private:
    int fd_;
    std::string ahead_;
    bool fill();
};

class origin {
  public:
    origin();
    ~origin();
    peer accept();
    bool visited(int milliseconds = 50);  // somebody connects
    void refuse();                        // connections, until listen_again()
    void listen_again();
    [[nodiscard]] std::uint16_t port() const { return port_; }
    [[nodiscard]] std::string at() const { return "localhost:" + std::to_string(port_); }

  private:
    int fd_ = -1;
    std::uint16_t port_ = 0;
};

// Grants everything at once, or what `decide` says; counts.
class played_as final : public jit::authorization_server {
  public:
    explicit played_as(boost::asio::io_context& io) : io_(io) {}
    std::atomic<int> tokens{0}, tasks{0}, asked{0}, exchanged{0}, completed{0};
    std::atomic<jit::request_status> decision{jit::request_status::approved};
    std::atomic<bool> down{false};

    void fetch_agent_token(jit::agent_index, jit::callback<jit::access_token> done) override;
    void exchange_for_user(jit::agent_index, secret_ptr, secret_ptr, jit::callback<jit::access_token> done) override;
    void create_task(secret_ptr, jit::task_order, jit::callback<jit::task> done) override;
    void request_permission(secret_ptr, jit::request_order, jit::callback<jit::request_state> done) override;
    void poll_permission(secret_ptr, jit::request_state, jit::callback<jit::request_state> done) override;
    void exchange_permission(secret_ptr, jit::request_state, jit::callback<jit::access_token> done) override;
    void complete_task(secret_ptr, std::string, jit::callback<jit::completion> done) override;
    void revoke(jit::agent_index, secret_ptr, jit::callback<void> done) override;
    void list_pending(secret_ptr, jit::callback<std::vector<jit::pending_request>> done) override;
    void evaluate_task(secret_ptr, std::string, jit::callback<jit::evaluation> done) override;
    void approve(secret_ptr, std::string, std::string, jit::callback<jit::request_state> done) override;
    void deny(secret_ptr, std::string, std::string, jit::callback<jit::request_state> done) override;

  private:
    template <class T>
    void answer(jit::callback<T> done, result<T> r) {
        if (down) r = make_error(errc::as_unreachable, "played dead");
        boost::asio::post(io_, [done = std::move(done), r = std::move(r)] { done(r); });
    }
    boost::asio::io_context& io_;
};

class forgetful_journal final : public jit::journal {
  public:
    explicit forgetful_journal(boost::asio::io_context& io) : io_(io) {}
    void write(jit::journal_record, jit::callback<void> done) override {
        boost::asio::post(io_, [done = std::move(done)] { done({}); });
    }
    result<std::vector<jit::open_task>> left_open() const override { return std::vector<jit::open_task>(); }

  private:
    boost::asio::io_context& io_;
};

struct rig_options {
    bool protect = false;    // localhost is a protected API, over plain HTTP
    bool plain_http = true;  // that may be so
    bool intercept = false;  // there is a local CA, for localhost
    bool session_required = false;
    bool deny_by_default = false;
    proxy::limits limits;
    proxy::timeouts timeouts;
    request_log logged = request_log::none;
    unsigned workers = 1;
};

class rig {
  public:
    explicit rig(rig_options options = {});
    ~rig();

    origin site;
    peer client();  // connected to the proxy
    // A session opened by hand: "Proxy-Authorization: Basic …\r\n".
    std::string open_session();
    void close_sessions();
    std::vector<std::future<void>> begin_to_close_sessions();
    std::future<void> begin_to_drain();  // of the whole proxy; ready when no connection is left
    [[nodiscard]] proxy::counters counters() const { return server_->counters(); }
    std::string url(std::string_view path) const { return "http://" + site.at() + std::string(path); }
    // "GET http://site/path HTTP/1.1", a Host that is to be ignored, the fields in `more`, the empty line.
    std::string get(std::string_view path, std::string_view more = {}) const;
    // Deadlines see this much more time gone, from now on: returns after the worker's next tick, where no request is
    // under way that looks at the clock for itself.
    void advance(milliseconds span);
    // Waits until that many connections of clients are left.
    bool open_connections_become(std::uint64_t wanted) const;
    // Runs on the control thread and waits for it.
    void on_control(std::function<void()> f);
    std::size_t events_of(std::string_view type);  // so far

  private:
    struct counting_sink final : jit::event_sink {  // on the control thread
        std::map<std::string, std::size_t, std::less<>> seen;
        void on_event(jit::event const& e) override { ++seen[e.type]; }
    };
    boost::asio::io_context control_;
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{control_.get_executor()};
    net::asio_scheduler clock_{control_};
    forgetful_journal journal_{control_};
    jitproxy::test::directory ca_directory_;
    std::shared_ptr<ca::authority const> authority_;  // null: there is no CA
    counting_sink events_;

  public:
    played_as as{control_};

  private:
    std::atomic<std::int64_t> ahead_ms_{0};
    std::atomic<unsigned> looks_at_clock_{0};
    std::unique_ptr<server> server_;
    std::unique_ptr<jit::task_manager> manager_;
    std::thread thread_;
    std::vector<std::string> sessions_;
};

// What the API answers when it wants more: {"type":"document","identifier":ID}.
std::string wants(std::string_view identifier, std::string_view body = "no");
std::string bearer_of(std::string_view head);  // of its Authorization field; empty where there is none

}  // namespace jitproxy::proxy::test
