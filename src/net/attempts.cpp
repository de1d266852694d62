#include "jitproxy/net/attempts.hpp"

#include <algorithm>
#include <boost/asio/ip/network_v6.hpp>
#include <chrono>
#include <iterator>
#include <utility>

namespace jitproxy::net {

namespace {

int weight(errc code) noexcept {
    switch (code) {
        case errc::address_denied:
            return 0;
        case errc::unreachable:
            return 1;
        case errc::connection_timeout:
            return 2;
        case errc::connection_refused:
            return 3;
        default:
            return 4;  // a limit of ours
    }
}

// RFC 6724 2.1, but for the names of the rows.
bool preferred_to_v4(boost::asio::ip::address_v6 const& address) {
    struct row {
        char const* prefix;
        unsigned short length;
    };
    static constexpr row later[] = {{"::", 96},     {"::ffff:0:0", 96}, {"2001::", 32}, {"2002::", 16},
                                    {"3ffe::", 16}, {"fc00::", 7},      {"fec0::", 10}};
    if (address.is_loopback()) return true;  // ::1 lies within ::/96
    return std::none_of(std::begin(later), std::end(later), [&](row const& r) {
        auto const block = boost::asio::ip::make_network_v6(boost::asio::ip::make_address_v6(r.prefix), r.length);
        return boost::asio::ip::make_network_v6(address, r.length).canonical() == block;
    });
}

error no_answer(boost::asio::ip::address const& from) {
    return make_error(errc::connection_timeout, from.to_string() + ": no answer in time ([timeouts] connect)");
}

}  // namespace

addresses join_families(addresses v6, addresses v4, bool v6_usable) {
    bool const v6_first = !v6.empty() && v6_usable && preferred_to_v4(v6.front().to_v6());
    auto& first = v6_first ? v6 : v4;
    auto& second = v6_first ? v4 : v6;
    first.insert(first.end(), second.begin(), second.end());
    return std::move(first);
}

void address_order::add(addresses const& more) {
    if (known_.empty() && !more.empty()) v6_is_next_ = more.front().is_v6();
    for (auto const& address : more) {
        if (std::find(known_.begin(), known_.end(), address) != known_.end()) continue;
        known_.push_back(address);
        (address.is_v6() ? v6_ : v4_).push_back(address);
    }
}

std::optional<boost::asio::ip::address> address_order::next() {
    if (empty()) return std::nullopt;
    auto& family = v4_.empty() || (v6_is_next_ && !v6_.empty()) ? v6_ : v4_;
    auto const address = family.front();
    family.pop_front();
    v6_is_next_ = address.is_v4();
    return address;
}

void attempt_schedule::found(addresses const& more, bool whole) {
    waiting_.add(more);
    whole_ = whole_ || whole;
}

attempt_schedule::step attempt_schedule::next(steady_time now) {
    step s;
    auto const due = newest_began_ + attempt_delay;
    if (!waiting_.empty() && !tried_.empty() && under_way_.back() && now < due) {
        s.pause = std::chrono::ceil<milliseconds>(due - now);
        return s;
    }
    if (auto const address = waiting_.next()) {
        s.what = action::begin;
        s.to = *address;
        s.attempt = tried_.size();
        tried_.push_back(*address);
        under_way_.push_back(true);
        ++open_;
        newest_began_ = now;
    } else if (whole_ && open_ == 0) {
        s.what = action::give_up;
    }
    return s;
}

void attempt_schedule::failed(std::size_t attempt, error const& why) {
    under_way_[attempt] = false;
    --open_;
    if (telling_ && weight(telling_->code) >= weight(why.code)) return;
    telling_ = why;
    if (why.code != errc::address_denied) telling_->detail = tried_[attempt].to_string() + ": " + why.detail;
}

error attempt_schedule::told(error const& what) const {
    auto e = what;
    if (tried_.size() > 1 && e.code != errc::address_denied)
        e.detail += " (" + std::to_string(tried_.size()) + " addresses tried)";
    return e;
}

error attempt_schedule::failure() const {
    return telling_ ? told(*telling_) : make_error(errc::dns_error, "the name has no address");
}

error attempt_schedule::out_of_time() const {
    auto const silent = std::find(under_way_.begin(), under_way_.end(), true);
    if (silent == under_way_.end())
        return telling_ ? told(*telling_) : make_error(errc::dns_timeout, "looking up the name took too long");
    if (telling_ && weight(telling_->code) > weight(errc::connection_timeout)) return told(*telling_);
    return told(no_answer(tried_[static_cast<std::size_t>(silent - under_way_.begin())]));
}

}  // namespace jitproxy::net
