#include "jitproxy/proxy/request_record.hpp"

#include "catch.hpp"

using namespace jitproxy;
using namespace jitproxy::proxy;
using namespace std::chrono_literals;

namespace {

std::string line_of(request_record const& r) {
    log::line l;
    describe(l, r, 1500us);
    auto const text = std::string(l.text());
    return text.substr(text.find("info "));  // behind the time
}

request_record for_target(std::string_view method, std::string_view target) {
    auto const parsed = http::parse_request_target(method, target);
    REQUIRE(parsed.has_value());
    request_record r;
    r.method = method;
    r.name_target(*parsed, parsed->authority, parsed->scheme);
    return r;
}

}  // namespace

TEST_CASE("a request's line says what it was, what became of it and how long each step took") {
    api_traffic const acme("acme");
    auto r = for_target("POST", "http://api.example.com/v1/pay?card=4111");
    r.api = const_cast<api_traffic*>(&acme);
    r.status = 403;
    r.outcome = outcome::denied;
    r.queue = 250us;
    r.upstream = 1ms;
    r.approval = 61s;
    r.escalated = true;
    r.connection_reused = true;
    r.bytes_up = 120;
    r.bytes_down = 1'000'000;
    r.session_id = "ses_1";
    r.request_id = "jit_2";
    CHECK(line_of(r) ==
          "info request method=POST scheme=http host=api.example.com:80 path=/v1/pay api=acme status=403 "
          "outcome=denied duration_ms=1.500 queue_ms=0.250 upstream_ms=1.000 approval_ms=61000.000 bytes_up=120 "
          "bytes_down=1000000 reused=true session=ses_1 request=jit_2");
}

TEST_CASE("what is not known of a request is left out of its line") {
    request_record r;
    r.fail(errc::malformed_request);
    CHECK(line_of(r) ==
          "info request api=- status=400 outcome=rejected error=malformed_request duration_ms=1.500 queue_ms=0.000 "
          "upstream_ms=0.000 bytes_up=0 bytes_down=0");
}

TEST_CASE("no query reaches the line, in whatever form the target comes") {
    struct row {
        char const* method;
        char const* target;
        char const* line;
    };
    row const rows[] = {
        {"GET", "http://h/a?token=s3cret", "scheme=http host=h:80 path=/a api"},
        {"GET", "https://h:8443/a/b?x=/s3cret", "scheme=https host=h:8443 path=/a/b api"},
        {"GET", "http://h?s3cret", "scheme=http host=h:80 path=/ api"},
        {"GET", "/a?s3cret", "method=GET path=/a api"},
        {"GET", "http://[2001:db8::1]:81/?s3cret", "scheme=http host=[2001:db8::1]:81 path=/ api"},
        {"OPTIONS", "*", "method=OPTIONS path=* api"},
        {"CONNECT", "h:443", "method=CONNECT host=h:443 api"},
    };
    for (auto const& [method, target, line] : rows) {
        INFO(target);
        auto const text = line_of(for_target(method, target));
        CHECK(text.find(line) != std::string::npos);
        CHECK(text.find("s3cret") == std::string::npos);
    }
}

TEST_CASE("a client cannot make a line as long as it likes, nor a second one") {
    request_record r;
    std::string const long_method(5000, 'M');
    r.method = long_method;
    std::string path = "/" + std::string(254, 'x') + "\xc3\xbc" + std::string(5000, 'y');  // ü across the 256th byte
    r.path = path;
    auto const text = line_of(r);
    CHECK(text.find("method=" + long_method.substr(0, 32) + " ") != std::string::npos);
    CHECK(text.find("path=" + path.substr(0, 255) + " ") != std::string::npos);
    path = "/a\nrequest forged=\x1b[31m";
    r.path = path;
    CHECK(line_of(r).find("\"/a\\nrequest forged=\\x1b[31m\"") != std::string::npos);
}

TEST_CASE("whose fault an answer of the proxy's own is decides its outcome") {
    struct row {
        errc code;
        outcome ended;
        unsigned status;
    };
    for (auto const& [code, ended, status] :
         {row{errc::host_denied, outcome::rejected, 403}, row{errc::session_required, outcome::rejected, 407},
          row{errc::connection_refused, outcome::failed, 502}, row{errc::as_down, outcome::failed, 503},
          row{errc::internal, outcome::failed, 500}}) {
        request_record r;
        r.fail(code);
        INFO(name_of(code));
        CHECK(r.outcome == ended);
        CHECK(r.status == status);
        CHECK(r.error == code);
    }
}

TEST_CASE("the next request on a connection begins with a clean record") {
    auto r = for_target("GET", "http://h/a");
    r.fail(errc::internal);
    r.session_id = "s";
    r.request_id = "q";
    r.bytes_up = 5;
    r.escalated = r.silent = true;
    r.restart();
    CHECK(line_of(r) == line_of(request_record{}));
    CHECK_FALSE(r.silent);
    CHECK(r.began == steady_time{});
}
