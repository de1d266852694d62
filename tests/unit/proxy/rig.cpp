#include "rig.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>
#include <stdexcept>

#include "jitproxy/base/encoding.hpp"

namespace jitproxy::proxy::test {

namespace {

constexpr int patience_ms = 10'000;

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    a.sin_port = htons(port);
    return a;
}

bool readable(int fd, int milliseconds) {
    pollfd p{fd, POLLIN, 0};
    return ::poll(&p, 1, milliseconds) > 0;
}

}  // namespace

peer::peer(int fd) : fd_(fd) {
    int const on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}
peer::peer(peer&& other) noexcept : fd_(std::exchange(other.fd_, -1)), ahead_(std::move(other.ahead_)) {}
peer::~peer() {
    close();
}

void peer::send(std::string_view bytes) {
    while (!bytes.empty()) {
        auto const n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (n <= 0) throw std::runtime_error("cannot send");
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
}

bool peer::fill() {
    if (!readable(fd_, patience_ms)) throw std::runtime_error("nothing came; got: " + ahead_);
    char buffer[65536];
    auto const n = ::recv(fd_, buffer, sizeof(buffer), 0);
    if (n < 0) throw std::runtime_error("reset");
    ahead_.append(buffer, static_cast<std::size_t>(n));
    return n > 0;
}

std::string peer::read_head() {
    for (;;) {
        auto const end = ahead_.find("\r\n\r\n");
        if (end != std::string::npos) {
            auto head = ahead_.substr(0, end + 4);
            ahead_.erase(0, end + 4);
            return head;
        }
        if (!fill()) throw std::runtime_error("ended within a head: " + ahead_);
    }
}

std::string peer::read(std::size_t bytes) {
    while (ahead_.size() < bytes)
        if (!fill()) throw std::runtime_error("ended early: " + ahead_);
    auto text = ahead_.substr(0, bytes);
    ahead_.erase(0, bytes);
    return text;
}

std::string peer::read_to_end() {
    while (fill()) {
    }
    return std::exchange(ahead_, {});
}

bool peer::ended() {
    return ahead_.empty() && !fill();
}
bool peer::silent(int milliseconds) {
    return ahead_.empty() && !readable(fd_, milliseconds);
}
bool peer::reset_by_peer() {
    try {
        (void)read_to_end();
        return false;
    } catch (std::runtime_error const& e) {
        return std::string_view(e.what()) == "reset";
    }
}
bool peer::gone() {
    try {
        (void)read_to_end();
    } catch (std::runtime_error const& e) {
        return std::string_view(e.what()) == "reset";
    }
    return true;
}
std::size_t peer::fill_up(std::string_view block) {
    constexpr int quiet_ms = 300;
    std::size_t sent = 0;
    for (;;) {
        pollfd p{fd_, POLLOUT, 0};
        if (::poll(&p, 1, quiet_ms) <= 0 || (p.revents & POLLOUT) == 0) return sent;
        auto const n = ::send(fd_, block.data(), block.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0) return sent;
        sent += static_cast<std::size_t>(n);
    }
}
void peer::end() {
    ::shutdown(fd_, SHUT_WR);
}
void peer::close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
}
void peer::reset() {
    linger const now{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close();
}

origin::origin() {
    listen_again();
}
void origin::listen_again() {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int const on = 1;  // what was accepted before may still be dying
    ::setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    auto where = loopback(port_);
    socklen_t size = sizeof(where);
    if (::bind(fd_, reinterpret_cast<sockaddr*>(&where), size) != 0 || ::listen(fd_, 16) != 0)
        throw std::runtime_error("no origin");
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&where), &size);
    port_ = ntohs(where.sin_port);
}
origin::~origin() {
    refuse();
}
void origin::refuse() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
}
peer origin::accept() {
    if (!readable(fd_, patience_ms)) throw std::runtime_error("nobody connected");
    return peer(::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC));
}
bool origin::visited(int milliseconds) {
    return readable(fd_, milliseconds);
}

