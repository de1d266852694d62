#include "jitproxy/app/daemon.hpp"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <cstdlib>

#include "jitproxy/app/service_manager.hpp"
#include "jitproxy/base/log.hpp"

namespace jitproxy::app {
namespace asio = boost::asio;
namespace {

constexpr milliseconds longest_report_pause{2'000};

struct life {
    asio::io_context io{1};
    asio::signal_set signals{io};
    asio::posix::stream_descriptor lifeline{io};
    asio::steady_timer report_due{io};
    std::string reported;  // the last status line
    char byte = 0;
    std::unique_ptr<composition> parts;
    daemon_options options;
    bool stopping = false;
    bool confirmed = true;

    // What the service manager is to know: that every thread is alive, and in a few words what there is to do.
    void report(milliseconds pause, bool watchdog) {
        if (watchdog) parts->when_alive([] { notify_service_manager("WATCHDOG=1"); });
        if (auto line = parts->status_line(); line != reported && !stopping) {
            reported = std::move(line);
            notify_service_manager("STATUS=" + reported);
        }
        report_due.expires_after(pause);
        report_due.async_wait([this, pause, watchdog](boost::system::error_code ec) {
            if (!ec) report(pause, watchdog);
        });
    }

    result<void> reload() {
        notify_reloading();
        auto done = reload_now();
        notify_service_manager("READY=1");
        return done;
    }

    result<void> reload_now() {
        if (!options.reload) return make_error(errc::bad_argument, "this daemon has no configuration to reload");
        auto const loaded = options.reload();
        std::string all;
        for (auto const& problem : loaded.problems) {
            log::error("reload refused, nothing has changed: " + problem.text());
            all += (all.empty() ? "" : "\n") + problem.text();
        }
        if (!loaded.ok()) return make_error(errc::configuration, all);
        if (auto done = parts->replace(loaded.value, loaded.agents); !done) {
            log::error("reload refused, nothing has changed: " + done.error().detail);
            return done;
        }
        for (auto const& warning : loaded.warnings) log::warning(warning);
        log::info("configuration reloaded", {{"file", loaded.file}});
        return {};
    }

    void stop(char const* why) {
        stopping = true;
        notify_service_manager("STOPPING=1\nSTATUS=Ending sessions");
        log::info("stopping", {{"why", why}});
        parts->stop([this](bool all_confirmed) {
            confirmed = all_confirmed;
            auto const tasks = parts->unconfirmed_tasks();
            if (!all_confirmed && tasks.empty())
                log::warning(
                    "the authorization server has not confirmed in time that the agents' tokens are revoked; they end "
                    "by themselves");
            for (auto const& task : tasks)
                log::warning(
                    "the authorization server has not confirmed that a task is complete; the next start sees to it",
                    {{"task", task}});
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

int run_daemon(config const& c, std::vector<agent> const& agents, daemon_options options, int unconfirmed) {
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is an error of that file
    life l;
    l.options = std::move(options);
    l.options.parts.reload = [&l] { return l.reload(); };
    l.signals.add(SIGTERM);
    l.signals.add(SIGINT);
    l.signals.add(SIGHUP);
    l.parts = std::make_unique<composition>(l.io, c, agents, l.options.parts);
    if (auto started = l.parts->start(); !started) throw failure(started.error());
    l.wait_for_signal();
    if (l.options.lifeline >= 0) {
        l.lifeline.assign(l.options.lifeline);
        l.watch_lifeline();
    }
    if (l.options.ready) l.options.ready(l.parts->listeners());
    notify_service_manager("READY=1");
    auto const watchdog = watchdog_time();
    if (std::getenv("NOTIFY_SOCKET") != nullptr)
        l.report(watchdog > milliseconds{0} ? std::min(watchdog / 3, longest_report_pause) : longest_report_pause,
                 watchdog > milliseconds{0});
    l.io.run();
    l.parts.reset();
    return l.confirmed ? exit_done : unconfirmed;
}

}  // namespace jitproxy::app
