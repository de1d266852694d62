#include "response.hpp"

#include <algorithm>
#include <cctype>
#include <cstdlib>

namespace bench {

namespace {

// The value of a field of a head in lower case; empty where there is none.
std::string_view field(std::string_view head, std::string_view name) {
    auto const at = head.find("\r\n" + std::string{name} + ":");
    if (at == std::string_view::npos) return {};
    auto const begin = head.find_first_not_of(' ', at + name.size() + 3);
    return head.substr(begin, head.find("\r\n", begin) - begin);
}

}  // namespace

response::progress response::feed(std::string_view bytes) {
    if (head_done_) return body(bytes);
    auto const before = head_.size();
    head_.append(bytes);
    auto const end = head_.find("\r\n\r\n");
    if (end == std::string::npos) return progress::more;
    head_.resize(end + 2);
    return read_head() ? body(bytes.substr(end + 4 - before)) : progress::broken;
}

bool response::read_head() {
    if (!head_.starts_with("HTTP/1.") || head_.size() < 13) return false;
    head_done_ = true;
    status_ = std::atoi(head_.c_str() + 9);
    keeps_ = head_[7] == '1';
    std::transform(head_.begin(), head_.end(), head_.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    for (auto const* name : {"connection", "proxy-connection"}) {
        auto const value = field(head_, name);
        if (value.find("close") != std::string_view::npos) keeps_ = false;
        if (value.find("keep-alive") != std::string_view::npos) keeps_ = true;
    }
    if (expects_ == expects::no_body) {
        framing_ = framing::by_length;
    } else if (field(head_, "transfer-encoding").find("chunked") != std::string_view::npos) {
        framing_ = framing::by_chunks;
    } else if (auto const length = field(head_, "content-length"); !length.empty()) {
        framing_ = framing::by_length;
        left_ = std::strtoul(std::string{length}.c_str(), nullptr, 10);
    } else {
        keeps_ = false;
    }
    return true;
}

response::progress response::body(std::string_view bytes) {
    last_piece_ = bytes;
    if (framing_ == framing::by_chunks) return chunks(bytes);
    body_bytes_ += bytes.size();
    if (framing_ == framing::by_close) return progress::more;
    if (bytes.size() > left_) return progress::broken;
    left_ -= bytes.size();
    return left_ == 0 ? progress::whole : progress::more;
}

response::progress response::chunks(std::string_view bytes) {
    while (!bytes.empty()) {
        if (part_ == chunk_part::data) {
            auto const n = std::min(left_, bytes.size());
            body_bytes_ += n;
            left_ -= n;
            bytes.remove_prefix(n);
            if (left_ == 0) part_ = chunk_part::data_end;
            continue;
        }
        char const c = bytes.front();
        bytes.remove_prefix(1);
        if (c != '\n') {
            line_ += c;
            continue;
        }
        bool const empty = line_.empty() || line_ == "\r";
        if (part_ == chunk_part::trailer && empty) return progress::whole;
        if (part_ == chunk_part::size) {
            left_ = std::strtoul(line_.c_str(), nullptr, 16);
            part_ = left_ == 0 ? chunk_part::trailer : chunk_part::data;
        } else if (part_ == chunk_part::data_end) {
            part_ = chunk_part::size;
        }
        line_.clear();
    }
    return progress::more;
}

response::progress response::end() const {
    return head_done_ && framing_ == framing::by_close ? progress::whole : progress::broken;
}

}  // namespace bench
