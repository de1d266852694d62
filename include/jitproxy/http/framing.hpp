// How long a message's body is (RFC 9112 6), judged once, strictly: what could be read in two ways is an error.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "jitproxy/http/head.hpp"

namespace jitproxy::http {

enum class body_kind : std::uint8_t {
    none,         // no body; also Content-Length: 0
    length,       // Content-Length
    chunked,      // Transfer-Encoding: chunked
    until_close,  // responses only: ends when the connection ends
};

struct body_framing {
    body_kind kind = body_kind::none;
    std::uint64_t length = 0;  // of kind length
};

// Also checks that there is exactly one valid Host with HTTP/1.1 (RFC 9112 3.2; at most one with 1.0).
// Errors: ambiguous_framing (CL with TE, several or bad CL, TE other than "chunked", TE with HTTP/1.0),
// malformed_request. A CONNECT with a body is ambiguous too: it could be read as the tunnel's first bytes.
[[nodiscard]] result<body_framing> request_framing(request_head const& head);
// `method` is that of the request answered: HEAD, and CONNECT with 2xx, have no body; nor have 1xx, 204 and 304.
// Errors: bad_response (the same ambiguities; Transfer-Encoding in a 1xx or 204).
[[nodiscard]] result<body_framing> response_framing(response_head const& head, std::string_view method);
// RFC 9112 9.3: may the connection be used again after this message? Never after a body that ends with the connection,
// nor after a 1xx or 204 that announces a body.
[[nodiscard]] bool keeps_alive(request_head const& head) noexcept;
[[nodiscard]] bool keeps_alive(response_head const& head, body_framing const& framing) noexcept;

// Decodes chunked bodies piece by piece without copying. Extensions are dropped, trailers are checked and kept.
class chunk_decoder {
  public:
    struct step {
        std::size_t consumed = 0;  // bytes of the input used up, `data` among them
        std::string_view data;     // part of the input; may be empty
    };
    // Call until done() or until a step consumes nothing (then more input is needed).
    // Errors carry the code given at construction (malformed_request or bad_response).
    [[nodiscard]] result<step> next(std::string_view input);
    // Extensions and trailers may take up 16 KiB more than the data that came before them.
    [[nodiscard]] bool done() const noexcept { return state_ == state::done; }
    // Once done: the trailer section's field lines as received, each with its CRLF. See append_trailers().
    [[nodiscard]] std::string_view trailers() const noexcept { return trailers_; }
    explicit chunk_decoder(errc on_error = errc::bad_response) : on_error_(on_error) {}

  private:
    enum class state : std::uint8_t {
        size,           // hexadecimal digits of a chunk's size
        padding,        // white space behind them: an extension or the line's end must follow
        extension,      // the rest of that line
        size_lf,        // LF that ends it
        data,           // the chunk's bytes
        data_cr,        // CR after them
        data_lf,        // LF after them
        trailer_start,  // first byte of a trailer line, or CR of the last line
        trailer_name,   // within the name of a trailer field
        trailer_value,  // within its value
        trailer_lf,     // LF that ends a trailer line
        last_lf,        // LF that ends the body
        done,
    };
    [[nodiscard]] error fail(char const* what) const;
    char const* take(char c) noexcept;  // one byte outside of data; what is wrong with it, or nullptr
    char const* take_size(char c) noexcept;
    state state_ = state::size;
    errc on_error_;
    std::uint64_t left_ = 0;      // of the chunk's data
    std::uint32_t digits_ = 0;    // of the size read so far
    std::uint32_t overhead_ = 0;  // bytes of extensions and trailers, which are limited
    std::string trailers_;
};

// "1a2b\r\n": what goes before `size` bytes of data. After them CRLF; the end is "0\r\n\r\n".
void append_chunk_size(std::string& out, std::uint64_t size);
inline constexpr std::string_view last_chunk = "0\r\n\r\n";
// Appends what an intermediary passes on of a trailer section (field lines as chunk_decoder keeps them), bytes as
// received. Left out is what no trailer may say (RFC 9110 6.5.1, RFC 7230 4.1.2): framing, routing, authentication,
// controls, how to process the content; and what is for one connection only.
void append_trailers(std::string& out, std::string_view received);

}  // namespace jitproxy::http
