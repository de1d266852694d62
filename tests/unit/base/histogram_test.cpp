#include "jitproxy/base/histogram.hpp"

#include "catch.hpp"

using namespace jitproxy;
using namespace std::chrono_literals;

namespace {
constexpr std::array bounds{0.001, 0.5, 10.0};
}

TEST_CASE("a duration counts in the first bucket whose bound it does not pass") {
    histogram h(bounds);
    for (std::chrono::microseconds const d : {0us, 1000us, 1001us, 500'000us, 10'000'000us, 10'000'001us}) h.observe(d);
    distribution seen(bounds);
    h.add_to(seen);
    CHECK(seen.counts == std::vector<std::uint64_t>{2, 2, 1, 1});
    CHECK(seen.sum == 1000 + 1001 + 500'000 + 10'000'000 + 10'000'001);
    CHECK(seen.total() == 6);
}

TEST_CASE("a clock that went back makes no huge duration") {
    histogram h(bounds);
    h.observe(-5us);
    distribution seen(bounds);
    h.add_to(seen);
    CHECK(seen.counts.front() == 1);
    CHECK(seen.sum == 0);
}

TEST_CASE("histograms add up") {
    histogram a(bounds);
    histogram b(bounds);
    a.observe(2ms);
    b.observe(3ms);
    b.observe(20s);
    distribution sum(bounds);
    a.add_to(sum);
    b.add_to(sum);
    CHECK(sum.counts == std::vector<std::uint64_t>{0, 2, 0, 1});
    CHECK(sum.sum == 20'005'000);
}
