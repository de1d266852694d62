// Replies as bytes, and the received head as it was spelt. Pure.
#pragma once
#include <string>
#include <string_view>

#include "jitproxy/emulator/message.hpp"

namespace jitproxy::emulator {

// Method, target and fields in received order and spelling; what is no HTTP is left out.
void read_raw_head(std::string_view head, request& r);

// Status line and fields, ready to be followed by the body.
[[nodiscard]] std::string write_head(request const& r, reply const& answer);

// Chunked framing (RFC 9112 7.1) for 1.1; bare bytes, ended by the connection's end, for 1.0.
[[nodiscard]] std::string chunk(unsigned version, std::string_view data);
[[nodiscard]] std::string_view last_chunk(unsigned version);
[[nodiscard]] std::string chunked(unsigned version, std::string_view body);  // in pieces, the last one included

}  // namespace jitproxy::emulator
