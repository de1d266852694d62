#include "jitproxy/app/daemon.hpp"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "jitproxy/base/log.hpp"

namespace jitproxy::app {
namespace asio = boost::asio;
namespace {

struct life {
    asio::io_context io{1};
    asio::signal_set signals{io};
    asio::posix::stream_descriptor lifeline{io};
    char byte = 0;
    std::unique_ptr<composition> parts;
    daemon_options options;
    bool stopping = false;
    bool confirmed = true;

    result<void> reload() {
        if (!options.reload) return make_error(errc::bad_argument, "this daemon has no configuration to reload");
        auto const loaded = options.reload();
        std::string all;
        for (auto const& problem : loaded.problems) {
            log::error("reload refused, nothing has changed: " + problem.text());
            all += (all.empty() ? "" : "\n") + problem.text();
        }
        if (!loaded.ok()) return make_error(errc::configuration, all);
        if (auto done = parts->replace(loaded.value); !done) {
            log::error("reload refused, nothing has changed: " + done.error().detail);
            return done;
        }
        for (auto const& warning : loaded.warnings) log::warning(warning);
        log::info("configuration reloaded", {{"file", loaded.file}});
        return {};
    }

    void stop(char const* why) {
        stopping = true;
        notify_service_manager("STOPPING=1");
        log::info("stopping", {{"why", why}});
        parts->stop([this](bool all_confirmed) {
            confirmed = all_confirmed;
            if (!all_confirmed)
                log::warning("the authorization server has not confirmed every completion; the next start sees to it");
            io.stop();
        });
    }

    void wait_for_signal() {
        signals.async_wait([this](boost::system::error_code ec, int number) {
            if (ec) return;
            if (number == SIGHUP)
                static_cast<void>(reload());
            else if (stopping)
                std::_Exit(exit_failed);  // at once: the journal sees to the rest at the next start
            else
                stop(number == SIGTERM ? "SIGTERM" : "SIGINT");
            wait_for_signal();
        });
    }

    void watch_lifeline() {
        lifeline.async_read_some(asio::buffer(&byte, 1), [this](boost::system::error_code ec, std::size_t) {
            if (ec == asio::error::operation_aborted) return;
            if (!ec) return watch_lifeline();
            if (!stopping) stop("its owner is gone");
        });
    }
};

}  // namespace

void forbid_dumps() {
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

void raise_limits() {
    rlimit files{};
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

void notify_service_manager(std::string_view state) {
    auto const* path = std::getenv("NOTIFY_SOCKET");
    sockaddr_un name{};
    if (!path || (path[0] != '/' && path[0] != '@') || std::strlen(path) >= sizeof name.sun_path) return;
    int const fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return;
    name.sun_family = AF_UNIX;
    std::memcpy(name.sun_path, path, std::strlen(path));
    if (name.sun_path[0] == '@') name.sun_path[0] = '\0';  // an abstract socket
    auto const size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + std::strlen(path));
    sendto(fd, state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<sockaddr const*>(&name), size);
    close(fd);
}

int run_daemon(config const& c, secret_ptr client_secret, daemon_options options, int unconfirmed) {
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is an error of that file
    life l;
    l.options = std::move(options);
    l.options.parts.reload = [&l] { return l.reload(); };
    l.signals.add(SIGTERM);
    l.signals.add(SIGINT);
    l.signals.add(SIGHUP);
    l.parts = std::make_unique<composition>(l.io, c, std::move(client_secret), l.options.parts);
    if (auto started = l.parts->start(); !started) throw failure(started.error());
    l.wait_for_signal();
    if (l.options.lifeline >= 0) {
        l.lifeline.assign(l.options.lifeline);
        l.watch_lifeline();
    }
    if (l.options.ready) l.options.ready(l.parts->listeners());
    notify_service_manager("READY=1");
    l.io.run();
    l.parts.reset();
    return l.confirmed ? exit_done : unconfirmed;
}

}  // namespace jitproxy::app
