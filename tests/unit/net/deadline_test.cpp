// Deadlines, wakers, tasks and mailboxes: what wakes a coroutine, and what may be gone by then.
#include "jitproxy/net/deadline.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "catch.hpp"
#include "jitproxy/net/mailbox.hpp"
#include "jitproxy/net/task.hpp"

namespace net = jitproxy::net;
using jitproxy::milliseconds;
using jitproxy::steady_time;

namespace {

net::task<> wait_forever(net::waker& w, int& times) {
    for (;;) {
        co_await w.wait();
        ++times;
    }
}

net::task<int> answer_of(net::waker& w) {
    co_await w.wait();
    co_return 42;
}

net::task<> keep(net::waker& w, int& kept) {
    auto const answer = co_await answer_of(w);
    kept = answer;
}

}  // namespace

TEST_CASE("a deadline wakes at the tick that finds it passed, once, until it is set anew") {
    net::deadlines list{steady_time{}};
    net::waker w;
    int times = 0;
    auto root = wait_forever(w, times);
    root.start();
    net::deadline d(list, w);
    auto const tick = [&](int ms) { list.tick(steady_time{} + milliseconds{ms}); };
    tick(100);
    CHECK(times == 0);
    d.expires_after(milliseconds{250});
    tick(300);
    CHECK_FALSE(d.expired());
    tick(400);
    CHECK(d.expired());
    CHECK(times == 1);
    tick(1000);
    CHECK(times == 1);
    d.expires_after(milliseconds{50});
    CHECK_FALSE(d.expired());
    d.never();
    tick(2000);
    CHECK_FALSE(d.expired());
    d.expire();
    CHECK(d.expired());
    tick(3000);
    CHECK(times == 1);
}

TEST_CASE("who is woken may end any number of deadlines, its own too") {
    net::deadlines list{steady_time{}};
    struct owner {
        net::waker wakes;
        net::deadline limit;
        std::function<void()> then;
        net::task<> root;
        explicit owner(net::deadlines& l) : limit(l, wakes) {
            limit.expires_after(milliseconds{1});
            root = run();
            root.start();
        }
        net::task<> run() {
            co_await wakes.wait();
            then();
        }
    };
    std::vector<std::unique_ptr<owner>> all;
    int woken = 0;
    for (int i = 0; i < 5; ++i) {
        all.push_back(std::make_unique<owner>(list));
        all.back()->then = [&, i] {
            ++woken;
            if (i == 1) {
                all[0].reset();
                all[2].reset();
                all[4].reset();
            }
        };
    }
    list.tick(steady_time{} + milliseconds{1});
    CHECK(woken == 3);  // 0, 1, 3
}

TEST_CASE("a wake-up while nobody waits makes the next wait return at once") {
    net::waker w;
    int kept = 0;
    w.wake();
    w.wake();
    auto root = keep(w, kept);
    root.start();
    CHECK(root.done());
    CHECK(kept == 42);
}

TEST_CASE("a coroutine that is destroyed while it waits is not resumed") {
    net::waker w;
    int times = 0;
    int kept = 0;
    {
        auto root = wait_forever(w, times);
        root.start();
    }
    w.wake();
    CHECK(times == 0);
    auto next = keep(w, kept);  // the wake-up was not lost on nobody
    next.start();
    CHECK(kept == 42);
    {
        kept = 0;
        auto nested = keep(w, kept);
        nested.start();
        CHECK_FALSE(nested.done());
    }
    w.wake();
    CHECK(kept == 0);
}

TEST_CASE("an answer for a coroutine that is gone is dropped; for one that is there, each is taken once") {
    net::waker w;
    int times = 0;
    auto root = wait_forever(w, times);
    root.start();
    std::function<void(int)> deliver;
    {
        net::mailbox<int> box(w);
        deliver = box.deliver_here();
        CHECK_FALSE(box.full());
        deliver(1);
        CHECK(times == 1);
        REQUIRE(box.full());
        CHECK(box.take() == 1);
        CHECK_FALSE(box.full());
        deliver(2);
        deliver(3);
        REQUIRE(box.full());
        CHECK(box.take() == 3);
        CHECK(times == 3);
    }
    deliver(4);
    CHECK(times == 3);
}
