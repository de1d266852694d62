#include "listening.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <cstring>

#include "jitproxy/base/log.hpp"

namespace jitproxy::control {
namespace asio = boost::asio;
using boost::system::error_code;

namespace {

bool answers(std::string const& path) {  // is there somebody behind the socket?
    int const fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return true;
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::memcpy(name.sun_path, path.c_str(), std::min(path.size(), sizeof name.sun_path - 1));
    bool const refused =
        connect(fd, reinterpret_cast<sockaddr const*>(&name), sizeof name) != 0 && errno == ECONNREFUSED;
    close(fd);
    return !refused;
}

error_code bind_unix(any_acceptor& acceptor, std::string const& path) {
    error_code ec;
    asio::local::stream_protocol::endpoint const endpoint(path);
    acceptor.open(endpoint.protocol(), ec);
    // Never open to others, not even between bind and a chmod.
    auto const mask = umask(0177);
    if (!ec) acceptor.bind(endpoint, ec);
    umask(mask);
    return ec;
}

// The group first: the mode must never count for another one.
bool open_to_group(std::string const& path, gid_t group) {
    return chown(path.c_str(), static_cast<uid_t>(-1), group) == 0 && chmod(path.c_str(), 0660) == 0;
}

error_code bind_tcp(any_acceptor& acceptor, address const& where) {
    error_code ec;
    asio::ip::tcp::endpoint const endpoint(asio::ip::make_address(where.host, ec), where.port);
    if (!ec) acceptor.open(endpoint.protocol(), ec);
    if (!ec) acceptor.set_option(asio::socket_base::reuse_address(true), ec);
    if (!ec) acceptor.bind(endpoint, ec);
    return ec;
}

// Somebody else has the address, perhaps for a moment only: no reason to give up for good.
bool taken(error_code ec) {
    return ec == asio::error::address_in_use || ec == boost::system::errc::address_not_available;
}

errc code_of(error_code ec) {
    return taken(ec) ? errc::in_use : errc::configuration;
}

std::string hint_of(error_code ec, std::string const& keys) {
    return taken(ec) ? "; see `ss -ltnp`; " + keys + " names another" : std::string();
}

std::uint16_t port_of(any_acceptor const& acceptor) {
    error_code ec;
    auto const any = acceptor.local_endpoint(ec);
    asio::ip::tcp::endpoint local;
    std::memcpy(local.data(), any.data(), std::min(any.size(), local.capacity()));
    local.resize(any.size());
    return local.port();
}

asio::awaitable<void> accept_loop(any_acceptor& acceptor, std::size_t most, std::shared_ptr<void> owner,
                                  serve_function serve) {
    auto const open = std::make_shared<std::size_t>(0);
    for (;;) {
        auto [ec, socket] = co_await acceptor.async_accept(use_tuple);
        if (!acceptor.is_open()) break;
        if (ec) {  // out of descriptors, say: do not spin
            asio::steady_timer pause(acceptor.get_executor(), milliseconds(100));
            co_await pause.async_wait(use_tuple);
            continue;
        }
        if (*open >= most) continue;  // closes it
        ++*open;
        asio::co_spawn(acceptor.get_executor(), serve(std::move(socket)), [owner, open](std::exception_ptr const& e) {
            --*open;
            if (e) log::error("a connection failed", {});
        });
    }
}

}  // namespace

void accept_all(any_acceptor& acceptor, std::size_t most, std::shared_ptr<void> owner, serve_function serve) {
    auto const executor = acceptor.get_executor();
    asio::co_spawn(executor, accept_loop(acceptor, most, std::move(owner), std::move(serve)), asio::detached);
}

result<address> listen_on(any_acceptor& acceptor, address const& where, secret_ptr const& token,
                          std::optional<gid_t> group) {
    auto const refuse = [&](std::string const& why, errc code = errc::configuration) {
        return make_error(code, "control address " + where.text() + ": " + why);
    };
    struct stat info {};
    if (where.is_unix() && lstat(where.path.c_str(), &info) == 0) {
        if (!S_ISSOCK(info.st_mode)) return refuse("is there and is no socket");
        if (answers(where.path)) return refuse("in use: a daemon runs already", errc::in_use);
        unlink(where.path.c_str());
    }
    if (!where.is_unix() && (!token || token->empty())) return refuse("needs a control token");
    auto ec = where.is_unix() ? bind_unix(acceptor, where.path) : bind_tcp(acceptor, where);
    if (!ec && where.is_unix() && group && !open_to_group(where.path, *group))
        return refuse(std::string("cannot be given to [listen] control_group: ") + std::strerror(errno) +
                      "; the daemon's user must be a member of it");
    if (!ec) acceptor.listen(asio::socket_base::max_listen_connections, ec);
    if (ec) return refuse(ec.message() + hint_of(ec, "[listen] control or --control"), code_of(ec));
    auto bound = where;
    if (!where.is_unix()) bound.port = port_of(acceptor);
    return bound;
}

result<address> listen_openly(any_acceptor& acceptor, address const& where) {
    auto ec = bind_tcp(acceptor, where);
    if (!ec) acceptor.listen(asio::socket_base::max_listen_connections, ec);
    if (ec)
        return make_error(code_of(ec), "callback address " + where.text() + ": " + ec.message() +
                                           hint_of(ec, "[approval] callback_listen"));
    auto bound = where;
    bound.port = port_of(acceptor);
    return bound;
}

}  // namespace jitproxy::control
