// Chunked bodies: how the bytes are cut changes nothing, what is accepted is what a lenient reader finds too, and made
// anew it decodes to the same. Input: a line of letters that say how long the pieces are ('A' one byte, 'B' two...,
// over and over; '@' 256), then the body.
#include <cstdlib>
#include <string>
#include <vector>

#include "fuzz.hpp"
#include "jitproxy/http/framing.hpp"

using namespace jitproxy;
using namespace jitproxy::http;
using fuzz::require;

namespace {

struct outcome {
    std::string data;
    std::string trailers;
    std::string wrong;         // empty: none
    bool done = false;         //
    std::size_t consumed = 0;  // where the next message begins; means something where all is well
    friend bool operator==(outcome const&, outcome const&) = default;
};

// The pieces' sizes, over and over.
class sizes {
  public:
    explicit sizes(std::string_view letters) : letters_(letters) {}
    std::size_t next() {
        if (letters_.empty()) return 1;
        auto const size = static_cast<unsigned char>(letters_[at_++ % letters_.size()]) & 31U;
        return size == 0 ? 256 : size;
    }

  private:
    std::string_view letters_;
    std::size_t at_ = 0;
};

outcome decode(std::string_view body, sizes pieces, bool whole) {
    outcome out;
    chunk_decoder decoder{errc::malformed_request};
    while (!body.empty()) {
        // Each piece ends where its block ends.
        fuzz::exact const piece{body.substr(0, whole ? body.size() : pieces.next())};
        body.remove_prefix(piece.view().size());
        auto rest = piece.view();
        while (!rest.empty() && !decoder.done()) {
            auto const step = decoder.next(rest);
            if (!step) {
                require(step.error().code == errc::malformed_request, "the error has the code that was asked for");
                out.wrong = step.error().detail;
                out.consumed = 0;
                return out;
            }
            require(step->consumed > 0 && step->consumed <= rest.size(), "each step takes some of what there is");
            if (!step->data.empty())
                require(step->data.data() >= rest.data() &&
                            step->data.data() + step->data.size() == rest.data() + step->consumed,
                        "data lies within the piece, at the end of what was taken");
            out.data += step->data;
            out.consumed += step->consumed;
            rest.remove_prefix(step->consumed);
        }
        if (decoder.done()) break;
    }
    out.done = decoder.done();
    if (!out.done) return out;
    require(decoder.next("0\r\n\r\n")->consumed == 0, "nothing is taken behind the end");
    out.trailers = decoder.trailers();
    return out;
}

// As a reader would that believes everything: sizes by strtoull, lines to the next CRLF.
outcome believe(std::string_view body) {
    outcome out;
    std::size_t at = 0;
    auto const line = [&] {
        auto const end = body.find("\r\n", at);
        require(end != body.npos, "each line ends with CRLF");
        std::string text{body.substr(at, end - at)};
        at = end + 2;
        return text;
    };
    while (true) {
        auto const size_line = line();
        require(size_line.find('\n') == size_line.npos && size_line.find('\r') == size_line.npos, "no bare CR or LF");
        require(size_line.find_first_of("+-xX", 0) >= size_line.find_first_of("; \t"), "a size is digits alone");
        auto const size = std::strtoull(size_line.c_str(), nullptr, 16);
        if (size == 0) break;
        require(size <= body.size() - at, "all data is there");
        out.data += body.substr(at, size);
        at += size;
        require(line().empty(), "CRLF behind the data");
    }
    for (std::string trailer = line(); !trailer.empty(); trailer = line()) {
        require(trailer.find('\n') == trailer.npos && trailer.find('\r') == trailer.npos, "no bare CR or LF");
        require(trailer.find(':') != trailer.npos, "a trailer is a field");
        out.trailers += trailer + "\r\n";
    }
    out.done = true;
    out.consumed = at;
    return out;
}

// What goes on of the trailers: fields that the strict parser takes too, none that says how to read the message.
std::string pass_on(std::string const& trailers) {
    std::string passed;
    append_trailers(passed, trailers);
    std::string twice;
    append_trailers(twice, passed);
    require(twice == passed, "what passes once passes again");
    for (std::string const* text : {&trailers, static_cast<std::string const*>(&passed)}) {
        request_head head;
        auto const as_head = "GET / HTTP/1.1\r\n" + *text + "\r\n";
        require(parse_request_head(as_head, {.fields = 10'000}, head).has_value(), "a trailer is a field of a head");
        if (text != &passed) continue;
        for (auto const& f : head.fields)
            require(f.id == field_id::other, "nothing passes that a head would have to say");
    }
    return passed;
}

std::string encode(std::string_view data, std::string_view trailers, sizes pieces) {
    std::string out;
    while (!data.empty()) {
        auto const piece = data.substr(0, pieces.next());
        data.remove_prefix(piece.size());
        append_chunk_size(out, piece.size());
        out.append(piece).append("\r\n");
    }
    return trailers.empty() ? out.append(last_chunk) : out.append("0\r\n").append(trailers).append("\r\n");
}

}  // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    auto const input = fuzz::view(data, size);
    auto const line = std::min(input.find('\n'), size);
    sizes const pieces{input.substr(0, line)};
    auto const body = input.substr(std::min(line + 1, size));

    auto const whole = decode(body, pieces, true);
    require(decode(body, pieces, false) == whole, "how a body is cut changes nothing");
    if (!whole.done) return 0;
    require(believe(body) == whole, "what is accepted has one reading");
    auto const trailers = pass_on(whole.trailers);
    auto const again = encode(whole.data, trailers, pieces);
    auto const decoded = decode(again, pieces, false);
    require(decoded.done && decoded.data == whole.data && decoded.trailers == trailers, "made anew it is the same");
    require(decoded.consumed == again.size(), "and ends where it ends");
    return 0;
}