rig::rig(rig_options o) {
    policy::api api;
    api.name = "site";
    api.hosts = {*policy::host_pattern::parse("localhost")};
    api.ports = {site.port()};
    api.allow_plain_http = o.plain_http;
    std::vector<policy::api> apis;
    if (o.protect) apis.push_back(api);
    policy::egress egress;
    egress.any_connect_port = true;
    egress.deny_by_default = o.deny_by_default;
    auto rules =
        std::make_shared<policy::rules const>(std::move(apis), egress, *policy::address_guard::create({"127.0.0.0/8"}));

    server_options options;
    options.listen = {{boost::asio::ip::make_address("127.0.0.1"), 0}};
    options.workers = o.workers;
    options.limits = o.limits;
    options.timeouts = o.timeouts;
    options.logged = o.logged;
    options.session_required = o.session_required;
    options.clock = [this] {
        ++looks_at_clock_;
        looks_at_clock_.notify_all();
        return std::chrono::steady_clock::now() + milliseconds(ahead_ms_.load());
    };
    if (o.intercept) {
        ca::authority_options of_ca;
        of_ca.directory = ca_directory_.path();
        of_ca.permitted_names = {"localhost"};
        authority_ = std::make_shared<ca::authority const>(
            *ca::authority::load_or_create(of_ca, std::chrono::system_clock::now()));
    }
    server_ = std::make_unique<server>(control_, options, rules, authority_);
    manager_ = std::make_unique<jit::task_manager>(jit::manager_ports{as, journal_, clock_, *server_, events_},
                                                   jit::task_manager_options{});
    server_->attach(*manager_);
    if (auto const started = server_->start(); !started) throw failure(started.error());
    thread_ = std::thread([this] { control_.run(); });
}

rig::~rig() {
    on_control([this] { manager_.reset(); });
    work_.reset();
    control_.stop();
    thread_.join();
    server_.reset();
}

void rig::on_control(std::function<void()> f) {
    std::promise<void> ran;
    boost::asio::post(control_, [&] {
        f();
        ran.set_value();
    });
    ran.get_future().wait();
}

void rig::advance(milliseconds span) {
    ahead_ms_ += span.count();
    // The second look is begun when the tick that the first one belongs to is over.
    for (int looks = 0; looks != 2; ++looks) looks_at_clock_.wait(looks_at_clock_.load());
}

std::size_t rig::events_of(std::string_view type) {
    on_control([] {});  // what was posted to it until now may post what tells
    std::size_t n = 0;
    on_control([&] {
        auto const found = events_.seen.find(type);
        if (found != events_.seen.end()) n = found->second;
    });
    return n;
}

peer rig::client() {
    int const fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    auto where = loopback(server_->listeners().front().port());
    if (::connect(fd, reinterpret_cast<sockaddr*>(&where), sizeof(where)) != 0) throw std::runtime_error("no proxy");
    return peer(fd);
}

bool rig::open_connections_become(std::uint64_t wanted) const {
    auto const until = std::chrono::steady_clock::now() + milliseconds(patience_ms);
    while (counters().open_connections != wanted) {
        if (std::chrono::steady_clock::now() > until) return false;
        std::this_thread::yield();
    }
    return true;
}

std::future<void> rig::begin_to_drain() {
    auto const drained = std::make_shared<std::promise<void>>();
    on_control([&] { server_->drain([drained] { drained->set_value(); }); });
    return drained->get_future();
}

std::string rig::open_session() {
    std::promise<std::string> opened;
    on_control([&] {
        manager_->open_session({}, [&](result<jit::opened_session> const& s) {
            sessions_.push_back(s->info.session_id);
            opened.set_value(
                encode_base64(s->info.session_id + ":" + std::string(s->snapshot->proxy_secret->reveal())));
        });
    });
    return "Proxy-Authorization: Basic " + opened.get_future().get() + "\r\n";
}

void rig::close_sessions() {
    for (auto const& closed : begin_to_close_sessions()) closed.wait();
}

std::vector<std::future<void>> rig::begin_to_close_sessions() {
    std::vector<std::future<void>> all;
    for (auto const& id : std::exchange(sessions_, {})) {
        auto const closed = std::make_shared<std::promise<void>>();
        all.push_back(closed->get_future());
        on_control(
            [&] { manager_->close_session(id, [closed](result<jit::session_info> const&) { closed->set_value(); }); });
    }
    return all;
}

std::string wants(std::string_view identifier, std::string_view body) {
    auto const details = encode_base64(R"({"type":"document","identifier":")" + std::string(identifier) + R"("})");
    return "HTTP/1.1 403 Forbidden\r\nInsufficient-Authorization-Details: " + details +
           "\r\nX-Api: yes\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

std::string bearer_of(std::string_view head) {
    constexpr std::string_view field = "\r\nAuthorization: Bearer ";
    auto const begin = head.find(field);
    if (begin == std::string_view::npos) return {};
    auto const rest = head.substr(begin + field.size());
    return std::string(rest.substr(0, rest.find("\r\n")));
}

std::string rig::get(std::string_view path, std::string_view more) const {
    return "GET " + url(path) + " HTTP/1.1\r\nHost: ignored.example\r\n" + std::string(more) + "\r\n";
}

}  // namespace jitproxy::proxy::test
