#include "jitproxy/proxy/client_connection.hpp"

#include "jitproxy/base/log.hpp"
#include "jitproxy/http/reply.hpp"
#include "jitproxy/net/mailbox.hpp"
#include "jitproxy/proxy/body.hpp"
#include "jitproxy/proxy/worker.hpp"

namespace jitproxy::proxy {

namespace {
constexpr std::size_t most_discarded =
    256 * 1024;  // of a body that nobody wants, before the connection is closed instead
}  // namespace

client_connection::client_connection(proxy::worker& w, int socket, result<admission::place> place)
    : worker_(w), limit_(w.deadlines, waker_), stream_(w.io, socket, w.buffers), place_(std::move(place)) {
    stream_.set_waker(&waker_);
}

client_connection::~client_connection() = default;

void client_connection::start() {
    root_ = run();
    root_.start();
}

void client_connection::cut() {
    cut_ = true;
    limit_.expire();  // for what is being done on the connection's behalf and knows nothing of it: connecting
    waker_.wake();
}

net::task<> client_connection::run() {
    try {
        if (place_)
            co_await serve();
        else
            co_await refuse();
    } catch (std::exception const& e) {
        log::error("connection ended by a defect", {{"what", e.what()}});
        auto const sent = record_.status;  // nothing more is
        record_.fail(errc::internal);
        record_.status = sent;
        if (record_.began == steady_time{} || record_.silent)
            worker_.counts.failed(errc::internal);  // no request was under way
        else
            end_request();
    }
    stream_.close();
    worker_.remove(this);
}

net::task<> client_connection::refuse() {
    (void)co_await reject(place_.error());
    record_.restart();  // it was no request
    co_await linger();
}

void client_connection::end_request() {
    worker_.over(record_);
    record_.restart();
}

net::task<> client_connection::serve() {
    for (unsigned turns = 1; !cut_; ++turns) {
        auto const state = co_await read_head();
        if (state == head_state::failed) end_request();
        if (state != head_state::ready) break;
        auto const then = co_await handle_request();
        end_request();
        wipe(head_bytes_);  // it may hold proxy credentials
        head_bytes_.clear();
        if (then == after::close) break;
        // Pipelined requests that are answered at once never wait for anything.
        if (turns % net::turns_before_breath == 0) co_await net::breathe(worker_.io, waker_);
    }
    own_.stream.reset();
    co_await linger();
}

net::task<client_connection::head_state> client_connection::read_head() {
    auto const& limits = worker_.limits.head;
    auto& buffer = stream_.buffer();
    http::head_search search;
    unsigned reads = 0;
    bool begun = false;
    head_.method = {};  // of the request before: its bytes are gone
    keep_alive_ = false;
    limit_.expires_after(worker_.options.timeouts.client_idle);
    for (;;) {
        while (search.seen() < 2 && buffer.data().starts_with("\r\n")) {  // RFC 9112 2.2
            buffer.consume(2);
            search.restart();
        }
        auto const end = search.find(buffer.data());
        if (end != 0) {
            head_bytes_.assign(buffer.data().substr(0, end));
            buffer.consume(end);
            break;
        }
        if (!begun && !buffer.empty()) {
            begun = true;
            limit_.expires_after(worker_.options.timeouts.client_head);
        }
        auto const room = buffer.prepare(limits.bytes);
        if (room.empty()) {
            bool const line_open = buffer.data().find('\n') == std::string_view::npos;
            // Made before the co_await: g++ 12 destroys temporaries of a conditional within one twice.
            error too_large = make_error(line_open ? errc::target_too_long : errc::head_too_large,
                                         "the request's head is larger than the limits ([limits] head_bytes)");
            (void)co_await reject(std::move(too_large));
            co_return head_state::failed;
        }
        auto const got = stream_.try_read(room);
        if (got.status == net::io_status::ok) {
            buffer.commit(got.bytes);
            if (++reads % net::turns_before_breath != 0) continue;
            co_await net::breathe(worker_.io, waker_);  // empty lines without end
        } else {
            if (got.status != net::io_status::blocked) co_return head_state::ended;
            if (buffer.empty()) {
                buffer.release();
                std::string().swap(head_bytes_);
                if (worker_.draining) co_return head_state::ended;
            }
            stream_.wait_read();
            co_await waker_.wait();
        }
        if (cut_) co_return head_state::ended;
        if (limit_.expired()) {
            if (begun)
                (void)co_await reject(make_error(errc::client_timeout,
                                                 "the request head did not arrive in time ([timeouts] client_head)"));
            co_return begun ? head_state::failed : head_state::ended;
        }
    }
    limit_.never();
    body_pending_ = false;
    record_.began = worker_.now();
    if (auto const parsed = http::parse_request_head(head_bytes_, limits, head_); !parsed) {
        (void)co_await reject(parsed.error());
        co_return head_state::failed;
    }
    record_.method = head_.method;
    auto const framing = http::request_framing(head_);
    if (!framing) {
        (void)co_await reject(framing.error());
        co_return head_state::failed;
    }
    framing_ = *framing;
    body_pending_ =
        framing_.kind != http::body_kind::none && !(framing_.kind == http::body_kind::length && framing_.length == 0);
    keep_alive_ = http::keeps_alive(head_);
    co_return head_state::ready;
}

// Answers with an error of the proxy's own. The connection goes on where the request was read to its end (Java's client
// and others answer a 407 on the same connection only). What comes behind a refused CONNECT may have been meant for its
// tunnel: it is not taken for another request (RFC 9931).
net::task<client_connection::after> client_connection::reject(error e) {
    if (record_.began == steady_time{}) record_.began = worker_.now();
    record_.fail(e.code);
    log::debug("request refused", {{"code", name_of(e.code)}, {"detail", e.detail}});
    bool const whole = blame_of(e.code) != blame::client || e.code == errc::session_required ||
                       e.code == errc::session_unknown || e.code == errc::misdirected || e.code == errc::not_found;
    bool const tunnel_bytes =
        head_.method == "CONNECT" && (http::mapping_of(e.code).status != 407 || !stream_.buffer().empty());
    bool keep = whole && keep_alive_ && !worker_.draining && !tunnel_bytes;
    if (keep && body_pending_) keep = co_await discard_body();
    std::string text;
    http::write_error_reply(text, e, {.head_only = head_.method == "HEAD", .keep_alive = keep, .date = worker_.date()});
    bool const sent = co_await send_all(std::move(text));
    co_return (sent && keep) ? after::next_request : after::close;
}

net::task<bool> client_connection::discard_body() {
    if (auto const* expect = head_.find(http::field_id::expect); expect != nullptr)
        co_return false;  // it may never be sent
    body_reader reader(framing_, errc::malformed_request);
    std::size_t discarded = 0;
    limit_.expires_after(worker_.options.timeouts.body_idle);
    while (!reader.complete()) {
        pieces out;
        auto const status = reader.read(stream_, worker_.scratch, out);
        for (auto piece : out) discarded += piece.size();
        if (discarded > most_discarded || limit_.expired() || cut_) co_return false;
        if (status == body_status::blocked) {
            stream_.wait_read();
            co_await waker_.wait();
        } else if (status == body_status::cut || status == body_status::bad) {
            co_return false;
        }
    }
    limit_.never();
    body_pending_ = false;
    co_return true;
}

net::task<bool> client_connection::send_all(std::string text) {
    net::outbox out;
    std::string_view const piece = text;
    auto status = out.send(stream_, {&piece, 1});
    limit_.expires_after(worker_.options.timeouts.body_idle);
    while (status == net::io_status::blocked && !cut_ && !limit_.expired()) {
        stream_.wait_write();
        co_await waker_.wait();
        status = out.flush(stream_);
    }
    limit_.never();
    co_return status == net::io_status::ok;
}

// Our side ends first; what the client still sends is read away for a moment, so that it does not turn our last answer
// into a reset (RFC 9112 9.6).
net::task<> client_connection::linger() {
    if (!stream_.is_open() || cut_) co_return;
    stream_.shutdown_send();
    limit_.expires_after(worker_.options.timeouts.linger);
    std::size_t discarded = 0;
    while (!cut_ && !limit_.expired() && discarded < most_discarded) {
        auto const got = stream_.try_read(worker_.scratch);
        if (got.status == net::io_status::eof || got.status == net::io_status::failed) break;
        discarded += got.bytes;
        if (got.status == net::io_status::blocked) {
            stream_.wait_read();
            co_await waker_.wait();
        }
    }
}

}  // namespace jitproxy::proxy
