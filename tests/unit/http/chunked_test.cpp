#include <string>

#include "catch.hpp"
#include "jitproxy/http/framing.hpp"

using namespace jitproxy;
using namespace jitproxy::http;
using namespace std::string_literals;

namespace {

struct decoded {
    std::string data;
    std::size_t consumed = 0;
    bool done = false;
    bool failed = false;
    error what;
};

// Feeds the text in pieces of `piece` bytes, as a connection would.
decoded decode(std::string_view text, std::size_t piece, errc code = errc::bad_response) {
    chunk_decoder decoder{code};
    decoded out;
    while (!decoder.done()) {
        auto const rest = text.substr(out.consumed, piece);
        auto const step = decoder.next(rest);
        if (!step) {
            out.failed = true;
            out.what = step.error();
            return out;
        }
        REQUIRE(step->consumed <= rest.size());
        if (!step->data.empty()) {
            REQUIRE(step->data.data() >= rest.data());
            REQUIRE(step->data.data() + step->data.size() <= rest.data() + step->consumed);
        }
        out.data += step->data;
        out.consumed += step->consumed;
        if (step->consumed == 0) break;  // wants more
    }
    out.done = decoder.done();
    return out;
}

}  // namespace

TEST_CASE("chunked bodies are decoded however they are cut") {
    struct row {
        std::string text;
        std::string data;
    };
    row const rows[] = {
        {"0\r\n\r\n", ""},
        {"5\r\nhello\r\n0\r\n\r\n", "hello"},
        {"1\r\na\r\n00a\r\n0123456789\r\n0\r\n\r\n", "a0123456789"},
        {"A\r\n0123456789\r\na\r\n0123456789\r\n000\r\n\r\n", "01234567890123456789"},
        {"3;ext=1;q=\"a;b\"\r\nabc\r\n0;last\r\n\r\n", "abc"},
        {"3 ;ext\r\nabc\r\n0\t \r\n\r\n", "abc"},
        {"2\r\n\r\n\r\n0\r\n\r\n", "\r\n"},
        {"3\r\nabc\r\n0\r\nTrailer: value\r\nX-Y:\r\n\r\n", "abc"},
        {"0000000000000003\r\nabc\r\n0\r\n\r\n", "abc"},
    };
    for (auto const& r : rows) {
        for (std::size_t piece = 1; piece <= r.text.size() + 8; ++piece) {
            INFO(r.text << " in pieces of " << piece);
            auto const out = decode(r.text + "next message", piece);
            CHECK(out.done);
            CHECK(out.data == r.data);
            CHECK(out.consumed == r.text.size());
        }
    }
}

TEST_CASE("a body that is cut off is never done") {
    std::string const text = "3;e\r\nabc\r\n0\r\nT: v\r\n\r\n";
    for (std::size_t size = 0; size < text.size(); ++size) {
        INFO(size);
        auto const out = decode(text.substr(0, size), text.size());
        CHECK_FALSE(out.done);
        CHECK_FALSE(out.failed);
        CHECK(out.consumed == size);
    }
}

TEST_CASE("what is no chunked body is refused") {
    struct row {
        std::string text;
        std::string_view detail;
    };
    row const rows[] = {
        {"\r\n", "no size"},
        {"g\r\n", "no size"},
        {" 5\r\n", "no size"},
        {";x\r\n", "no size"},
        {"-5\r\n", "no size"},
        {"+5\r\n", "no size"},
        {"0x5\r\n", "bad character"},
        {"5\n", "bad character"},
        {"5,\r\n", "bad character"},
        {"5 5\r\n", "something behind a size"},
        {"5 \n", "something behind a size"},
        {"5\r5", "CR without LF behind a size"},
        {"5\r\r\n", "CR without LF behind a size"},
        {"5;a\nb\r\n", "control character in an extension"},
        {"5;a\0\r\n"s, "control character in an extension"},
        {"5;a\rb\r\n", "CR without LF behind a size"},
        {"3\r\nabcd", "no CR behind the data"},
        {"3\r\nabc\n", "no CR behind the data"},
        {"3\r\nabc\rX", "no LF behind the data"},
        {"3\r\nabc\r\n\r\n", "no size"},
        {"0\r\n\n", "bad trailer field"},
        {"0\r\n folded: x\r\n", "bad trailer field"},
        {"0\r\n: x\r\n", "bad trailer field"},
        {"0\r\nname\r\n", "bad character in a trailer field's name"},
        {"0\r\nna me: x\r\n", "bad character in a trailer field's name"},
        {"0\r\nname : x\r\n", "bad character in a trailer field's name"},
        {"0\r\nname: x\ny\r\n", "control character in a trailer field"},
        {"0\r\nname: x\ry", "CR without LF in a trailer field"},
        {"0\r\nname: \0\r\n"s, "control character in a trailer field"},
        {"0\r\n\rX", "CR without LF at the end"},
        {"8000000000000000\r\n", "size too large"},
        {"ffffffffffffffff\r\n", "size too large"},
        {"10000000000000000\r\n", "size too large"},
        {"fffffffffffffffff\r\n", "size too large"},
        {"00000000000000005\r\n", "size too large"},
    };
    for (auto const& r : rows) {
        for (std::size_t piece : {std::size_t{1}, r.text.size()}) {
            INFO(r.text);
            auto const out = decode(r.text, piece, errc::malformed_request);
            REQUIRE(out.failed);
            CHECK(out.what.code == errc::malformed_request);
            INFO(out.what.detail);
            CHECK(out.what.detail.find(r.detail) != std::string::npos);
        }
    }
    CHECK(decode("x", 1).what.code == errc::bad_response);
}

TEST_CASE("the largest size is taken") {
    chunk_decoder decoder;
    auto const step = decoder.next("7fffffffffffffff\r\nabc");
    REQUIRE(step.has_value());
    CHECK(step->data == "abc");
}

TEST_CASE("extensions and trailers are bounded") {
    std::string const long_text(16 * 1024 + 1, 'x');
    CHECK(decode("1;" + long_text, 1000).failed);
    CHECK(decode("1" + std::string(16 * 1024 + 2, ' '), 1000).failed);
    CHECK(decode("0\r\n" + long_text, 1000).failed);
    CHECK(decode("0\r\na:" + long_text, 1000).failed);
    std::string many_lines = "0\r\n";
    for (int i = 0; i < 5000; ++i) many_lines += "a: b\r\n";
    CHECK(decode(many_lines, 1000).failed);
    // small chunks with extensions that outweigh their data
    std::string wasteful;
    for (int i = 0; i < 2000; ++i) wasteful += "1;0123456789\r\nx\r\n";
    CHECK(decode(wasteful, 1000).failed);
    // a long body may have many extensions
    std::string signed_body;
    for (int i = 0; i < 500; ++i) signed_body += "100;chunk-signature=0123456789\r\n" + std::string(256, 'd') + "\r\n";
    auto const out = decode(signed_body + "0\r\n\r\n", 4096);
    CHECK(out.done);
    CHECK(out.data.size() == 500 * 256);
}

TEST_CASE("chunk sizes are written in hexadecimal") {
    struct row {
        std::uint64_t size;
        std::string_view text;
    };
    for (auto const& r : {row{1, "1\r\n"}, row{0x1a2b, "1a2b\r\n"}, row{UINT64_MAX, "ffffffffffffffff\r\n"}}) {
        std::string out = "x";
        append_chunk_size(out, r.size);
        CHECK(out == "x" + std::string(r.text));
    }
    CHECK(last_chunk == "0\r\n\r\n");
}
