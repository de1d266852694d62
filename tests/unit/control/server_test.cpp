// The real sockets: server and client of the control API against each other.
#include "jitproxy/control/server.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>

#include "directory.hpp"
#include "jitproxy/control/client.hpp"
#include "world.hpp"

using namespace jitproxy;
using namespace jitproxy::control;
using namespace jitproxy::control::testing;

namespace {

constexpr milliseconds patience{20'000};

struct served : world {
    boost::asio::io_context io{1};
    jitproxy::test::directory directory;
    server_options options;
    std::unique_ptr<control::server> sockets;

    served() { options.address.path = directory.file("c.sock").string(); }

    result<void> start() {
        sockets = std::make_unique<control::server>(io, api, hub, options);
        return sockets->start();
    }
    void step() {
        io.restart();
        io.run_one_for(milliseconds{5});
        settle();
    }
    // Does it elsewhere, while the server runs here.
    template <class F>
    auto meanwhile(F f) {
        auto done = std::async(std::launch::async, std::move(f));
        while (done.wait_for(milliseconds{0}) != std::future_status::ready) step();
        return done.get();
    }
    reply ask(std::string const& method, std::string const& target, std::string const& body = {},
              secret_ptr token = nullptr) {
        auto const where = sockets->listener();
        return meanwhile([=] {
            auto client = client::connect(where, token, patience);
            auto answer = client ? client->call(method, target, body, patience) : result<reply>(client.error());
            return answer ? *answer : reply{0, {}, answer.error().detail};
        });
    }
    // Raw bytes in, raw bytes out until the server closes.
    std::string raw(std::string const& bytes) {
        auto const path = options.address.path;
        return meanwhile([=] {
            int const fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
            sockaddr_un name{};
            name.sun_family = AF_UNIX;
            std::memcpy(name.sun_path, path.c_str(), path.size() + 1);
            std::string out;
            if (::connect(fd, reinterpret_cast<sockaddr const*>(&name), sizeof name) == 0) {
                static_cast<void>(::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL));
                ::shutdown(fd, SHUT_WR);
                char piece[4096];
                for (ssize_t n = 0; (n = ::recv(fd, piece, sizeof piece, 0)) > 0;)
                    out.append(piece, static_cast<std::size_t>(n));
            }
            ::close(fd);
            return out;
        });
    }
};

}  // namespace

TEST_CASE("the socket is for its owner alone, and goes with the server") {
    served s;
    REQUIRE(s.start().has_value());
    struct stat info {};
    REQUIRE(lstat(s.options.address.path.c_str(), &info) == 0);
    CHECK(S_ISSOCK(info.st_mode));
    CHECK((info.st_mode & 0777) == 0600);
    auto const answer = s.ask("GET", "/v1/status");
    CHECK(answer.status == 200);
    CHECK(answer.content_type == "application/json");
    CHECK(answer.document()->as_object().at("version") == "1.2.3");
    s.sockets->stop();
    CHECK_FALSE(std::filesystem::exists(s.options.address.path));
}

TEST_CASE("a socket that was left behind is replaced; one in use, or a file, is not") {
    served s;
    REQUIRE(s.start().has_value());
    server second(s.io, s.api, s.hub, s.options);
    auto const in_use = second.start();
    REQUIRE_FALSE(in_use.has_value());
    CHECK(in_use.error().code == errc::in_use);
    CHECK(in_use.error().detail.find("runs already") != std::string::npos);
    CHECK(s.ask("GET", "/healthz").status == 200);  // the first one is unharmed
    s.sockets.reset();

    int const fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::memcpy(name.sun_path, s.options.address.path.c_str(), s.options.address.path.size());
    REQUIRE(::bind(fd, reinterpret_cast<sockaddr const*>(&name), sizeof name) == 0);
    ::close(fd);  // nobody listens, as after a crash
    REQUIRE(s.start().has_value());
    CHECK(s.ask("GET", "/healthz").status == 200);
    s.sockets.reset();

    std::ofstream(s.options.address.path) << "precious";
    CHECK_FALSE(s.start().has_value());
    CHECK(std::filesystem::file_size(s.options.address.path) == 8);
}

TEST_CASE("on TCP a token is wanted, but for the probes") {
    served s;
    s.options.address = {"", "127.0.0.1", 0};
    CHECK_FALSE(s.start().has_value());  // without a token
    s.options.token = make_secret("control-token");
    REQUIRE(s.start().has_value());
    CHECK(s.sockets->listener().port != 0);
    CHECK(s.ask("GET", "/healthz").status == 200);
    CHECK(s.ask("GET", "/readyz").status == 200);
    CHECK(s.ask("GET", "/v1/status").status == 401);
    CHECK(s.ask("GET", "/metrics").status == 401);
    CHECK(s.ask("GET", "/v1/status", {}, make_secret("wrong")).status == 401);
    CHECK(s.ask("GET", "/v1/status", {}, make_secret("control-token-and-more")).status == 401);
    CHECK(s.ask("GET", "/v1/status", {}, make_secret("control-token")).status == 200);
    CHECK(s.ask("POST", "/v1/sessions", "{}").status == 401);
    CHECK(s.as.tasks.empty());
}

