#include "jitproxy/http/reply.hpp"

#include <map>
#include <set>
#include <string>

#include "catch.hpp"
#include "heads.hpp"
#include "jitproxy/base/json.hpp"
#include "jitproxy/http/framing.hpp"

using namespace jitproxy;
using namespace jitproxy::http;

namespace {

struct parsed_reply {
    std::string text;
    response_head head;
    std::string body;
    explicit parsed_reply(error const& e, reply_options const& options) {
        write_error_reply(text, e, options);
        auto const end = find_head_end(text, 0);
        REQUIRE(end != 0);
        REQUIRE(parse_response_head(std::string_view{text}.substr(0, end), {}, head).has_value());
        body = text.substr(end);
    }
    [[nodiscard]] std::string value(std::string_view name) const {
        for (auto const& f : head.fields)
            if (f.name == name) return std::string{f.value};
        return "(absent)";
    }
};

}  // namespace

TEST_CASE("every error code has an answer, with a registered Proxy-Status type") {
    // RFC 9209 2.3
    std::set<std::string_view> const registered = {"dns_timeout",
                                                   "dns_error",
                                                   "destination_not_found",
                                                   "destination_unavailable",
                                                   "destination_ip_prohibited",
                                                   "destination_ip_unroutable",
                                                   "connection_refused",
                                                   "connection_terminated",
                                                   "connection_timeout",
                                                   "connection_read_timeout",
                                                   "connection_write_timeout",
                                                   "connection_limit_reached",
                                                   "tls_protocol_error",
                                                   "tls_certificate_error",
                                                   "tls_alert_received",
                                                   "http_request_error",
                                                   "http_request_denied",
                                                   "http_response_incomplete",
                                                   "http_response_header_section_size",
                                                   "http_response_header_size",
                                                   "http_response_body_size",
                                                   "http_response_trailer_section_size",
                                                   "http_response_trailer_size",
                                                   "http_response_transfer_coding",
                                                   "http_response_content_coding",
                                                   "http_response_timeout",
                                                   "http_upgrade_failed",
                                                   "http_protocol_error",
                                                   "proxy_internal_response",
                                                   "proxy_internal_error",
                                                   "proxy_configuration_error",
                                                   "proxy_loop_detected"};
    for (int i = 0; i <= static_cast<int>(errc::internal); ++i) {
        auto const code = static_cast<errc>(i);
        auto const mapping = mapping_of(code);
        INFO(name_of(code));
        CHECK(registered.count(mapping.proxy_status) == 1);
        CHECK_FALSE(mapping.title.empty());
        CHECK(reason_phrase(mapping.status) != "Unknown");
        bool const clients = blame_of(code) == blame::client || blame_of(code) == blame::policy;
        if (code != errc::loop && code != errc::unsupported_version)
            CHECK((mapping.status < 500) == (clients || code == errc::as_inactive));
    }
}

TEST_CASE("statuses of errors") {
    std::map<errc, unsigned> const expected = {
        {errc::malformed_request, 400},
        {errc::ambiguous_framing, 400},
        {errc::host_denied, 403},
        {errc::session_required, 407},
        {errc::client_timeout, 408},
        {errc::body_too_large, 413},
        {errc::target_too_long, 414},
        {errc::unsupported_expectation, 417},
        {errc::misdirected, 421},
        {errc::head_too_large, 431},
        {errc::internal, 500},
        {errc::dns_error, 502},
        {errc::as_unreachable, 503},
        {errc::as_down, 503},
        {errc::as_unauthorized, 502},
        {errc::dns_timeout, 504},
        {errc::unsupported_version, 505},
    };
    for (auto const& [code, status] : expected) {
        INFO(name_of(code));
        CHECK(mapping_of(code).status == status);
    }
}

TEST_CASE("an error's answer is complete") {
    parsed_reply const reply{{errc::dns_timeout, "api.example: no answer", 30}, {.keep_alive = true, .date = "now"}};
    CHECK(reply.head.status == 504);
    CHECK(reply.head.reason == "Gateway Timeout");
    CHECK(reply.value("Content-Type") == "application/problem+json");
    CHECK(reply.value("Proxy-Status") == "jitproxy; error=dns_timeout; details=\"api.example: no answer\"");
    CHECK(reply.value("Retry-After") == "30");
    CHECK(reply.value("Connection") == "keep-alive");
    CHECK(reply.value("Cache-Control") == "no-store");
    CHECK(reply.value("Date") == "now");
    CHECK(reply.value("Proxy-Authenticate") == "(absent)");
    auto const framing = response_framing(reply.head, "GET");
    REQUIRE(framing.has_value());
    CHECK(framing->length == reply.body.size());
    auto const problem = parse_json_object(reply.body, errc::internal);
    REQUIRE(problem.has_value());
    CHECK(canonical_json(*problem) == R"({"code":"dns_timeout","detail":"api.example: no answer","retry_after":30,)"
                                      R"("status":504,"title":"Gateway Timeout","type":"about:blank"})");
}

