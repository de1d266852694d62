#include "jitproxy/net/scheduler.hpp"

#include <vector>

#include "catch.hpp"

using jitproxy::milliseconds;
using jitproxy::net::asio_scheduler;

namespace {
constexpr milliseconds soon{1}, never{3'600'000};
}

TEST_CASE("callbacks come once, in the order of their times, never from within the call") {
    boost::asio::io_context io;
    asio_scheduler clock{io};
    std::vector<int> seen;
    clock.call_after(milliseconds{20}, [&] { seen.push_back(3); });
    clock.call_after(milliseconds{0}, [&] { seen.push_back(1); });
    clock.call_after(soon, [&] { seen.push_back(2); });
    CHECK(seen.empty());
    io.run();
    CHECK(seen == std::vector<int>{1, 2, 3});
}

TEST_CASE("a negative delay is no delay") {
    boost::asio::io_context io;
    asio_scheduler clock{io};
    int calls = 0;
    clock.call_after(milliseconds{-5}, [&] { ++calls; });
    CHECK(calls == 0);
    io.run();
    CHECK(calls == 1);
}

TEST_CASE("ids are never 0 and differ") {
    boost::asio::io_context io;
    asio_scheduler clock{io};
    auto const a = clock.call_after(never, [] {});
    auto const b = clock.call_after(never, [] {});
    CHECK(a != 0);
    CHECK(b != 0);
    CHECK(a != b);
}

TEST_CASE("a cancelled callback does not come, and its captures are released") {
    boost::asio::io_context io;
    asio_scheduler clock{io};
    auto const held = std::make_shared<int>(0);
    auto const id = clock.call_after(soon, [held] { ++*held; });
    CHECK(held.use_count() == 2);
    clock.cancel(id);
    CHECK(held.use_count() == 1);
    io.run();
    CHECK(*held == 0);
}

TEST_CASE("cancelled by another callback at the same moment: does not come although its timer has expired") {
    boost::asio::io_context io;
    asio_scheduler clock{io};
    int second = 0;
    jitproxy::scheduler::timer_id id = 0;
    clock.call_after(milliseconds{0}, [&] { clock.cancel(id); });
    id = clock.call_after(milliseconds{0}, [&] { ++second; });
    io.run();
    CHECK(second == 0);
}

TEST_CASE("unknown, used and zero ids are ignored") {
    boost::asio::io_context io;
    asio_scheduler clock{io};
    int calls = 0;
    auto const id = clock.call_after(milliseconds{0}, [&] { ++calls; });
    clock.cancel(0);
    clock.cancel(id + 1000);
    io.run();
    clock.cancel(id);
    CHECK(calls == 1);
}

TEST_CASE("a callback may start and cancel others, itself too") {
    boost::asio::io_context io;
    asio_scheduler clock{io};
    std::vector<int> seen;
    jitproxy::scheduler::timer_id own = 0;
    own = clock.call_after(milliseconds{0}, [&] {
        clock.cancel(own);
        seen.push_back(1);
        clock.call_after(milliseconds{0}, [&] { seen.push_back(2); });
    });
    io.run();
    CHECK(seen == std::vector<int>{1, 2});
}

TEST_CASE("nothing comes once the scheduler is gone") {
    boost::asio::io_context io;
    auto const held = std::make_shared<int>(0);
    {
        asio_scheduler clock{io};
        clock.call_after(milliseconds{0}, [held] { ++*held; });
    }
    io.run();
    CHECK(*held == 0);
    CHECK(held.use_count() == 1);
}

TEST_CASE("both clocks go with the system's") {
    boost::asio::io_context io;
    asio_scheduler clock{io};
    auto const before = std::chrono::steady_clock::now();
    auto const wall_before = std::chrono::system_clock::now();
    auto const seen = clock.now();
    auto const wall_seen = clock.wall_now();
    CHECK((before <= seen && seen <= std::chrono::steady_clock::now()));
    CHECK((wall_before <= wall_seen && wall_seen <= std::chrono::system_clock::now()));
}