TEST_CASE("one connection carries many calls") {
    served s;
    REQUIRE(s.start().has_value());
    auto const where = s.sockets->listener();
    auto const statuses = s.meanwhile([=] {
        std::vector<unsigned> out;
        auto client = client::connect(where, nullptr, patience);
        for (auto const* target : {"/healthz", "/v1/nothing", "/v1/sessions"})
            out.push_back(client->call("GET", target, {}, patience)->status);
        return out;
    });
    CHECK(statuses == std::vector<unsigned>{200, 404, 200});
}

TEST_CASE("what is too large or malformed is refused, and the connection closed") {
    served s;
    REQUIRE(s.start().has_value());
    struct row {
        std::string bytes;
        std::string status;
    };
    std::string const big(100'000, 'x');
    row const rows[] = {
        {"POST /v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + big, "413"},
        {"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + big + "\r\n\r\n", "431"},
        {"nonsense\r\n\r\n", "400"},
        {"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "200"},
        {"HEAD /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "200"},
    };
    for (auto const& [bytes, status] : rows) {
        INFO(bytes.substr(0, 60));
        auto const answer = s.raw(bytes);
        CHECK(answer.substr(0, 12) == "HTTP/1.1 " + status);
        if (bytes.starts_with("HEAD")) CHECK(answer.ends_with("\r\n\r\n"));
    }
    CHECK(s.as.tasks.empty());
}

TEST_CASE("a session attached to a connection is closed when that ends, another is not") {
    served s;
    REQUIRE(s.start().has_value());
    CHECK(s.ask("POST", "/v1/sessions", "{}").status == 201);             // task_1
    CHECK(s.ask("POST", "/v1/sessions?attached=1", "{}").status == 201);  // task_2; its connection has ended by now
    for (int i = 0; i < 4000 && s.as.completed.empty(); ++i) s.step();
    CHECK(s.as.completed == std::vector<std::string>{"task_2"});
}

TEST_CASE("events come as they happen, until the listener has enough") {
    served s;
    REQUIRE(s.start().has_value());
    auto const where = s.sockets->listener();
    auto listening = std::async(std::launch::async, [=] {
        std::vector<std::string> types;
        auto client = client::connect(where, nullptr, patience);
        auto const done = client->events(
            [&](std::string_view type, json::object const& event) {
                types.push_back(std::string(type) + " " + string_member(event, "session_id").value_or(""));
                return types.size() < 2;
            },
            {});
        return std::pair(done.has_value(), types);
    });
    for (int i = 0; i < 4000 && s.hub.listeners() == 0; ++i) s.step();
    REQUIRE(s.hub.listeners() == 1);
    s.hub.on_event({"one", "ses_1", {}});
    s.step();
    s.hub.on_event({"two", "ses_2", {{"text", "line\nbreak"}}});
    while (listening.wait_for(milliseconds{0}) != std::future_status::ready) s.step();
    auto const [good, types] = listening.get();
    CHECK(good);
    CHECK(types == std::vector<std::string>{"one ses_1", "two ses_2"});
    for (int i = 0; i < 4000 && s.hub.listeners() > 0; ++i) s.step();
    CHECK(s.hub.listeners() == 0);  // the server has noticed
}

TEST_CASE("the end of the hub ends the stream") {
    served s;
    REQUIRE(s.start().has_value());
    auto const where = s.sockets->listener();
    auto listening = std::async(std::launch::async, [=] {
        auto client = client::connect(where, nullptr, patience);
        return client->events([](auto, auto const&) { return true; }, {});
    });
    for (int i = 0; i < 4000 && s.hub.listeners() == 0; ++i) s.step();
    s.hub.end();
    while (listening.wait_for(milliseconds{0}) != std::future_status::ready) s.step();
    auto const done = listening.get();
    REQUIRE_FALSE(done.has_value());
    CHECK(done.error().code == errc::connection_closed);
}

TEST_CASE("nobody there") {
    served s;
    auto const missing = client::connect(s.options.address, nullptr, patience);
    REQUIRE_FALSE(missing.has_value());
    CHECK(missing.error().code == errc::not_found);
    CHECK(missing.error().detail.find(s.options.address.path) != std::string::npos);
}

TEST_CASE("who asks is named by the kernel, or by the control token") {
    served s;
    std::vector<jit::event> seen;
    s.told = [&](jit::event const& e) { seen.push_back(e); };
    SECTION("on a Unix socket") {
        REQUIRE(s.start());
        REQUIRE(s.ask("POST", "/v1/sessions", "{}").status == 201);
        REQUIRE(!seen.empty());
        CHECK(seen.back().type == "session.opened");
        CHECK(seen.back().who.who == jit::actor::kind::peer);
        CHECK(seen.back().who.uid == getuid());
        CHECK(seen.back().who.gid == getgid());
        CHECK(seen.back().who.pid == getpid());
    }
    SECTION("on TCP") {
        s.options.address = {{}, "127.0.0.1", 0};
        s.options.token = make_secret("control-token");
        REQUIRE(s.start());
        REQUIRE(s.ask("POST", "/v1/sessions", "{}", s.options.token).status == 201);
        REQUIRE(!seen.empty());
        CHECK(seen.back().who.who == jit::actor::kind::control_token);
    }
}

TEST_CASE("a group is let in where it is named") {
    served s;
    s.options.group = getgid();
    REQUIRE(s.start());
    struct stat info {};
    REQUIRE(stat(s.options.address.path.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0660);
    CHECK(info.st_gid == getgid());
}