TEST_CASE("an error without a detail explains itself") {
    parsed_reply const reply{make_error(errc::connection_refused), {}};
    CHECK(reply.value("Proxy-Status") ==
          "jitproxy; error=connection_refused; details=\"The server refused the connection\"");
    CHECK(reply.value("Connection") == "close");
    CHECK(reply.value("Retry-After") == "(absent)");
    CHECK(reply.value("Date") == "(absent)");
    CHECK(reply.body.find("\"detail\":\"The server refused the connection\"") != std::string::npos);
    CHECK(reply.body.find("retry_after") == std::string::npos);
}

TEST_CASE("a 503 that goes away by itself says when to come again") {
    for (auto code : {errc::as_unreachable, errc::as_rate_limited, errc::limit_reached, errc::shutting_down}) {
        INFO(name_of(code));
        parsed_reply const reply{make_error(code), {}};
        CHECK(reply.head.status == 503);
        CHECK(reply.value("Retry-After") == "5");
        CHECK(reply.body.find("\"retry_after\":5") != std::string::npos);
    }
    CHECK(parsed_reply(error{errc::as_unreachable, "", 30}, {}).value("Retry-After") == "30");
    for (auto code : {errc::configuration, errc::storage})
        CHECK(parsed_reply(make_error(code), {}).value("Retry-After") == "(absent)");
}

TEST_CASE("a 407 brings a Basic challenge") {
    for (auto code : {errc::session_required, errc::session_unknown})
        CHECK(parsed_reply(make_error(code), {}).value("Proxy-Authenticate") == "Basic realm=\"jitproxy\"");
}

TEST_CASE("HEAD gets the length, but no body") {
    parsed_reply const full{make_error(errc::host_denied, "x"), {}};
    parsed_reply const head_only{make_error(errc::host_denied, "x"), {.head_only = true}};
    CHECK(head_only.body.empty());
    CHECK(head_only.value("Content-Length") == full.value("Content-Length"));
    CHECK(full.value("Content-Length") == std::to_string(full.body.size()));
}

TEST_CASE("the final recipient of a TRACE gives it back without credentials, that of an OPTIONS nothing") {
    std::string out;
    write_final_recipient_reply(out,
                                test::request("TRACE http://h/a?b HTTP/1.1\nHost: h\nMax-Forwards: 0\nCookie: s=1\n"
                                              "Authorization: Bearer t\nProxy-Authorization: Basic x\nX-A: 1\n"),
                                {.keep_alive = true});
    auto const back = test::wire("TRACE http://h/a?b HTTP/1.1\nHost: h\nMax-Forwards: 0\nX-A: 1\n");
    CHECK(out == "HTTP/1.1 200 OK\r\nContent-Type: message/http\r\nContent-Length: " + std::to_string(back.size()) +
                     "\r\nConnection: keep-alive\r\n\r\n" + back);
    out.clear();
    write_final_recipient_reply(out, test::request("OPTIONS * HTTP/1.1\nHost: h\n"), {.date = "now"});
    CHECK(out == "HTTP/1.1 200 OK\r\nDate: now\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}

TEST_CASE("a hostile detail stays within its field and its JSON string") {
    std::string every_byte;
    for (int c = 0; c < 256; ++c) every_byte += static_cast<char>(c);
    for (auto const& detail :
         {std::string{"a\r\nSet-Cookie: x=y\r\n\r\n<script>"}, std::string{"\" ; \\ end"}, every_byte,
          std::string(100'000, '"'), std::string(100'000, '\xff'), std::string(600, '\xc3')}) {
        parsed_reply const reply{make_error(errc::bad_target, detail), {}};
        CHECK(reply.value("Set-Cookie") == "(absent)");
        CHECK(reply.head.fields.size() == 5);
        CHECK(reply.value("Proxy-Status").size() < 2 * 512 + 64);
        for (char const c : reply.value("Proxy-Status")) CHECK((c >= 0x20 && c < 0x7f));
        auto const problem = parse_json_object(reply.body, errc::internal);  // refuses malformed UTF-8
        REQUIRE(problem.has_value());
        CHECK(string_member(*problem, "detail")->size() <= 512);
        CHECK(reply.body.size() < 8192);
    }
}

TEST_CASE("Proxy-Status values") {
    CHECK(proxy_status_value("", "") == "jitproxy");
    CHECK(proxy_status_value("dns_error", "") == "jitproxy; error=dns_error");
    CHECK(proxy_status_value("", "permission denied") == "jitproxy; details=\"permission denied\"");
    CHECK(proxy_status_value("dns_error", "a\"b\\c\xc3\xbc\n") ==
          "jitproxy; error=dns_error; details=\"a\\\"b\\\\c???\"");
    CHECK(proxy_status_value("", std::string(512, 'x')) == "jitproxy; details=\"" + std::string(512, 'x') + '"');
    CHECK(proxy_status_value("", std::string(513, 'x')) == "jitproxy; details=\"" + std::string(509, 'x') + "...\"");
}

TEST_CASE("reason phrases") {
    CHECK(reason_phrase(200) == "OK");
    CHECK(reason_phrase(407) == "Proxy Authentication Required");
    CHECK(reason_phrase(431) == "Request Header Fields Too Large");
    CHECK(reason_phrase(299) == "Unknown");
}
