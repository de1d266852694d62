#include "resolver_answer.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/ip/udp.hpp>

namespace jitproxy::net {

namespace {

bool is_negative(int status) noexcept {
    return status == ARES_ENOTFOUND || status == ARES_ENODATA;
}

// Is there a way there from here? Nothing is sent (RFC 6724 6, rule 1).
bool has_route(boost::asio::ip::address const& to) {
    int const fd = ::socket(to.is_v6() ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    boost::asio::ip::udp::endpoint const where(to, 53);
    bool const reached = ::connect(fd, where.data(), static_cast<socklen_t>(where.size())) == 0;
    ::close(fd);
    return reached;
}

}  // namespace

error lookup_failed(std::string const& host, int status) {
    switch (status) {
        case ARES_ETIMEOUT:
            return make_error(errc::dns_timeout, "no name server answered for " + host + " in time");
        case ARES_ENOTFOUND:
            return make_error(errc::dns_error, "there is no host named " + host);
        case ARES_ENODATA:
            return make_error(errc::dns_error, "the name " + host + " exists, but has no address");
        case ARES_ECONNREFUSED:  // also what c-ares says when every server answered with a failure
        case ARES_ESERVFAIL:
        case ARES_EREFUSED:
        case ARES_ENOTIMP:
            return make_error(errc::dns_error, "every name server failed to look up " + host + ", or was unreachable");
        default:
            return make_error(errc::dns_error, "looking up " + host + " failed: " + ::ares_strerror(status));
    }
}

joined_answer join(std::string const& host, lookup_answer const* v6, lookup_answer const* v4,
                   resolver_options const& options) {
    bool const has_v6 = v6 != nullptr && v6->status == ARES_SUCCESS;
    bool const has_v4 = v4 != nullptr && v4->status == ARES_SUCCESS;
    if (has_v6 || has_v4) {
        auto ttl = options.max_ttl;
        if (has_v6) ttl = std::min(ttl, v6->ttl);
        if (has_v4) ttl = std::min(ttl, v4->ttl);
        auto const* other = has_v6 ? v4 : v6;
        bool const sure = (has_v6 && has_v4) || (other != nullptr && is_negative(other->status));
        if (!sure) ttl = std::min(ttl, options.negative_ttl);  // half an answer
        bool const v6_usable = has_v6 && has_v4 && has_route(v6->found.front());
        return {join_families(has_v6 ? v6->found : addresses(), has_v4 ? v4->found : addresses(), v6_usable), ttl};
    }
    int const six = v6 != nullptr ? v6->status : ARES_ETIMEOUT;
    int const four = v4 != nullptr ? v4->status : ARES_ETIMEOUT;
    if (is_negative(six) && is_negative(four))
        return {lookup_failed(host, six == ARES_ENODATA ? six : four), options.negative_ttl};
    return {lookup_failed(host, is_negative(four) ? six : four), seconds{0}};
}

}  // namespace jitproxy::net
