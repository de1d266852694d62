#include "connection.hpp"

#include <sys/epoll.h>

#include <array>

namespace bench {

namespace {

std::array<char, 1UL << 18> buffer;  // one thread, and nothing stays in it

}  // namespace

void connection::dial() {
    close();
    begun_ = now();
    wire_.emplace(plan_.port, wire::kind::non_blocking);
    phase_ = phase::connecting;
    served_ = 0;
    answer_ = response{};
    wait_for(EPOLLOUT);
}

void connection::again() {
    begun_ = now();
    send_request();
}

void connection::close() {
    wire_.reset();  // leaves epoll with its descriptor
    watched_ = 0;
}

void connection::send_request() {
    sent_ = 0;
    answer_ = response{};
    phase_ = phase::writing;
}

outcome connection::drive() {
    for (;;) switch (advance()) {
            case step::on:
                break;
            case step::wait:
                return outcome::waiting;
            case step::answered:
                return outcome::answered;
            case step::failed:
                return outcome::failed;
        }
}

connection::step connection::advance() {
    switch (phase_) {
        case phase::connecting:
            return dialled();
        case phase::opening_tunnel:
            return open_tunnel();
        case phase::shaking_hands:
            return shake_hands();
        case phase::writing:
            return write();
        case phase::reading:
            return read();
        case phase::resting:
            break;
    }
    return resting();
}

connection::step connection::dialled() {
    if (!wire_->connected()) return fail("could not connect");
    if (!plan_.connect.empty()) {
        std::size_t sent = 0;
        if (wire_->write(plan_.connect, sent) != io::moved || sent != plan_.connect.size())
            return fail("CONNECT not sent");
        answer_ = response{response::expects::no_body};
        phase_ = phase::opening_tunnel;
        return wait_for(EPOLLIN);
    }
    phase_ = phase::shaking_hands;
    return step::on;
}

connection::step connection::open_tunnel() {
    std::size_t n = 0;
    auto const got = wire_->read(buffer, n);
    if (got == io::wait_read) return step::wait;
    if (got != io::moved) return fail("closed after CONNECT");
    auto const progress = answer_.feed({buffer.data(), n});
    if (progress == response::progress::more) return step::wait;
    if (progress == response::progress::broken || answer_.status() != 200) return fail("CONNECT refused");
    phase_ = phase::shaking_hands;
    return step::on;
}

connection::step connection::shake_hands() {
    if (plan_.tls) {
        if (!wire_->secure()) wire_->start_tls(plan_.tls.get());
        auto const done = wire_->handshake();
        if (done == io::wait_read) return wait_for(EPOLLIN);
        if (done == io::wait_write) return wait_for(EPOLLOUT);
        if (done != io::moved) return fail("TLS handshake failed");
    }
    send_request();
    return step::on;
}

connection::step connection::write() {
    while (sent_ < plan_.request.size()) {
        std::size_t n = 0;
        auto const put = wire_->write(std::string_view{plan_.request}.substr(sent_), n);
        if (put == io::wait_write || put == io::wait_read) return wait_for(EPOLLIN | EPOLLOUT);
        if (put != io::moved) return fail("closed while writing");
        sent_ += n;
    }
    phase_ = phase::reading;
    return wait_for(EPOLLIN);
}

connection::step connection::read() {
    std::size_t n = 0;
    auto const got = wire_->read(buffer, n);
    if (got == io::wait_read) return step::wait;
    if (got == io::failed) return fail("connection reset");
    auto const before = answer_.body_bytes();
    auto const progress = got == io::closed ? answer_.end() : answer_.feed({buffer.data(), n});
    if (before == 0 && answer_.body_bytes() > 0) first_byte_ = now();
    if (progress == response::progress::broken)
        return fail(answer_.begun() ? "answer broken off" : "closed without an answer");
    if (progress == response::progress::more) return step::on;
    if (answer_.status() != 200) return fail("status is not 200");
    if (plan_.expect && answer_.body_bytes() != *plan_.expect) return fail("wrong length of body");
    ++served_;
    phase_ = phase::resting;
    return step::answered;
}

connection::step connection::resting() {
    std::size_t n = 0;
    return wire_->read(buffer, n) == io::wait_read ? step::wait : fail("idle connection was closed");
}

connection::step connection::fail(char const* why) {
    trouble_ = why;
    close();
    return step::failed;
}

connection::step connection::wait_for(std::uint32_t events) {
    if (events != watched_) {
        epoll_event e{};
        e.events = events;
        e.data.ptr = this;
        ::epoll_ctl(epoll_, watched_ ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, wire_->fd(), &e);
        watched_ = events;
    }
    return step::wait;
}

}  // namespace bench
