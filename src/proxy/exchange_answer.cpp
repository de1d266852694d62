// exchange_driver: an answer's head, and what it says.
#include "jitproxy/base/encoding.hpp"
#include "jitproxy/base/log.hpp"
#include "jitproxy/proxy/exchange_driver.hpp"
#include "jitproxy/proxy/worker.hpp"

namespace jitproxy::proxy {

namespace {
constexpr unsigned most_interim = 16;  // 1xx heads before one answer
}

result<exchange_driver::moved> exchange_driver::take_response_head() {
    auto& buffer = upstream_->buffer();
    auto const& limits = worker_.limits.head;
    for (;;) {
        auto const end = head_search_.find(buffer.data());
        if (end == 0) {
            auto const room = buffer.prepare(limits.bytes);
            if (room.empty())
                return make_error(errc::response_head_too_large,
                                  request_.to.origin + " sent a head larger than [limits] head_bytes");
            auto const got = upstream_->try_read(room);
            if (got.status == net::io_status::ok) {
                buffer.commit(got.bytes);
                anything_received_ = true;
                continue;
            }
            if (got.status == net::io_status::blocked) {
                upstream_->wait_read();
                return moved::no;
            }
            return make_error(errc::connection_closed,
                              request_.to.origin + " closed the connection before it answered");
        }
        response_bytes_.assign(buffer.data().substr(0, end));
        buffer.consume(end);
        if (auto const parsed = http::parse_response_head(response_bytes_, limits, response_); !parsed)
            return parsed.error();
        bool const switching = response_.status == 101;
        if (switching && !request_.upgrade)
            return make_error(errc::bad_response, request_.to.origin + " switched protocols without being asked to");
        if (switching && !upload_over_)
            return make_error(errc::bad_response, request_.to.origin + " switched protocols within the request");
        if (response_.status >= 200 || switching) break;
        if (++interim_ > most_interim)
            return make_error(errc::bad_response, request_.to.origin + " sent too many 1xx answers");
        pass_interim_on();
    }
    auto const framing = http::response_framing(response_, request_.head->method);
    if (!framing) return framing.error();
    response_framing_ = *framing;
    if (response_.status == 101) response_framing_ = {};
    response_body_ = body_reader(response_framing_, errc::bad_response);
    return moved::yes;
}

// 100, 102, 103: RFC 9110 15.2. An HTTP/1.0 client does not know them, and one 100 is enough for it.
void exchange_driver::pass_interim_on() {
    if (request_.head->version == http::version::http_1_0) return;
    if (response_.status == 100 && body_invited_) return;
    if (response_.status == 100) body_invited_ = true;
    if (response_.status == 100) body_withheld_ = false;
    http::outgoing_response outgoing;
    outgoing.via = worker_.via;
    std::string text;
    http::write_response_head(text, response_, outgoing);
    send_interim(text);
}

void exchange_driver::invite_body() {
    body_invited_ = true;
    body_withheld_ = false;
    send_interim("HTTP/1.1 100 Continue\r\n\r\n");
}

void exchange_driver::send_interim(std::string_view text) {
    if (down_.send(client_.stream, {&text, 1}) == net::io_status::blocked) client_.stream.wait_write();
}

// Keeps the beginning of the answer's body; the whole of it where it is short, so that the connection can be used again
// at once.
net::task<> exchange_driver::hold_body() {
    auto const most = worker_.limits.held_body;
    client_.limit.expires_after(worker_.options.timeouts.body_idle);
    while (!response_body_.complete() && held_.size() < most && !client_.cut && !client_.limit.expired()) {
        pieces body;
        auto const status = response_body_.read(
            *upstream_, std::span(worker_.scratch).first(std::min(most - held_.size(), worker_.scratch.size())), body);
        for (auto piece : body) held_.append(piece);
        if (status == body_status::blocked) {
            upstream_->wait_read();
            co_await client_.waker.wait();
        } else if (status != body_status::data) {
            break;
        }
    }
    client_.limit.never();
}

net::task<jit::response_started> exchange_driver::judge_response() {
    jit::response_started started;
    started.status = response_.status;
    started.replayable = body_.replayable();
    if (!session_) co_return started;  // sent without a bearer
    auto const presence = http::find_signal(response_);
    bool const dead = presence == http::signal_presence::none && response_.status == 401 &&
                      iequals(http::bearer_error(response_), "invalid_token");
    if (presence == http::signal_presence::none && !dead) co_return started;

    co_await hold_body();
    if (dead) {
        started.signal = jit::signal_kind::dead_token;
    } else if (auto signal = http::read_signal(response_, held_); signal) {
        signal_ = std::move(*signal);
        started.signal = jit::signal_kind::permission;
        for (auto const& details : signal_.details) started.needs += canonical_json(details) + '\n';
    } else {
        started.signal = jit::signal_kind::malformed;
        log::warning("an API's permission signal cannot be understood",
                     {{"origin", request_.to.origin}, {"reason", signal.error().detail}});
    }
    if (response_body_.complete()) release_upstream();
    co_return started;
}

}  // namespace jitproxy::proxy
