#include "jitproxy/proxy/body.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace jitproxy::proxy {

namespace {
constexpr std::size_t room_for_framing = 4;  // a head, and what body_writer adds
}

body_reader::body_reader(http::body_framing framing, errc on_error)
    : framing_(framing), decoder_(on_error), left_(framing.length), complete_(false) {
    if (framing.kind == http::body_kind::none || (framing.kind == http::body_kind::length && framing.length == 0))
        complete_ = true;
}

body_status body_reader::read(net::endpoint& from, std::span<char> scratch, pieces& out) {
    if (broken_) return why_broken_;
    if (complete_) return body_status::end;
    auto const status = read_more(from, scratch, out);
    if (status == body_status::cut || status == body_status::bad) {
        broken_ = true;
        why_broken_ = status;
    }
    return status;
}

body_status body_reader::read_more(net::endpoint& from, std::span<char> scratch, pieces& out) {
    if (framing_.kind == http::body_kind::length && left_ < scratch.size())
        scratch = scratch.first(static_cast<std::size_t>(left_));
    auto& buffered = from.buffer();
    if (!buffered.empty()) {
        auto const n = std::min(buffered.size(), scratch.size());
        std::memcpy(scratch.data(), buffered.data().data(), n);
        return decode(from, {scratch.data(), n}, true, out);
    }
    auto const got = from.try_read(scratch);
    switch (got.status) {
        case net::io_status::ok:
            return decode(from, {scratch.data(), got.bytes}, false, out);
        case net::io_status::blocked:
            return body_status::blocked;
        case net::io_status::eof:
            if (framing_.kind != http::body_kind::until_close) return body_status::cut;
            complete_ = true;
            return body_status::end;
        case net::io_status::failed:
            break;
    }
    return body_status::cut;
}

body_status body_reader::decode(net::endpoint& from, std::string_view raw, bool from_buffer, pieces& out) {
    auto const size = raw.size();
    if (framing_.kind == http::body_kind::chunked) {
        while (!raw.empty() && !decoder_.done() && out.size() + room_for_framing < out.capacity()) {
            auto const step = decoder_.next(raw);
            if (!step) return body_status::bad;
            if (!step->data.empty()) out.push_back(step->data);
            raw.remove_prefix(step->consumed);
            if (step->consumed == 0) break;
        }
        complete_ = decoder_.done();
    } else {
        out.push_back(raw);
        raw = {};
        if (framing_.kind == http::body_kind::length) {
            left_ -= size;
            complete_ = left_ == 0;
        }
    }
    if (from_buffer)
        from.buffer().consume(size - raw.size());
    else
        from.buffer().put_back(raw);
    return body_status::data;
}

void body_writer::frame(pieces const& body, bool last, std::string_view trailers, pieces& out) {
    if (kind_ == http::body_kind::chunked) {
        std::uint64_t size = 0;
        for (auto piece : body) size += piece.size();
        if (size != 0) {
            auto const end = std::to_chars(size_line_.data(), size_line_.data() + size_line_.size() - 2, size, 16).ptr;
            end[0] = '\r';
            end[1] = '\n';
            out.emplace_back(size_line_.data(), static_cast<std::size_t>(end + 2 - size_line_.data()));
            out.insert(out.end(), body.begin(), body.end());
            out.emplace_back("\r\n");
        }
        if (last && !ended_) {
            ended_ = true;
            if (trailers.empty()) {
                out.push_back(http::last_chunk);
            } else {
                end_ = "0\r\n";
                http::append_trailers(end_, trailers);
                end_ += "\r\n";
                out.push_back(end_);
            }
        }
        return;
    }
    if (kind_ != http::body_kind::none) out.insert(out.end(), body.begin(), body.end());
}

}  // namespace jitproxy::proxy
