#include "jitproxy/proxy/leaf_contexts.hpp"

#include <chrono>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "catch.hpp"
#include "directory.hpp"
#include "jitproxy/base/log.hpp"

using namespace jitproxy;

namespace {

wall_time const noon = std::chrono::system_clock::from_time_t(1772366400);  // 2026-03-01T12:00:00Z
constexpr std::chrono::hours one_day{24};
constexpr char const* host = "api.example.com";

std::string logged;

struct log_capture {
    log_capture() {
        logged.clear();
        log::capture([](std::string_view line) { logged.append(line) += '\n'; });
    }
    ~log_capture() { log::capture(nullptr); }
    log_capture(log_capture const&) = delete;
    log_capture& operator=(log_capture const&) = delete;
};

std::shared_ptr<ca::authority const> authority_in(test::directory const& directory, std::chrono::hours life) {
    ca::authority_options options;
    options.directory = directory.path();
    options.permitted_names = {host};
    options.lifetime = life;
    auto made = ca::authority::load_or_create(options, noon);
    REQUIRE(made.has_value());
    return std::make_shared<ca::authority const>(std::move(*made));
}

wall_time end_of(net::ssl_ctx_ptr const& context) {
    std::tm t{};
    REQUIRE(ASN1_TIME_to_tm(X509_get0_notAfter(SSL_CTX_get0_certificate(context.get())), &t) == 1);
    return std::chrono::system_clock::from_time_t(::timegm(&t));
}

auto warnings() {
    constexpr std::string_view text = "warning the local CA's life is nearly over";
    int count = 0;
    for (auto at = logged.find(text); at != std::string::npos; at = logged.find(text, at + 1)) ++count;
    return count;
}

}  // namespace

TEST_CASE("what a server sends is the leaf and the issuing certificate, not the root") {
    test::directory const directory;
    auto const authority = authority_in(directory, one_day * 365);
    proxy::leaf_contexts contexts(authority);
    auto const context = contexts.context(host, noon);
    REQUIRE(context.has_value());
    STACK_OF(X509)* chain = nullptr;
    REQUIRE(SSL_CTX_get0_chain_certs(context->get(), &chain) == 1);
    REQUIRE(sk_X509_num(chain) == 1);
    CHECK(X509_cmp(sk_X509_value(chain, 0), authority->issuing_certificate()) == 0);
    CHECK(X509_verify(SSL_CTX_get0_certificate(context->get()), X509_get0_pubkey(authority->issuing_certificate())) ==
          1);
}

TEST_CASE("a context is kept for its host, so that sessions can be resumed, and renewed before its leaf ends") {
    test::directory const directory;
    proxy::leaf_contexts contexts(authority_in(directory, one_day * 365));
    auto const first = contexts.context(host, noon);
    REQUIRE(first.has_value());
    for (auto const later : {std::chrono::hours{1}, one_day * 2}) {
        auto const again = contexts.context(host, noon + later);
        REQUIRE(again.has_value());
        CHECK(again->get() == first->get());
    }
    auto const renewed = contexts.context(host, noon + one_day * 3);
    REQUIRE(renewed.has_value());
    CHECK(renewed->get() != first->get());
    CHECK(end_of(*renewed) == noon + one_day * 10);
}

TEST_CASE("no leaf is served after its CA's end") {
    test::directory const directory;
    log_capture const capture;
    auto const authority = authority_in(directory, one_day);
    proxy::leaf_contexts contexts(authority);
    auto const context = contexts.context(host, noon);
    REQUIRE(context.has_value());
    CHECK(end_of(*context) == authority->not_after());
    CHECK(warnings() == 0);
    CHECK(contexts.context(host, authority->not_after() - seconds{1}).has_value());
    CHECK(warnings() == 1);  // though the context is the first one still
    auto const dead = contexts.context(host, authority->not_after());
    REQUIRE_FALSE(dead.has_value());
    CHECK(dead.error().code == errc::internal);
    CHECK(dead.error().detail.find("reload (SIGHUP)") != std::string::npos);
}

TEST_CASE("the log warns before the CA's end, once a day") {
    test::directory const directory;
    log_capture const capture;
    auto const authority = authority_in(directory, one_day * 100);
    proxy::leaf_contexts contexts(authority);
    auto const at = [&](std::chrono::hours before_end) {
        logged.clear();
        REQUIRE(contexts.context(host, authority->not_after() - before_end).has_value());
        return warnings();
    };
    CHECK(at(one_day * 30) == 0);
    CHECK(at(one_day * 19) == 1);
    CHECK(logged.find(format_rfc3339(authority->not_after())) != std::string::npos);
    CHECK(at(one_day * 19) == 0);
    CHECK(at(one_day * 18 - std::chrono::hours{1}) == 1);
    CHECK(at(one_day * 17) == 0);
    CHECK(at(one_day * 10) == 1);
}

TEST_CASE("of many hosts only the first has the log warn") {
    test::directory const directory;
    log_capture const capture;
    ca::authority_options options;
    options.directory = directory.path();
    options.permitted_names = {".example.com"};
    options.lifetime = one_day * 100;
    auto made = ca::authority::load_or_create(options, noon);
    REQUIRE(made.has_value());
    auto const late = made->not_after() - one_day * 10;
    proxy::leaf_contexts contexts(std::make_shared<ca::authority const>(std::move(*made)));
    for (char const* name : {"a.example.com", "b.example.com", "c.example.com"})
        REQUIRE(contexts.context(name, late).has_value());
    CHECK(warnings() == 1);
}

TEST_CASE("what was at hand and what was minted is counted, over reloads too") {
    test::directory const directory;
    auto const authority = authority_in(directory, one_day * 365);
    auto const counts = std::make_shared<proxy::leaf_counts>();
    {
        proxy::leaf_contexts contexts(authority, counts);
        for (int i = 0; i != 3; ++i) REQUIRE(contexts.context(host, noon).has_value());
        CHECK(contexts.size() == 1);
    }
    proxy::leaf_contexts anew(authority, counts);
    CHECK(anew.size() == 0);
    REQUIRE(anew.context(host, noon).has_value());
    CHECK(counts->hits == 2);
    CHECK(counts->misses == 2);
}

TEST_CASE("without a CA nothing is intercepted") {
    proxy::leaf_contexts contexts(nullptr);
    auto const none = contexts.context(host, noon);
    REQUIRE_FALSE(none.has_value());
    CHECK(none.error().code == errc::configuration);
}
