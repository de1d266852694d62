#include <string>
#include <vector>

#include "catch.hpp"
#include "jitproxy/http/framing.hpp"

using namespace jitproxy;
using namespace jitproxy::http;

namespace {

std::string passed_on(std::string_view received) {
    std::string out = "0\r\n";
    append_trailers(out, received);
    return out.substr(3);
}

}  // namespace

TEST_CASE("trailers pass byte for byte") {
    for (std::string const text : {"", "Checksum: abc\r\n", "a:b\r\nA:  b \r\na:\r\n", "Server-Timing: db;dur=53\r\n",
                                   "grpc-status: 0\r\ngrpc-message: \xC3\xA9\r\n"}) {
        INFO(text);
        CHECK(passed_on(text) == text);
    }
}

TEST_CASE("what no trailer may say is left out, however it is spelled") {
    for (std::string const name : {"Transfer-Encoding",
                                   "content-length",
                                   "HOST",
                                   "Authorization",
                                   "Cookie",
                                   "Set-Cookie",
                                   "Content-Type",
                                   "Content-Encoding",
                                   "Content-Range",
                                   "Trailer",
                                   "TE",
                                   "Connection",
                                   "Keep-Alive",
                                   "Upgrade",
                                   "Expect",
                                   "Max-Forwards",
                                   "Cache-Control",
                                   "If-Match",
                                   "if-none-match",
                                   "Range",
                                   "Location",
                                   "Retry-After",
                                   "Via",
                                   "WWW-Authenticate",
                                   "Proxy-Authorization",
                                   "Proxy-Status",
                                   "JIT-Justification",
                                   "JIT-Request-Status",
                                   "Insufficient-Authorization-Details",
                                   "Date",
                                   "Vary",
                                   "Age",
                                   "Sec-WebSocket-Accept"}) {
        INFO(name);
        CHECK(passed_on("a: 1\r\n" + name + ": x\r\nb: 2\r\n").compare("a: 1\r\nb: 2\r\n") == 0);
    }
    CHECK(passed_on("Hosts: x\r\nHos: y\r\n") == "Hosts: x\r\nHos: y\r\n");
}

TEST_CASE("the decoder keeps trailers as received, whatever pieces they come in") {
    std::string const body = "2\r\nab\r\n0;x\r\nOne: 1\r\nTwo:\t2 \r\n\r\n";
    for (std::size_t size = 1; size <= body.size(); ++size) {
        chunk_decoder decoder;
        std::string data;
        for (std::string_view rest = body; !rest.empty();) {
            auto piece = rest.substr(0, size);
            rest.remove_prefix(piece.size());
            while (!piece.empty()) {
                auto const step = decoder.next(piece);
                REQUIRE(step.has_value());
                data += step->data;
                piece.remove_prefix(step->consumed);
            }
        }
        REQUIRE(decoder.done());
        CHECK(data == "ab");
        CHECK(decoder.trailers() == "One: 1\r\nTwo:\t2 \r\n");
    }
}
