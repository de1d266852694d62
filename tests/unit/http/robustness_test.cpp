// What must hold for any bytes: nothing is read beyond the input (the sanitizer build sees to that, on buffers without
// a terminator), what is accepted is written in a form that is accepted again and means the same, and where the input
// is cut changes nothing. The inputs are valid ones with a few bytes changed; the seeds are fixed.
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "catch.hpp"
#include "jitproxy/base/encoding.hpp"
#include "jitproxy/base/json.hpp"
#include "jitproxy/http/forward.hpp"
#include "jitproxy/http/signal.hpp"
#include "jitproxy/http/target.hpp"

using namespace jitproxy;
using namespace jitproxy::http;

namespace {

class mutator {
  public:
    explicit mutator(unsigned seed) : random_(seed) {}
    std::size_t below(std::size_t limit) { return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_); }

    std::string change(std::string text, std::vector<std::string> const& pieces) {
        for (std::size_t n = 1 + below(3); n > 0; --n) {
            std::size_t const at = below(text.size() + 1);
            switch (below(5)) {
                case 0:
                    text.insert(at, 1, static_cast<char>(below(256)));
                    break;
                case 1:
                    text.erase(at, 1 + below(3));
                    break;
                case 2:
                    text.insert(at, pieces[below(pieces.size())]);
                    break;
                case 3:
                    if (at < text.size()) text[at] = static_cast<char>(text[at] ^ (1 << below(8)));
                    break;
                default:
                    text.insert(at, text.substr(below(text.size() + 1), below(20)));
            }
        }
        return text;
    }

  private:
    std::mt19937 random_;
};

// A copy that ends where its block ends.
struct exact {
    std::unique_ptr<char[]> bytes;
    std::size_t size;
    explicit exact(std::string_view text) : bytes(new char[text.size()]), size(text.size()) {
        text.copy(bytes.get(), size);
    }
    [[nodiscard]] std::string_view view() const { return {bytes.get(), size}; }
};

std::vector<std::string> const pieces = {"\r\n",
                                         "\r",
                                         "\n",
                                         " ",
                                         "\t",
                                         ":",
                                         ", ",
                                         "chunked",
                                         "close",
                                         "\r\n ",
                                         "\r\n\r\n",
                                         std::string(1, '\0'),
                                         "\"",
                                         "\\",
                                         ";",
                                         "=",
                                         "0",
                                         "HTTP/1.0",
                                         "Host: ",
                                         "Connection: ",
                                         "TE: ",
                                         "Via: ",
                                         "5",
                                         "\r\nContent-Length: 5",
                                         "%",
                                         "@",
                                         "\r\nTransfer-Encoding: chunked"};

std::vector<std::string> const requests = {
    "GET http://example.com/a?b HTTP/1.1\r\nHost: example.com\r\nAccept: */*\r\n\r\n",
    "POST http://h:8080?x HTTP/1.1\r\nHost: h:8080\r\nContent-Length: 5\r\nConnection: close, X-A\r\nX-A: 1\r\n\r\n",
    "PUT /p HTTP/1.1\r\nHost: [::1]\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\nConnection: TE\r\nVia: 1.1 "
    "x\r\n\r\n",
    "GET / HTTP/1.0\r\nConnection: keep-alive\r\nAuthorization: Basic x\r\nProxy-Authorization: Basic YTpi\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: upgrade\r\nPrefer: wait=5\r\nMax-Forwards: "
    "3\r\n\r\n",
    "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n",
};

std::vector<std::string> const responses = {
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nDate: x\r\n\r\n",
    "HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\nWWW-Authenticate: Bearer realm=\"a, b\", "
    "error=\"insufficient_authorization_details\", authorization_details=\"eyJ0eXBlIjoiYSJ9\"\r\n\r\n",
    "HTTP/1.1 403 No\r\nInsufficient-Authorization-Details: eyJ0eXBlIjoiYSJ9\r\nContent-Length: 2\r\n\r\n",
    "HTTP/1.1 401 No\r\nWWW-Authenticate: Negotiate abc==, Bearer error=insufficient_authorization, "
    "authorization_remediation=eyJhdXRob3JpemF0aW9uX2RldGFpbHMiOlt7InR5cGUiOiJhIn1dfQ\r\nConnection: close\r\n\r\n",
    "HTTP/1.0 204 No Content\r\nConnection: keep-alive, X-A\r\nX-A: 1\r\nUpgrade: h2c\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
};

// True where the input was accepted.
bool check_request(std::string_view bytes) {
    request_head head;
    if (!parse_request_head(bytes, {}, head)) return false;
    static_cast<void>(proxy_credentials(head));
    static_cast<void>(via_contains(head, "me"));
    static_cast<void>(keeps_alive(head));
    static_cast<void>(prefer_wait(head));
    auto const framing = request_framing(head);
    auto const target = parse_request_target(head.method, head.target);
    if (!framing || !target || head.method == "CONNECT") return false;

    outgoing_request options;
    options.path = target->path;
    options.host = target->authority.host.empty() ? "h" : "example.com";
    options.bearer = "t0k";
    options.framing = *framing;
    options.via = "me";
    std::string out;
    write_request_head(out, head, options);
    request_head again;
    INFO(out);
    REQUIRE(find_head_end(out, 0) == out.size());
    REQUIRE(parse_request_head(out, {}, again).has_value());
    auto const framing_again = request_framing(again);
    REQUIRE(framing_again.has_value());
    CHECK(framing_again->kind == framing->kind);
    CHECK(framing_again->length == framing->length);
    CHECK(again.method == head.method);
    CHECK(again.target == target->path);
    CHECK(via_contains(again, "me"));
    REQUIRE(again.count(field_id::authorization) == 1);
    CHECK(again.find(field_id::authorization)->value == "Bearer t0k");
    for (auto id : {field_id::keep_alive, field_id::proxy_connection, field_id::proxy_authorization, field_id::trailer,
                    field_id::upgrade, field_id::jit_justification})
        CHECK(again.count(id) == 0);
    return true;
}

