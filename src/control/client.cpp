#include "jitproxy/control/client.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>

#include "jitproxy/http/head.hpp"

namespace jitproxy::control {
namespace {

using clock = std::chrono::steady_clock;

union any_address {
    sockaddr plain;
    sockaddr_un local;
    sockaddr_in v4;
    sockaddr_in6 v6;
};

socklen_t fill(address const& where, any_address& out) {
    out = {};
    if (where.is_unix()) {
        out.local.sun_family = AF_UNIX;
        std::memcpy(out.local.sun_path, where.path.c_str(), where.path.size() + 1);  // parse_address bounds it
        return sizeof out.local;
    }
    if (inet_pton(AF_INET, where.host.c_str(), &out.v4.sin_addr) == 1) {
        out.v4.sin_family = AF_INET;
        out.v4.sin_port = htons(where.port);
        return sizeof out.v4;
    }
    if (inet_pton(AF_INET6, where.host.c_str(), &out.v6.sin6_addr) == 1) {
        out.v6.sin6_family = AF_INET6;
        out.v6.sin6_port = htons(where.port);
        return sizeof out.v6;
    }
    return 0;
}

}  // namespace

struct client::impl {
    address where;
    secret_ptr token;
    int fd = -1;
    std::string buffer;  // received, not yet used

    impl() = default;
    impl(impl const&) = delete;
    impl& operator=(impl const&) = delete;
    ~impl() {
        if (fd >= 0) close(fd);
    }

    [[nodiscard]] bool ready(short events, clock::time_point deadline) const {
        while (true) {
            auto const left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock::now()).count();
            pollfd p{fd, events, 0};
            int const n = poll(&p, 1, static_cast<int>(std::clamp<long long>(left, 0, 1 << 30)));
            if (n > 0) return true;
            if (n == 0 || errno != EINTR) return false;
        }
    }
    result<void> write_all(std::string_view bytes, clock::time_point deadline) const;
    result<bool> read_more(clock::time_point deadline);  // false: end of stream
    result<http::response_head> read_head(clock::time_point deadline, std::string& head);
    [[nodiscard]] std::string head_of(std::string_view method, std::string_view target, std::size_t body) const;
};

result<void> client::impl::write_all(std::string_view bytes, clock::time_point deadline) const {
    while (!bytes.empty()) {
        auto const n = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) {
            bytes.remove_prefix(static_cast<std::size_t>(n));
        } else if (n < 0 && errno != EAGAIN && errno != EINTR) {
            return make_error(errc::connection_closed, "the daemon closed the connection");
        } else if (!ready(POLLOUT, deadline)) {
            return make_error(errc::client_timeout, "the daemon does not read");
        }
    }
    return {};
}

result<bool> client::impl::read_more(clock::time_point deadline) {
    char piece[16 * 1024];
    while (true) {
        if (!ready(POLLIN, deadline)) return make_error(errc::client_timeout, "no answer from the daemon in time");
        auto const n = recv(fd, piece, sizeof piece, MSG_DONTWAIT);
        if (n > 0) {
            buffer.append(piece, static_cast<std::size_t>(n));
            return true;
        }
        if (n == 0) return false;
        if (errno != EAGAIN && errno != EINTR)
            return make_error(errc::connection_closed, "the daemon closed the connection");
    }
}

std::string client::impl::head_of(std::string_view method, std::string_view target, std::size_t body) const {
    std::string out = std::string(method) + " " + std::string(target) + " HTTP/1.1\r\nHost: jitproxy\r\n";
    if (token && !token->empty()) out += "Authorization: Bearer " + std::string(token->reveal()) + "\r\n";
    if (body > 0) out += "Content-Type: application/json\r\n";
    if (body > 0 || method == "POST") out += "Content-Length: " + std::to_string(body) + "\r\n";
    return out + "\r\n";
}

result<http::response_head> client::impl::read_head(clock::time_point deadline, std::string& head) {
    std::size_t end = 0;
    while ((end = http::find_head_end(buffer, 0)) == 0) {
        if (buffer.size() > 64 * 1024) return make_error(errc::bad_response, "the answer's head does not end");
        auto const more = read_more(deadline);
        if (!more) return more.error();
        if (!*more) return make_error(errc::connection_closed, "the daemon closed the connection");
    }
    head = buffer.substr(0, end);
    buffer.erase(0, end);
    http::response_head out;
    if (auto parsed = http::parse_response_head(head, {}, out); !parsed) return parsed.error();
    return out;
}

