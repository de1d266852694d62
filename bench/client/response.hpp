// Reads one HTTP/1.1 answer as it arrives: its status, where its body ends, and whether the connection goes on.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace bench {

class response {
  public:
    enum class expects { body, no_body };  // a good answer to CONNECT has none
    enum class progress { more, whole, broken };

    explicit response(expects e = expects::body) : expects_(e) {}

    progress feed(std::string_view bytes);
    // The other side closed: whole where the body ends with the connection.
    [[nodiscard]] progress end() const;

    [[nodiscard]] int status() const { return status_; }
    [[nodiscard]] bool keeps_connection() const { return keeps_; }
    [[nodiscard]] std::size_t body_bytes() const { return body_bytes_; }
    [[nodiscard]] bool begun() const { return !head_.empty(); }
    // What of the body came with the last piece; chunked framing included. For small answers that came in one.
    [[nodiscard]] std::string_view last_piece() const { return last_piece_; }

  private:
    enum class framing { by_length, by_chunks, by_close };
    enum class chunk_part { size, data, data_end, trailer };

    bool read_head();
    progress body(std::string_view bytes);
    progress chunks(std::string_view bytes);

    expects expects_;
    std::string head_;
    bool head_done_ = false;
    int status_ = 0;
    bool keeps_ = true;
    framing framing_ = framing::by_close;
    std::size_t left_ = 0;  // of the body, or of the chunk
    std::size_t body_bytes_ = 0;
    chunk_part part_ = chunk_part::size;
    std::string line_;
    std::string_view last_piece_;
};

}  // namespace bench