bool check_response(std::string_view bytes, std::string_view method) {
    response_head head;
    if (!parse_response_head(bytes, {}, head)) return false;
    static_cast<void>(bearer_error(head));
    if (find_signal(head) != signal_presence::none) {
        auto const signal = read_signal(head, R"({"authorization_details":[{"type":"a"}]})");
        if (signal) {
            CHECK_FALSE(signal->details.empty());
            for (auto const& d : signal->details) CHECK(string_member(d, "type"));
        } else {
            CHECK(signal.error().code == errc::bad_response);
        }
    }
    auto const framing = response_framing(head, method);
    if (!framing) return false;
    outgoing_response options;
    options.framing = *framing;
    options.via = "me";
    std::string out;
    write_response_head(out, head, options);
    response_head again;
    INFO(out);
    REQUIRE(find_head_end(out, 0) == out.size());
    REQUIRE(parse_response_head(out, {}, again).has_value());
    auto const framing_again = response_framing(again, method);
    REQUIRE(framing_again.has_value());
    CHECK(framing_again->kind == framing->kind);
    CHECK(framing_again->length == framing->length);
    CHECK(again.status == head.status);
    if (framing->kind == body_kind::until_close) CHECK_FALSE(keeps_alive(again, *framing_again));
    return true;
}

}  // namespace

TEST_CASE("whatever request is accepted is passed on with one meaning") {
    mutator m{1};
    int accepted = 0;
    for (int i = 0; i < 20'000; ++i) {
        exact const input{m.change(requests[m.below(requests.size())], pieces)};
        if (check_request(input.view())) ++accepted;
    }
    CHECK(accepted > 2'000);  // else this would show little
}

TEST_CASE("whatever response is accepted is passed on with one meaning") {
    mutator m{2};
    int accepted = 0;
    for (int i = 0; i < 20'000; ++i) {
        exact const input{m.change(responses[m.below(responses.size())], pieces)};
        if (check_response(input.view(), m.below(4) == 0 ? "HEAD" : "GET")) ++accepted;
    }
    CHECK(accepted > 2'000);
}

TEST_CASE("where a chunked body is cut changes nothing") {
    std::vector<std::string> const bodies = {"5\r\nhello\r\n3;x=\"y\"\r\nabc\r\n0\r\n\r\n",
                                             "a \r\n0123456789\r\n0\r\nTrailer: v\r\n\r\n"};
    mutator m{3};
    for (int i = 0; i < 20'000; ++i) {
        exact const input{m.change(bodies[m.below(bodies.size())], pieces)};
        auto const run = [&](std::size_t piece) {
            chunk_decoder decoder;
            std::string outcome;
            for (std::size_t at = 0; at < input.size && !decoder.done();) {
                auto const step = decoder.next(input.view().substr(at, piece));
                if (!step) return outcome + "|" + step.error().detail;
                REQUIRE(step->consumed > 0);
                at += step->consumed;
                outcome += step->data;
            }
            return outcome + (decoder.done() ? "|done" : "|more");
        };
        auto const whole = run(input.size + 1);
        CHECK(run(1) == whole);
        CHECK(run(1 + m.below(7)) == whole);
    }
}

TEST_CASE("whatever target is accepted has a host in its one form") {
    std::vector<std::string> const targets = {"http://example.com:80/a?b#c",
                                              "https://[2001:db8::1]:443/",
                                              "http://0x7f.1?x",
                                              "example.com:443",
                                              "http://user@h/",
                                              "/path?q",
                                              "http://xn--a.b-c_d./"};
    mutator m{4};
    for (int i = 0; i < 50'000; ++i) {
        exact const input{m.change(targets[m.below(targets.size())], pieces)};
        auto const method = m.below(3) == 0 ? "CONNECT" : "GET";
        auto const parsed = parse_request_target(method, input.view());
        if (!parsed) {
            CHECK(parsed.error().code == errc::bad_target);
            continue;
        }
        CHECK((parsed->form == target_form::authority || !parsed->path.empty()));
        if (parsed->authority.host.empty()) continue;
        INFO(std::string(input.view()));
        auto const text = format_authority(parsed->authority, parsed->scheme);
        auto const again = parse_authority(text, default_port(parsed->scheme));
        REQUIRE(again.has_value());
        CHECK(*again == parsed->authority);
    }
}

TEST_CASE("challenges and encodings take any bytes") {
    mutator m{5};
    std::string const header = "Basic realm=\"a\\\"b\", Negotiate abc/==, Bearer error=x, scope=\"y z\"";
    for (int i = 0; i < 20'000; ++i) {
        exact const input{m.change(header, pieces)};
        static_cast<void>(challenge_parameter(input.view(), "Bearer", "error"));
        if (auto const decoded = percent_decode(input.view())) CHECK(decoded->size() <= input.size);
        if (auto const decoded = decode_base64(input.view())) {
            CHECK(decode_base64(encode_base64(*decoded)) == decoded);
        }
        auto const text = to_utf8(input.view(), 40);
        CHECK(text.size() <= 40);
        CHECK(parse_json(json::serialize(json::value(text)), errc::internal).has_value());
    }
}