result<client> client::connect(address const& where, secret_ptr token, milliseconds timeout) {
    auto out = std::make_unique<impl>();
    auto const refuse = [&](errc code, std::string const& why) { return make_error(code, where.text() + ": " + why); };
    any_address name;
    auto const size = fill(where, name);
    if (size == 0) return refuse(errc::internal, "not an address");
    out->where = where;
    out->token = std::move(token);
    out->fd = socket(name.plain.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (out->fd < 0) return refuse(errc::internal, std::strerror(errno));
    if (::connect(out->fd, &name.plain, size) != 0) {
        int error = errno;
        if (error == EINPROGRESS || error == EAGAIN) {
            if (!out->ready(POLLOUT, clock::now() + timeout)) return refuse(errc::not_found, "does not answer");
            socklen_t length = sizeof error;
            getsockopt(out->fd, SOL_SOCKET, SO_ERROR, &error, &length);
        }
        bool const nobody = error == ENOENT || error == ECONNREFUSED;
        if (error != 0) return refuse(nobody ? errc::not_found : errc::internal, std::strerror(error));
    }
    return client(std::move(out));
}

client::client(std::unique_ptr<impl> i) : impl_(std::move(i)) {}
client::client(client&&) noexcept = default;
client& client::operator=(client&&) noexcept = default;
client::~client() = default;

address const& client::where() const noexcept {
    return impl_->where;
}

result<reply> client::call(std::string_view method, std::string_view target, std::string_view body,
                           milliseconds timeout) {
    auto const deadline = clock::now() + timeout;
    auto message = impl_->head_of(method, target, body.size()) + std::string(body);
    auto const sent = impl_->write_all(message, deadline);
    wipe(message);
    if (!sent) return sent.error();
    std::string head;
    auto const parsed = impl_->read_head(deadline, head);
    if (!parsed) return parsed.error();
    reply out;
    out.status = parsed->status;
    if (auto const* type = parsed->find(http::field_id::content_type)) out.content_type = type->value;
    // The daemon's own answers have a length always.
    auto const* length = parsed->find(http::field_id::content_length);
    std::size_t size = 0;
    if (!length ||
        std::from_chars(length->value.data(), length->value.data() + length->value.size(), size).ec != std::errc{} ||
        size > longest_answer)
        return make_error(errc::bad_response, "an answer without a usable length");
    while (impl_->buffer.size() < size) {
        auto const more = impl_->read_more(deadline);
        if (!more) return more.error();
        if (!*more) return make_error(errc::connection_closed, "the daemon closed the connection");
    }
    out.body = impl_->buffer.substr(0, size);
    impl_->buffer.erase(0, size);
    return out;
}

result<void> client::events(std::function<bool(std::string_view, json::object const&)> const& on_event,
                            std::function<bool()> const& interrupted) {
    auto const sent = impl_->write_all(impl_->head_of("GET", "/v1/events", 0), clock::now() + seconds{5});
    if (!sent) return sent;
    std::string head;
    auto const parsed = impl_->read_head(clock::now() + seconds{10}, head);
    if (!parsed) return parsed.error();
    if (parsed->status != 200)
        return make_error(errc::bad_response, "the daemon answered " + std::to_string(parsed->status));
    while (true) {
        for (std::size_t end = 0; (end = impl_->buffer.find("\n\n")) != std::string::npos;) {
            auto const block = impl_->buffer.substr(0, end);
            impl_->buffer.erase(0, end + 2);
            std::string type;
            std::string data;
            for (std::string_view rest = block; !rest.empty();) {
                auto const line = rest.substr(0, rest.find('\n'));
                rest.remove_prefix(std::min(rest.size(), line.size() + 1));
                if (line.starts_with("event: ")) type = line.substr(7);
                if (line.starts_with("data: ")) data = line.substr(6);
            }
            if (data.empty()) continue;  // a comment that keeps the connection alive
            auto const document = parse_json_object(data, errc::bad_response);
            if (!document) return document.error();
            if (!on_event(type, *document)) return {};
        }
        if (impl_->buffer.size() > longest_answer) return make_error(errc::bad_response, "an event does not end");
        if (interrupted && interrupted()) return {};
        if (!impl_->ready(POLLIN, clock::now() + milliseconds{500})) continue;
        auto const more = impl_->read_more(clock::now());
        if (!more) return more.error();
        if (!*more) return make_error(errc::connection_closed, "the daemon closed the connection");
    }
}

result<json::value> reply::document() const {
    return parse_json(body, errc::as_malformed, {client::longest_answer, 32});
}

std::string reply::message() const {
    if (auto const problem = parse_json_object(body, errc::as_malformed)) {
        if (auto const detail = string_member(*problem, "detail"); detail && !detail->empty()) return *detail;
        if (auto const title = string_member(*problem, "title"); title && !title->empty()) return *title;
    }
    return "the daemon answered " + std::to_string(status);
}

}  // namespace jitproxy::control
