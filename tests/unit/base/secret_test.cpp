#include "jitproxy/base/secret.hpp"

#include <ostream>
#include <string>
#include <type_traits>

#include "catch.hpp"
#include "jitproxy/base/log.hpp"

using namespace jitproxy;

template <class T>
concept printable = requires(std::ostream& out, T const& value) {
    out << value;
};

static_assert(!printable<secret>);
static_assert(!std::is_copy_constructible_v<secret> && !std::is_copy_assignable_v<secret>);
static_assert(!std::is_convertible_v<secret, std::string> && !std::is_convertible_v<secret, std::string_view>);
static_assert(!std::is_convertible_v<std::string, secret>);
static_assert(!std::is_constructible_v<log::field, std::string_view, secret const&>);
static_assert(!std::is_constructible_v<log::field, std::string_view, secret_ptr>);

namespace {
std::string const short_value = "tok";   // stays within the string object
std::string const long_value(100, 'k');  // lives on the heap
bool wiped(char const* at, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i)
        if (at[i] != '\0') return false;
    return true;
}
}  // namespace

TEST_CASE("a secret gives its bytes to reveal() only") {
    for (auto const& value : {short_value, long_value}) {
        secret s{std::string{value}};
        CHECK(s.reveal() == value);
        CHECK_FALSE(s.empty());
    }
    CHECK(secret{}.empty());
    CHECK(make_secret(long_value)->reveal() == long_value);
}

TEST_CASE("moving a secret leaves nothing behind") {
    for (auto const& value : {short_value, long_value}) {
        secret first{std::string{value}};
        char const* const old = first.reveal().data();
        secret second{std::move(first)};
        CHECK(second.reveal() == value);
        CHECK(first.empty());  // NOLINT(bugprone-use-after-move)
        if (old != second.reveal().data()) CHECK(wiped(old, value.size()));

        secret third{std::string{"previous"}};
        char const* const before = second.reveal().data();
        third = std::move(second);
        CHECK(third.reveal() == value);
        CHECK(second.empty());  // NOLINT(bugprone-use-after-move)
        if (before != third.reveal().data() && value.size() < 16) CHECK(wiped(before, value.size()));
    }
}

TEST_CASE("a secret that is assigned to itself keeps its value") {
    secret s{std::string{long_value}};
    auto& same = s;
    s = std::move(same);
    CHECK(s.reveal() == long_value);
}

TEST_CASE("wipe overwrites all that was allocated") {
    for (auto const& value : {short_value, long_value}) {
        std::string text = value;
        text.resize(2);  // the rest is still in memory
        char const* const at = text.data();
        wipe(text);
        CHECK(text.empty());
        CHECK(wiped(at, value.size()));
    }
}

TEST_CASE("constant_time_equal compares whole strings") {
    CHECK(constant_time_equal("", ""));
    CHECK(constant_time_equal("abc", "abc"));
    CHECK_FALSE(constant_time_equal("abc", "abd"));
    CHECK_FALSE(constant_time_equal("abc", "abcd"));
    CHECK_FALSE(constant_time_equal("abc", ""));
    using namespace std::string_view_literals;
    CHECK_FALSE(constant_time_equal("a\0b"sv, "a\0c"sv));
}
