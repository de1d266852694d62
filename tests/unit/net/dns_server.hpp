// A name server for tests: scripted, on a UDP port of loopback, on the test's own io_context.
#pragma once
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace jitproxy::net::test {

namespace asio = boost::asio;

constexpr std::uint16_t type_a = 1;
constexpr std::uint16_t type_cname = 5;
constexpr std::uint16_t type_aaaa = 28;

struct record {
    std::string name;
    std::uint16_t type;
    std::uint32_t ttl;
    std::string data;  // as on the wire
};
struct dns_answer {
    bool silent = false;
    std::uint8_t rcode = 0;  // 2 SERVFAIL, 3 NXDOMAIN, 5 REFUSED
    std::vector<record> records;
    bool truncated = false;
    bool held = false;  // until release()
};

inline std::string wire_name(std::string const& name) {
    std::string out;
    for (std::size_t from = 0; from < name.size();) {
        auto const dot = std::min(name.find('.', from), name.size());
        out += static_cast<char>(dot - from);
        out += name.substr(from, dot - from);
        from = dot + 1;
    }
    return out + '\0';
}

inline record a_record(std::string name, std::string const& address, std::uint32_t ttl = 60) {
    auto const bytes = asio::ip::make_address_v4(address).to_bytes();
    return {std::move(name), type_a, ttl, std::string(bytes.begin(), bytes.end())};
}
inline record aaaa_record(std::string name, std::string const& address, std::uint32_t ttl = 60) {
    auto const bytes = asio::ip::make_address_v6(address).to_bytes();
    return {std::move(name), type_aaaa, ttl, std::string(bytes.begin(), bytes.end())};
}
inline record cname_record(std::string name, std::string const& target, std::uint32_t ttl = 60) {
    return {std::move(name), type_cname, ttl, wire_name(target)};
}

class dns_server {
  public:
    explicit dns_server(asio::io_context& io) : dns_server(io, {asio::ip::address_v4::loopback(), 0}) {}
    // Throws where the endpoint can't be had.
    dns_server(asio::io_context& io, asio::ip::udp::endpoint const& at) : socket_(io, at) { receive(); }

    void on(std::string name, std::uint16_t type, dns_answer answer) { script_[{std::move(name), type}] = answer; }
    // Both types at once, each with the records that are of it.
    void host(std::string const& name, std::vector<record> const& records) {
        for (auto const type : {type_a, type_aaaa}) {
            dns_answer answer;
            for (auto const& r : records)
                if (r.type == type || r.type == type_cname) answer.records.push_back(r);
            on(name, type, answer);
        }
    }
    void host(std::string const& name, dns_answer const& answer) {
        for (auto const type : {type_a, type_aaaa}) on(name, type, answer);
    }
    [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(socket_.local_endpoint().port()); }
    // Sends the answers that were held.
    void release() {
        for (auto const& [bytes, to] : std::exchange(held_, {})) send(bytes, to);
    }
    // Every question that came, "NAME/TYPE" (retries too).
    std::vector<std::string> questions;
    [[nodiscard]] std::size_t asked(std::string const& name, std::uint16_t type) const {
        std::size_t n = 0;
        for (auto const& q : questions) n += q == name + '/' + std::to_string(type) ? 1 : 0;
        return n;
    }

  private:
    void receive() {
        socket_.async_receive_from(asio::buffer(buffer_), from_,
                                   [this](boost::system::error_code ec, std::size_t size) {
                                       if (ec == asio::error::operation_aborted) return;
                                       if (!ec) reply({buffer_.data(), size});
                                       receive();
                                   });
    }

    static void put16(std::string& out, std::uint32_t n) {
        out += static_cast<char>(n >> 8 & 0xff);
        out += static_cast<char>(n & 0xff);
    }

    void reply(std::string const& query) {
        std::string name;
        std::size_t at = 12;
        while (at < query.size() && query[at] != 0) {
            auto const length = static_cast<unsigned char>(query[at]);
            if (!name.empty()) name += '.';
            name += query.substr(at + 1, length);
            at += length + 1U;
        }
        auto const type = static_cast<std::uint16_t>(static_cast<unsigned char>(query[at + 1]) << 8 |
                                                     static_cast<unsigned char>(query[at + 2]));
        questions.push_back(name + '/' + std::to_string(type));
        auto const found = script_.find({name, type});
        dns_answer const answer = found == script_.end() ? dns_answer{false, 3, {}} : found->second;
        if (answer.silent) return;
        std::string out = query.substr(0, 2);
        out += static_cast<char>(answer.truncated ? '\x87' : '\x85');  // response, authoritative, recursion desired
        out += static_cast<char>(0x80 | answer.rcode);
        put16(out, 1);
        put16(out, static_cast<std::uint32_t>(answer.records.size()));
        put16(out, 0);
        put16(out, 0);
        out += query.substr(12, at + 5 - 12);
        for (auto const& r : answer.records) {
            out += wire_name(r.name);
            put16(out, r.type);
            put16(out, 1);
            put16(out, r.ttl >> 16);
            put16(out, r.ttl & 0xffff);
            put16(out, static_cast<std::uint32_t>(r.data.size()));
            out += r.data;
        }
        if (answer.held)
            held_.emplace_back(std::move(out), from_);
        else
            send(out, from_);
    }

    void send(std::string const& bytes, asio::ip::udp::endpoint const& to) {
        boost::system::error_code ignored;
        socket_.send_to(asio::buffer(bytes), to, 0, ignored);
    }

    asio::ip::udp::socket socket_;
    asio::ip::udp::endpoint from_;
    std::array<char, 1500> buffer_{};
    std::map<std::pair<std::string, std::uint16_t>, dns_answer> script_;
    std::vector<std::pair<std::string, asio::ip::udp::endpoint>> held_;
};

}  // namespace jitproxy::net::test
