#include "jitproxy/base/error.hpp"

#include <memory>
#include <set>
#include <string>

#include "catch.hpp"

using namespace jitproxy;

namespace {

result<void> positive(int n) {
    if (n < 1) return make_error(errc::bad_argument, "must be positive");
    return {};
}

result<std::unique_ptr<int>> boxed(int n) {
    if (auto ok = positive(n); !ok) return ok.error();
    return std::make_unique<int>(n);
}

result<std::string> in_place() {
    return {boost::system::in_place_value, std::size_t{3}, 'x'};
}

}  // namespace

TEST_CASE("every error code has a name of its own") {
    std::set<std::string_view> names;
    int const last = static_cast<int>(errc::internal);
    for (int i = 0; i <= last; ++i) names.insert(name_of(static_cast<errc>(i)));
    CHECK(names.size() == static_cast<std::size_t>(last) + 1);
    CHECK(name_of(errc::dns_timeout) == "dns_timeout");
    CHECK(name_of(static_cast<errc>(250)) == "internal");
}

TEST_CASE("an error says whose it is and whether trying again may help") {
    struct row {
        errc code;
        blame whose;
        bool retry;
    };
    row const rows[] = {
        {errc::malformed_request, blame::client, false},
        {errc::not_found, blame::client, false},
        {errc::host_denied, blame::policy, false},
        {errc::permission_not_asked, blame::policy, false},
        {errc::dns_timeout, blame::upstream, true},
        {errc::dns_error, blame::upstream, false},
        {errc::connection_refused, blame::upstream, true},
        {errc::tls_bad_certificate, blame::upstream, false},
        {errc::response_head_too_large, blame::upstream, false},
        {errc::as_unreachable, blame::authorization_server, true},
        {errc::as_rate_limited, blame::authorization_server, true},
        {errc::as_unclear, blame::authorization_server, true},
        {errc::as_unauthorized, blame::authorization_server, false},
        {errc::as_rejected, blame::authorization_server, false},
        {errc::limit_reached, blame::ours, true},
        {errc::storage, blame::ours, false},
        {errc::internal, blame::ours, false},
    };
    for (auto const& r : rows) {
        INFO(name_of(r.code));
        CHECK(blame_of(r.code) == r.whose);
        CHECK(retry_may_help(r.code) == r.retry);
    }
}

TEST_CASE("results carry a value or an error") {
    CHECK(positive(1));
    CHECK(positive(0).error().code == errc::bad_argument);
    REQUIRE(boxed(7));
    CHECK(**boxed(7) == 7);
    CHECK(boxed(-1).error().detail == "must be positive");
    CHECK(*in_place() == "xxx");
}

TEST_CASE("value() without a value throws a failure that names the error") {
    CHECK_THROWS_AS(boxed(0).value(), failure);
    try {
        positive(0).value();
        FAIL("nothing was thrown");
    } catch (failure const& f) {
        CHECK(f.code == errc::bad_argument);
        CHECK(std::string(f.what()) == "bad_argument: must be positive");
    }
    CHECK(std::string(failure(make_error(errc::storage)).what()) == "storage");
}
