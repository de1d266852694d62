#include "jitproxy/proxy/exchange_driver.hpp"

#include <array>

#include "jitproxy/base/encoding.hpp"
#include "jitproxy/base/log.hpp"
#include "jitproxy/http/reply.hpp"
#include "jitproxy/proxy/worker.hpp"

namespace jitproxy::proxy {

namespace {

constexpr seconds time_between_looks{1};  // at a client that has sent more while it waits

bool is_idempotent(std::string_view method) {  // RFC 9110 9.2.2
    return method == "GET" || method == "HEAD" || method == "PUT" || method == "DELETE" || method == "OPTIONS" ||
           method == "TRACE";
}

// Its answer is the request as the API got it (RFC 9110 9.3.8): a bearer in it would come back to the agent. Some
// servers take methods for the same in any case.
bool is_echoed(std::string_view method) {
    return iequals(method, "TRACE");
}

std::string justification_of(http::request_head const& head) {
    auto const* f = head.find(http::field_id::jit_justification);
    return f == nullptr ? std::string() : std::string(f->value);
}

}  // namespace

exchange_driver::exchange_driver(client_side client, exchange_request request)
    : client_(client),
      worker_(client.worker),
      request_(std::move(request)),
      body_(request_.framing, client.worker.replay, request_.to.api != nullptr) {}

exchange_driver::~exchange_driver() {
    count_bytes();
    wipe(head_out_);
    client_.served = {};
    worker_.check_unused();
}

net::task<bool> exchange_driver::run() {
    jit::exchange machine;
    auto ready = co_await prepare();
    if (!ready) {
        (void)co_await answer(ready.error());
        co_return keep_alive_;
    }
    auto action = machine.resume(*ready);
    for (;;) {
        std::optional<event> next;
        if (auto* send_order = std::get_if<jit::send_request>(&action)) {
            next = co_await send(std::move(*send_order));
        } else if (auto* ask_order = std::get_if<jit::ask_permission>(&action)) {
            next = co_await ask(std::move(*ask_order));
        } else if (auto* refresh_order = std::get_if<jit::refresh_bearer>(&action)) {
            next = co_await refresh(std::move(*refresh_order));
        } else if (auto* relay_order = std::get_if<jit::relay_response>(&action)) {
            next = co_await relay(std::move(*relay_order));
        } else if (auto* answer_order = std::get_if<jit::answer_locally>(&action)) {
            next = co_await answer(std::move(answer_order->what));
        } else if (std::holds_alternative<jit::finish>(action)) {
            co_return keep_alive_;
        } else {
            if (auto const* defect = std::get_if<jit::broken>(&action)) {
                log::error("exchange broken", {{"what", defect->what}});
                if (!answer_begun_) (void)co_await answer(make_error(errc::internal, "a defect in the proxy"));
                client_.record.fail(errc::internal);
            } else if (answer_begun_) {
                client_.stream.reset();  // what was sent must not look whole
            }
            co_return false;
        }
        note(*next);
        action = machine.resume(*next);
    }
}

// What became of the request, as far as the event tells.
void exchange_driver::note(event const& e) {
    if (std::holds_alternative<jit::client_left>(e)) {
        client_.record.outcome = outcome::aborted;
        client_.record.error.reset();
    } else if (auto const* broken = std::get_if<jit::upstream_failed>(&e); broken != nullptr && answer_begun_) {
        client_.record.outcome = outcome::failed;
        client_.record.error = broken->what.code;
    }
}

void exchange_driver::end_asking(escalation how, steady_time since) {
    auto const waited = worker_.since(since);
    client_.record.approval += waited;
    worker_.counts.escalated(how, waited);
}

// Finds the session and what it may use. Where no bearer is sent nothing is needed.
net::task<result<jit::request_ready>> exchange_driver::prepare() {
    jit::request_ready ready;
    ready.safe_to_repeat = is_idempotent(request_.head->method);
    repeatable_ = ready.safe_to_repeat && request_.framing.kind == http::body_kind::none;
    ready.keep_authorization = request_.keep_authorization;
    ready.protected_api = request_.to.api != nullptr && !is_echoed(request_.head->method);
    client_.served = request_.session_id;
    if (!ready.protected_api) co_return ready;

    session_ = request_.session_id.empty() ? worker_.sessions.automatic() : worker_.sessions.find(request_.session_id);
    if (!session_ && request_.session_id.empty()) {
        auto const since = worker_.now();
        control_link::session_answer opened(client_.waker);
        worker_.control.automatic_session(opened, worker_.io);
        while (!opened.full()) {
            co_await client_.waker.wait();
            if (client_.cut) co_return make_error(errc::shutting_down, "the proxy is stopping");
        }
        client_.record.queue += worker_.since(since);
        auto session = opened.take();
        if (!session) co_return session.error();
        session_ = std::move(*session);
    }
    if (session_) client_.served = session_->session_id;
    if (session_ && request_.session_id.empty()) client_.record.session_id = session_->session_id;
    if (!session_) co_return make_error(errc::session_unknown, "this session is closed");
    if (!session_->accepts()) co_return session_->refusal();
    worker_.note_use(session_->session_id);
    ready.session = session_;
    if (!session_->grants.empty()) {
        auto const* grant =
            session_->grants.find(jit::resource_key(request_.head->method, request_.to.origin, request_.path));
        if (grant != nullptr && grant->usable_until > worker_.deadlines.now()) ready.grant = grant;
    }
    co_return ready;
}

net::task<exchange_driver::event> exchange_driver::ask(jit::ask_permission order) {
    add(worker_.counts.escalations);
    client_.record.escalated = true;
    auto const since = worker_.now();
    auto const leave = [&]() -> event {
        end_asking(escalation::abandoned, since);
        return jit::client_left{};
    };
    jit::permission_need need;
    need.session_id = session_->session_id;
    need.api = request_.to.api;
    need.origin = request_.to.origin;
    need.method = request_.head->method;
    need.resource = jit::resource_key(need.method, need.origin, request_.path);
    need.url = need.origin + std::string(http::without_query(request_.path));
    need.details = signal_.details;
    need.justification = justification_of(*request_.head);
    need.refused_grant = std::move(order.refused_grant);
    if (auto const wait = http::prefer_wait(*request_.head)) need.wait = seconds(*wait);

    control_link::permission_answer decided(client_.waker);
    auto const asked = worker_.control.request_permission(std::move(need), decided, worker_.io);
    while (!decided.full()) {
        if (client_.cut) co_return leave();
        // A client that has gone is not answered any more; nothing may be sent on its behalf.
        auto const peer = client_.stream.look();
        if (peer == net::endpoint::peer_state::gone) co_return leave();
        // Bytes of its next request would end every wait for more at once: then it is looked at now and then.
        if (peer == net::endpoint::peer_state::quiet)
            client_.stream.wait_read();
        else
            client_.limit.expires_after(time_between_looks);
        co_await client_.waker.wait();
    }
    client_.limit.never();
    jit::permission_decided answered{decided.take()};
    end_asking(result_of(answered.outcome), since);
    granted_ = granted_ || answered.outcome.status == jit::permission_status::granted;
    if (!answered.outcome.request_id.empty()) client_.record.request_id = answered.outcome.request_id;
    co_return answered;
}

net::task<exchange_driver::event> exchange_driver::refresh(jit::refresh_bearer order) {
    control_link::session_answer refreshed(client_.waker);
    worker_.control.bearer_refused(session_->session_id, order.dead_generation, std::move(order.dead_grant), refreshed,
                                   worker_.io);
    while (!refreshed.full()) {
        if (client_.cut) co_return jit::client_left{};
        co_await client_.waker.wait();
    }
    auto session = refreshed.take();
    if (session) {
        session_ = *session;
        client_.served = session_->session_id;
    }
    co_return jit::bearer_refreshed{session};
}

net::task<exchange_driver::event> exchange_driver::answer(error what, jit::permission_outcome const* sought) {
    client_.record.fail(what.code);
    log::debug("answered by the proxy",
               {{"code", name_of(what.code)}, {"detail", what.detail}, {"origin", request_.to.origin}});
    count_bytes();
    upstream_.reset();
    if (!body_.complete() || worker_.draining) keep_alive_ = false;
    std::array<http::extra_field, 2> extra;
    auto const extras = sought != nullptr ? put_outcome(*sought, extra) : 0;
    std::string text;
    http::write_error_reply(text, what,
                            {.head_only = request_.head->method == "HEAD",
                             .keep_alive = keep_alive_ && http::keeps_alive(*request_.head),
                             .date = worker_.date(),
                             .extra = {extra.data(), extras}});
    std::string_view const piece = text;
    answer_begun_ = true;
    auto status = down_.send(client_.stream, {&piece, 1});
    client_.limit.expires_after(worker_.options.timeouts.body_idle);
    while (status == net::io_status::blocked && !client_.cut && !client_.limit.expired()) {
        client_.stream.wait_write();
        co_await client_.waker.wait();
        status = down_.flush(client_.stream);
    }
    client_.limit.never();
    if (status != net::io_status::ok) co_return jit::client_left{};
    co_return jit::response_finished{};
}

}  // namespace jitproxy::proxy
