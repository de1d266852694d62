// exchange_driver: one attempt, from the connection until the answer's head is there.
#include "jitproxy/base/encoding.hpp"
#include "jitproxy/base/log.hpp"
#include "jitproxy/net/mailbox.hpp"
#include "jitproxy/proxy/exchange_driver.hpp"
#include "jitproxy/proxy/worker.hpp"

namespace jitproxy::proxy {

namespace {
bool expects_continue(http::request_head const& head) {  // any other expectation was refused before
    return head.version == http::version::http_1_1 && head.find(http::field_id::expect) != nullptr;
}
}  // namespace

jit::upstream_failed exchange_driver::failed_with(error what) const {
    // An origin that is silent has the request: only a connection that has ended may have been a stale one.
    bool const ours_to_retry = what.code == errc::connection_closed;
    return {std::move(what), reused_ && ours_to_retry, !anything_received_, body_.replayable()};
}

net::task<exchange_driver::event> exchange_driver::send(jit::send_request order) {
    anything_received_ = false;
    client_failure_.reset();
    interim_ = 0;
    held_.clear();
    up_.clear();
    upload_over_ = false;
    head_search_.restart();
    auto const began = worker_.now();
    auto opened = co_await open_upstream(order.fresh_connection);
    auto const sending = worker_.now();
    client_.record.queue += std::chrono::duration_cast<std::chrono::microseconds>(sending - began);
    if (client_.cut) co_return jit::client_left{};
    if (!opened) co_return failed_with(opened.error());

    if (jit::first_use(order.used)) worker_.control.token_used(session_->session_id, std::move(order.grant_id));
    if (!order.bearer && http::authenticates_connection(*request_.head)) own_ = true;
    http::outgoing_request outgoing;
    outgoing.path = request_.path;
    outgoing.host = request_.host;
    if (order.bearer) outgoing.bearer = order.bearer->reveal();
    outgoing.framing = request_.framing;
    outgoing.upgrade = request_.upgrade;
    outgoing.via = worker_.via;
    head_out_.clear();
    http::write_request_head(head_out_, *request_.head, outgoing);
    body_.rewind();
    up_framing_ = body_writer(request_.framing.kind);
    body_withheld_ = !body_invited_ && body_.untouched() && expects_continue(*request_.head);

    auto answered = co_await await_response();
    client_.record.upstream += worker_.since(sending);
    if (client_.cut) co_return jit::client_left{};
    if (!answered) {
        if (answered.error().code == errc::client_gone) co_return jit::client_left{};
        co_return failed_with(answered.error());
    }
    auto judged = co_await judge_response();
    co_return judged;
}

net::task<result<void>> exchange_driver::open_upstream(bool fresh) {
    count_bytes();
    upstream_.reset();
    reused_ = client_.record.connection_reused = false;
    if (!fresh) upstream_ = take_own();
    own_ = upstream_ != nullptr;
    using stale = net::upstreams::stale;
    auto const one = repeatable_ ? stale::risked : stale::looked_for;
    if (!fresh && !upstream_) upstream_ = worker_.upstreams.take_idle(request_.to, client_.waker, one);
    if (upstream_) {
        reused_ = client_.record.connection_reused = true;
        co_return result<void>{};
    }
    auto connected = co_await worker_.upstreams.connect(request_.to, true, client_.waker, client_.limit);
    if (!connected) co_return connected.error();
    upstream_ = std::move(*connected);
    co_return result<void>{};
}

std::string exchange_driver::purpose() const {
    auto text = request_.session_id + ' ' + request_.to.origin;
    if (request_.to.api) text += ' ' + request_.to.api->name;
    return text;
}

net::endpoint_ptr exchange_driver::take_own() const {
    if (!client_.own.stream || client_.own.purpose != purpose()) return nullptr;
    auto stream = std::move(client_.own.stream);
    bool const usable = worker_.upstreams.is_reusable(*stream) && stream->look() == net::endpoint::peer_state::quiet;
    if (!usable) return nullptr;
    stream->set_waker(&client_.waker);
    return stream;
}

exchange_driver::moved exchange_driver::pump_up() {
    if (upload_over_) return moved::no;
    if (!up_.empty(*upstream_)) {
        auto const flushed = up_.flush(*upstream_);
        if (flushed == net::io_status::failed) upload_over_ = true;
        if (flushed == net::io_status::blocked) upstream_->wait_write();
        if (flushed != net::io_status::ok) return moved::no;
    }
    pieces body;
    pieces framed;
    bool took = false;
    if (!head_out_.empty()) framed.push_back(head_out_);
    if (!body_.at_end() && !body_withheld_) {
        switch (body_.next(client_.stream, worker_.scratch, body)) {
            case body_status::data:  // perhaps a chunk's size line alone: nothing to send, and nothing armed
                took = true;
                break;
            case body_status::end:
                break;
            case body_status::blocked:
                client_.stream.wait_read();
                break;
            case body_status::cut:
                client_failure_ =
                    make_error(errc::client_gone, "the client closed its connection within the request body");
                return moved::failed;
            case body_status::bad:
                client_failure_ = make_error(errc::malformed_request, "the request body's chunks are malformed");
                return moved::failed;
        }
    }
    up_framing_.frame(body, body_.at_end(), body_.trailers(), framed);
    if (!framed.empty()) {
        auto const sent = up_.send(*upstream_, framed);
        wipe(head_out_);
        head_out_.clear();
        if (sent == net::io_status::failed) {
            upload_over_ = true;  // it may have answered before it closed
            return moved::yes;
        }
        if (sent == net::io_status::blocked) upstream_->wait_write();
    }
    if (body_.at_end() && up_.empty(*upstream_)) upload_over_ = true;
    return framed.empty() && !took ? moved::no : moved::yes;
}

// Nobody reads an answer to a client that has reset the connection. One that has only ended its side may, but most that
// do so have given up (RFC 9112 9.6): it is waited for a moment longer, and then its place is another's.
bool exchange_driver::client_has_left() {
    if (!upload_over_ || half_closed_) return false;
    auto const seen = client_.stream.end_seen();
    if (seen == net::endpoint::end_state::broken) return true;
    if (seen == net::endpoint::end_state::none) {
        client_.stream.wait_end();
        return false;
    }
    half_closed_ = true;
    client_.limit.expires_after(patience());
    return false;
}

milliseconds exchange_driver::patience() const {
    auto const& timeouts = worker_.options.timeouts;
    if (half_closed_) return timeouts.linger;
    if (body_withheld_) return timeouts.continue_wait;
    return upload_over_ ? timeouts.upstream_head : timeouts.body_idle;
}

net::task<result<void>> exchange_driver::await_response() {
    client_.limit.expires_after(patience());
    unsigned turns = 0;
    for (;;) {
        auto const sent = pump_up();
        if (sent == moved::failed) co_return *client_failure_;
        if (sent == moved::yes) client_.limit.expires_after(patience());
        bool const withheld = body_withheld_;
        auto const received = take_response_head();
        if (!received) co_return received.error();
        if (*received == moved::yes) break;
        if (withheld && !body_withheld_) {  // the origin wants the body now
            client_.limit.expires_after(patience());
            continue;
        }
        if (sent == moved::yes) {
            if (++turns % net::turns_before_breath == 0) co_await net::breathe(worker_.io, client_.waker);
            continue;
        }
        if (client_has_left()) co_return make_error(errc::client_gone);
        co_await client_.waker.wait();
        if (client_.cut) co_return make_error(errc::shutting_down);
        if (client_.limit.expired()) {
            if (half_closed_) co_return make_error(errc::client_gone);
            if (body_withheld_ && up_.empty(*upstream_)) {
                // The origin may know nothing of 100 (Continue): the body goes on without it (RFC 9110 10.1.1).
                invite_body();
                client_.limit.expires_after(patience());
                continue;
            }
            if (upload_over_)
                co_return make_error(errc::response_timeout,
                                     request_.to.origin + " sent no answer in time ([timeouts] upstream_head)");
            if (!up_.empty(*upstream_))
                co_return make_error(errc::write_timeout, request_.to.origin + " stopped reading the request");
            co_return make_error(errc::client_timeout, "the request body stopped arriving ([timeouts] body_idle)");
        }
    }
    client_.limit.never();
    co_return result<void>{};
}

}  // namespace jitproxy::proxy
