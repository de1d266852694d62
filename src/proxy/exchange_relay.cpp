// exchange_driver: the API's answer on its way to the client.
#include <array>
#include <utility>

#include "jitproxy/http/reply.hpp"
#include "jitproxy/net/mailbox.hpp"
#include "jitproxy/proxy/exchange_driver.hpp"
#include "jitproxy/proxy/tunnel.hpp"
#include "jitproxy/proxy/worker.hpp"

namespace jitproxy::proxy {

http::body_framing exchange_driver::framing_to_client() const {
    auto framing = response_framing_;
    bool const old_client = request_.head->version == http::version::http_1_0;
    if (framing.kind == http::body_kind::chunked && old_client) framing.kind = http::body_kind::until_close;
    if (framing.kind == http::body_kind::until_close && !old_client) framing.kind = http::body_kind::chunked;
    return framing;
}

bool exchange_driver::passes_trailers() const {
    return response_framing_.kind == http::body_kind::chunked && http::accepts_trailers(*request_.head);
}

std::size_t exchange_driver::put_outcome(jit::permission_outcome const& why, std::span<http::extra_field> into) {
    std::size_t count = 0;
    if (!why.request_id.empty()) into[count++] = {"JIT-Request-Id", why.request_id};
    into[count++] = {"JIT-Request-Status", jit::to_string(why.status)};
    return count;
}

void exchange_driver::write_head_to_client(jit::relay_response const& order, http::body_framing framing) {
    std::array<http::extra_field, 4> extra;
    std::size_t count = 0;
    std::string proxy_status;
    std::string retry_after;
    if (order.annotate) {
        count = put_outcome(order.why, extra);
        proxy_status = http::proxy_status_value({}, order.why.reason);
        extra[count++] = {"Proxy-Status", proxy_status};
        if (order.why.retry_after > 0) {
            retry_after = std::to_string(order.why.retry_after);
            extra[count++] = {"Retry-After", retry_after};
        }
    }
    http::outgoing_response outgoing;
    outgoing.framing = framing;
    outgoing.client_version = request_.head->version;
    outgoing.keep_alive = keep_alive_;
    outgoing.upgrade = response_.status == 101;
    outgoing.trailers = passes_trailers();
    outgoing.via = worker_.via;
    outgoing.date = worker_.date();
    outgoing.extra = {extra.data(), count};
    head_to_client_.clear();
    http::write_response_head(head_to_client_, response_, outgoing);
}

exchange_driver::moved exchange_driver::lose_client() {
    client_lost_ = true;
    return moved::failed;
}

exchange_driver::moved exchange_driver::pump_down() {
    if (!down_.empty(client_.stream)) {
        auto const flushed = down_.flush(client_.stream);
        if (flushed == net::io_status::failed) return lose_client();
        if (flushed == net::io_status::blocked) {
            client_.stream.wait_write();
            return moved::no;
        }
    }
    if (answer_ended_) return moved::no;
    pieces body;
    pieces framed;
    bool took = false;
    if (!head_to_client_.empty()) framed.push_back(head_to_client_);
    if (!held_.empty() && !response_body_.broken()) {
        body.push_back(held_);
    } else if (!response_body_.complete()) {
        switch (response_body_.read(*upstream_, worker_.scratch, body)) {
            case body_status::data:  // perhaps a chunk's size line alone: nothing to send, and nothing armed
                took = true;
                break;
            case body_status::end:
                break;
            case body_status::blocked:
                upstream_->wait_read();
                break;
            case body_status::cut:
                answer_failure_ = errc::connection_closed;
                return moved::failed;
            case body_status::bad:
                answer_failure_ = errc::bad_response;
                return moved::failed;
        }
    }
    answer_ended_ = response_body_.complete();
    down_framing_.frame(body, answer_ended_, passes_trailers() ? response_body_.trailers() : "", framed);
    if (framed.empty()) return answer_ended_ || took ? moved::yes : moved::no;
    auto const sent = down_.send(client_.stream, framed);
    answer_begun_ = true;
    head_to_client_.clear();
    held_.clear();
    if (sent == net::io_status::failed) return lose_client();
    if (sent == net::io_status::blocked) client_.stream.wait_write();
    return moved::yes;
}

net::task<exchange_driver::event> exchange_driver::relay(jit::relay_response order) {
    auto const framing = framing_to_client();
    // A body that the client has not sent to its end leaves the connection in doubt.
    keep_alive_ = http::keeps_alive(*request_.head) && framing.kind != http::body_kind::until_close &&
                  body_.complete() && !worker_.draining;
    client_.record.status = response_.status;
    client_.record.outcome = order.annotate ? outcome_of(order.why.status)
                             : granted_     ? outcome::granted
                                            : outcome::served;
    down_framing_ = body_writer(framing.kind);
    body_.stop_keeping();
    if (body_withheld_) upload_over_ = true;  // answered without it: it is not wanted
    answer_ended_ = false;
    write_head_to_client(order, framing);
    auto const& timeouts = worker_.options.timeouts;
    client_.limit.expires_after(timeouts.body_idle);
    unsigned turns = 0;
    while (!answer_ended_ || !down_.empty(client_.stream)) {
        auto const down = pump_down();
        if (down == moved::failed) {
            if (client_lost_) co_return jit::client_left{};
            error what =
                make_error(answer_failure_, request_.to.origin + (answer_failure_ == errc::bad_response
                                                                      ? " sent a body that cannot be understood"
                                                                      : " closed the connection within its answer"));
            if (answer_begun_) co_return jit::upstream_failed{std::move(what), reused_, false, false};
            // The client has seen nothing of it: no need to cut.
            auto const* sought = order.annotate ? &order.why : nullptr;
            if (sought != nullptr) what.retry_after = sought->retry_after;
            auto told = co_await answer(std::move(what), sought);
            co_return told;
        }
        // An early answer: the request's body goes on meanwhile (RFC 9112 9.5).
        auto const up = upstream_ && response_.status != 101 ? pump_up() : moved::no;
        if (up == moved::failed) upload_over_ = true;
        if (down == moved::yes || up == moved::yes) {
            client_.limit.expires_after(timeouts.body_idle);
            if (++turns % net::turns_before_breath == 0) co_await net::breathe(worker_.io, client_.waker);
            continue;
        }
        if (answer_ended_ && down_.empty(client_.stream)) break;
        co_await client_.waker.wait();
        if (client_.cut) co_return jit::client_left{};
        if (client_.limit.expired()) {
            if (!down_.empty(client_.stream)) co_return jit::client_left{};
            co_return jit::upstream_failed{make_error(errc::read_timeout, request_.to.origin + " stopped sending"),
                                           reused_, false, false};
        }
    }
    client_.limit.never();
    if (response_.status == 101) {
        keep_alive_ = false;
        co_await run_tunnel(client_, *upstream_);
        count_bytes();
        upstream_.reset();
    }
    release_upstream();
    co_return jit::response_finished{};
}

void exchange_driver::count_bytes() {
    if (!upstream_) return;
    client_.record.bytes_up += std::exchange(upstream_->bytes_out, 0);
    client_.record.bytes_down += std::exchange(upstream_->bytes_in, 0);
}

void exchange_driver::release_upstream() {
    if (!upstream_) return;
    count_bytes();
    bool const reusable = response_body_.complete() && upload_over_ && body_.at_end() && up_.empty(*upstream_) &&
                          http::keeps_alive(response_, response_framing_);
    if (reusable && own_) {
        upstream_->set_waker(nullptr);
        client_.own = {std::move(upstream_), purpose()};
    } else if (reusable) {
        worker_.upstreams.give_back(request_.to, std::move(upstream_));
    }
    upstream_.reset();
}

}  // namespace jitproxy::proxy
