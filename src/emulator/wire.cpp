#include "jitproxy/emulator/wire.hpp"

#include <algorithm>
#include <array>

namespace jitproxy::emulator {

namespace {

std::string_view trim(std::string_view text) {
    auto const first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::string_view reason_of(unsigned status) {
    struct row {
        unsigned status;
        std::string_view reason;
    };
    static constexpr std::array rows{
        row{200, "OK"},
        row{201, "Created"},
        row{202, "Accepted"},
        row{204, "No Content"},
        row{302, "Found"},
        row{400, "Bad Request"},
        row{401, "Unauthorized"},
        row{403, "Forbidden"},
        row{404, "Not Found"},
        row{405, "Method Not Allowed"},
        row{409, "Conflict"},
        row{415, "Unsupported Media Type"},
        row{429, "Too Many Requests"},
        row{500, "Internal Server Error"},
        row{502, "Bad Gateway"},
        row{503, "Service Unavailable"},
        row{504, "Gateway Timeout"},
    };
    auto const at = std::find_if(rows.begin(), rows.end(), [&](row const& r) { return r.status == status; });
    return at == rows.end() ? std::string_view{} : at->reason;  // RFC 9112 4: may be empty
}

bool bodiless(unsigned status) {
    return status < 200 || status == 204 || status == 304;
}

std::string hex_size(std::size_t n) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    do {
        out.insert(out.begin(), digits[n % 16]);
        n /= 16;
    } while (n > 0);
    return out;
}

constexpr std::size_t chunk_size = 16UL * 1024;

}  // namespace

void read_raw_head(std::string_view head, request& r) {
    bool first = true;
    while (!head.empty()) {
        auto const end = head.find("\r\n");
        auto const line = head.substr(0, end);
        head = end == std::string_view::npos ? std::string_view{} : head.substr(end + 2);
        if (first) {
            first = false;
            auto const method_end = line.find(' ');
            auto const target_end = line.rfind(' ');
            if (method_end == std::string_view::npos || target_end <= method_end) continue;
            r.method = std::string{line.substr(0, method_end)};
            r.target = std::string{line.substr(method_end + 1, target_end - method_end - 1)};
            split_target(r);
            continue;
        }
        auto const colon = line.find(':');
        if (colon == std::string_view::npos) continue;
        r.fields.push_back({std::string{line.substr(0, colon)}, std::string{trim(line.substr(colon + 1))}});
    }
}

std::string write_head(request const& r, reply const& answer) {
    std::string head = "HTTP/1.1 " + std::to_string(answer.status) + ' ';
    head += reason_of(answer.status);
    head += "\r\nServer: jitproxy-emulator\r\n";
    for (auto const& f : answer.fields) head += f.name + ": " + f.value + "\r\n";
    bool const streamed = answer.events || answer.how == delivery::chunked;
    if (streamed && r.version >= 11)
        head += "Transfer-Encoding: chunked\r\n";
    else if (!streamed && !bodiless(answer.status))
        head += "Content-Length: " + std::to_string(answer.body.size()) + "\r\n";
    bool const ends = answer.close || answer.how == delivery::truncated || (streamed && r.version < 11);
    if (ends)
        head += "Connection: close\r\n";
    else if (r.version < 11)
        head += "Connection: keep-alive\r\n";
    head += "\r\n";
    return head;
}

std::string chunk(unsigned version, std::string_view data) {
    if (version < 11) return std::string{data};
    return hex_size(data.size()) + "\r\n" + std::string{data} + "\r\n";
}

std::string_view last_chunk(unsigned version) {
    return version < 11 ? std::string_view{} : std::string_view{"0\r\n\r\n"};
}

std::string chunked(unsigned version, std::string_view body) {
    std::string out;
    out.reserve(body.size() + body.size() / 1024 + 16);
    while (!body.empty()) {
        auto const part = body.substr(0, chunk_size);
        body.remove_prefix(part.size());
        out += chunk(version, part);
    }
    out += last_chunk(version);
    return out;
}

}  // namespace jitproxy::emulator
