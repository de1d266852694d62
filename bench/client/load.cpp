#include "load.hpp"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <deque>
#include <map>
#include <string>
#include <vector>

namespace bench {

namespace {

using seconds = std::chrono::duration<double>;

constexpr seconds warm_up{0.3};
constexpr seconds patience{10};  // for the first answer on every connection
constexpr std::size_t most_failures = 1000;

double microseconds(std::chrono::steady_clock::duration d) {
    return std::chrono::duration<double, std::micro>(d).count();
}

double own_cpu() {
    rusage u{};
    ::getrusage(RUSAGE_SELF, &u);
    auto const of = [](timeval t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6; };
    return of(u.ru_utime) + of(u.ru_stime);
}

double quantile(std::vector<double>& sorted, double q) {
    if (sorted.empty()) return 0;
    return sorted[std::min(sorted.size() - 1, static_cast<std::size_t>(q * static_cast<double>(sorted.size())))];
}

class connections {
  public:
    connections(plan const& p, std::size_t n) : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
        for (std::size_t i = 0; i < n; ++i) all_.emplace_back(p, epoll_);
    }
    ~connections() { ::close(epoll_); }
    connections(connections const&) = delete;

    std::deque<connection>& all() { return all_; }

    template <class F>
    void on_events(F f) {
        std::array<epoll_event, 256> events{};
        int const n = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 10);
        for (int i = 0; i < n; ++i) {
            auto& c = *static_cast<connection*>(events[static_cast<std::size_t>(i)].data.ptr);
            if (c.open()) f(c);
        }
    }

  private:
    int epoll_;
    std::deque<connection> all_;
};

class load {
  public:
    load(plan const& p, load_options const& o) : options_(o), connections_(p, o.connections) {}

    void run() {
        for (auto& c : connections_.all()) c.dial();
        auto const start = now();
        auto begin = start + std::chrono::duration_cast<instant::duration>(patience);
        bool warming = false;
        while (now() < begin && failed_ < most_failures) {
            step();
            if (!warming && everyone_served()) {
                warming = true;
                begin = now() + std::chrono::duration_cast<instant::duration>(warm_up);
            }
        }
        latency_.clear();
        first_byte_.clear();
        std::puts("begin");
        std::fflush(stdout);
        begin = now();
        auto const cpu = own_cpu();
        auto const end = begin + std::chrono::duration_cast<instant::duration>(seconds{options_.seconds});
        while (now() < end && failed_ < most_failures) step();
        print(seconds{now() - begin}.count(), own_cpu() - cpu);
    }

  private:
    void step() {
        connections_.on_events([this](connection& c) { drive(c); });
    }

    // With a fresh connection each time, those that are open have not been answered yet.
    bool everyone_served() {
        auto const& all = connections_.all();
        if (options_.fresh) return latency_.size() >= all.size();
        return std::all_of(all.begin(), all.end(), [](connection const& c) { return c.served() > 0; });
    }

    void drive(connection& c) {
        for (;;) {
            auto const happened = c.drive();
            if (happened == outcome::waiting) return;
            if (happened == outcome::answered) {
                latency_.push_back(microseconds(now() - c.begun()));
                first_byte_.push_back(microseconds(c.first_byte() - c.begun()));
                if (c.kept() && !options_.fresh) {
                    c.again();
                    continue;
                }
            } else if (!c.was_stale()) {
                ++failed_;
                ++troubles_[c.trouble()];
            }
            ++reconnects_;
            c.dial();
            return;
        }
    }

    void print(double elapsed, double cpu) {
        std::sort(latency_.begin(), latency_.end());
        std::sort(first_byte_.begin(), first_byte_.end());
        std::string why;
        for (auto const& [text, count] : troubles_)
            why += (why.empty() ? "" : ", ") + std::to_string(count) + " x " + text;
        std::printf(
            "{\"answers\": %zu, \"seconds\": %.6f, \"p50_us\": %.1f, \"p99_us\": %.1f, \"first_byte_us\": %.1f, "
            "\"reconnects\": %zu, \"failed\": %zu, \"why\": \"%s\", \"client_cpu\": %.6f}\n",
            latency_.size(), elapsed, quantile(latency_, .5), quantile(latency_, .99), quantile(first_byte_, .5),
            reconnects_, failed_, why.c_str(), cpu);
        std::fflush(stdout);
    }

    load_options options_;
    connections connections_;
    std::vector<double> latency_;
    std::vector<double> first_byte_;
    std::map<std::string, std::size_t> troubles_;
    std::size_t failed_ = 0;
    std::size_t reconnects_ = 0;
};

bool input_ended() {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    return ::poll(&input, 1, 0) > 0;
}

}  // namespace

void run_load(plan const& p, load_options const& o) {
    load{p, o}.run();
}

void run_idle(plan const& p, std::size_t count) {
    constexpr std::size_t most_at_once = 32;
    connections some{p, count};
    auto& all = some.all();
    std::size_t dialled = 0;
    std::size_t settled = 0;
    auto const open = [&] {
        return std::count_if(all.begin(), all.end(), [](connection const& c) { return c.open(); });
    };
    auto const until = now() + std::chrono::seconds{60};
    while (settled < count && now() < until) {
        while (dialled < count && dialled - settled < most_at_once) all[dialled++].dial();
        some.on_events([&](connection& c) {
            if (c.drive() != outcome::waiting) ++settled;
        });
    }
    std::printf("%td\n", open());
    std::fflush(stdout);
    while (!input_ended()) some.on_events([](connection& c) { c.drive(); });
    std::printf("%td\n", open());
}

}  // namespace bench
