#include "jitproxy/net/socket_owner.hpp"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace jitproxy::net {
namespace {

error unknown(std::string const& why) {
    return make_error(errc::user_denied, "the user at the other end cannot be known: " + why);
}

struct address {
    bool v6 = false;
    std::uint32_t ip[4] = {};  // network order
    std::uint16_t port = 0;    // network order
};

bool read_address(sockaddr_storage const& from, address& into) {
    if (from.ss_family == AF_INET) {
        sockaddr_in in{};
        std::memcpy(&in, &from, sizeof in);
        into.ip[0] = in.sin_addr.s_addr;
        into.port = in.sin_port;
        return true;
    }
    if (from.ss_family != AF_INET6) return false;
    sockaddr_in6 in{};
    std::memcpy(&in, &from, sizeof in);
    into.port = in.sin6_port;
    if (IN6_IS_ADDR_V4MAPPED(&in.sin6_addr)) {  // an IPv4 client of a listener for both
        std::memcpy(&into.ip[0], &in.sin6_addr.s6_addr[12], sizeof into.ip[0]);
        return true;
    }
    into.v6 = true;
    std::memcpy(into.ip, &in.sin6_addr, sizeof into.ip);
    return true;
}

struct question {
    nlmsghdr head;
    inet_diag_req_v2 body;
};

// The client's own end: its source is our peer.
question ask_for(address const& client, address const& us) {
    question q{};
    q.head.nlmsg_len = sizeof q;
    q.head.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    q.head.nlmsg_flags = NLM_F_REQUEST;  // one socket, by its addresses
    q.head.nlmsg_seq = 1;
    q.body.sdiag_family = client.v6 ? AF_INET6 : AF_INET;
    q.body.sdiag_protocol = IPPROTO_TCP;
    q.body.idiag_states = ~0U;
    q.body.id.idiag_sport = client.port;
    q.body.id.idiag_dport = us.port;
    std::memcpy(q.body.id.idiag_src, client.ip, sizeof client.ip);
    std::memcpy(q.body.id.idiag_dst, us.ip, sizeof us.ip);
    q.body.id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
    q.body.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
    return q;
}

// Where no such connection is there the kernel answers with a listener on the same port; and a socket that its process
// has closed, or one in TIME_WAIT, has no owner any more and shows as root's.
bool is_that_socket(inet_diag_msg const& found, question const& q, address const& client) {
    auto const& a = found.id;
    auto const& b = q.body.id;
    bool const mapped = !client.v6 && found.idiag_family == AF_INET6;  // an IPv6 socket that speaks IPv4
    auto const at = mapped ? 3U : 0U;
    auto const size = client.v6 ? 16U : 4U;
    return a.idiag_sport == b.idiag_sport && a.idiag_dport == b.idiag_dport &&
           std::memcmp(&a.idiag_src[at], b.idiag_src, size) == 0 &&
           std::memcmp(&a.idiag_dst[at], b.idiag_dst, size) == 0 && found.idiag_inode != 0 &&
           found.idiag_state != TCP_TIME_WAIT && found.idiag_state != TCP_LISTEN && found.idiag_state != TCP_CLOSE;
}

result<uid_t> answer_of(int netlink, question const& q, address const& client) {
    alignas(nlmsghdr) char buffer[4096];
    auto const n = ::recv(netlink, buffer, sizeof buffer, MSG_DONTWAIT);  // it is there when send() has returned
    if (n < static_cast<ssize_t>(sizeof(nlmsghdr))) return unknown(std::strerror(n < 0 ? errno : EBADMSG));
    nlmsghdr head{};
    std::memcpy(&head, buffer, sizeof head);
    auto const* const body = buffer + NLMSG_HDRLEN;
    auto const size = static_cast<std::size_t>(n) - NLMSG_HDRLEN;
    if (head.nlmsg_type == NLMSG_ERROR && size >= sizeof(nlmsgerr)) {
        nlmsgerr failed{};
        std::memcpy(&failed, body, sizeof failed);
        return unknown(failed.error == -ENOENT ? "it is not on this machine, or has gone"
                                               : std::strerror(-failed.error));
    }
    inet_diag_msg found{};
    if (head.nlmsg_type != SOCK_DIAG_BY_FAMILY || size < sizeof found) return unknown("the kernel's answer is odd");
    std::memcpy(&found, body, sizeof found);
    if (!is_that_socket(found, q, client)) return unknown("it is not on this machine, or has gone");
    return found.idiag_uid;
}

}  // namespace

result<uid_t> owner_of_peer(int socket) {
    sockaddr_storage peer{};
    sockaddr_storage local{};
    socklen_t peer_size = sizeof peer;
    socklen_t local_size = sizeof local;
    address client;
    address us;
    if (::getpeername(socket, reinterpret_cast<sockaddr*>(&peer), &peer_size) != 0 ||
        ::getsockname(socket, reinterpret_cast<sockaddr*>(&local), &local_size) != 0)
        return unknown(std::strerror(errno));
    if (!read_address(peer, client) || !read_address(local, us) || client.v6 != us.v6) return unknown("no IP address");
    int const netlink = ::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (netlink < 0)
        return unknown(std::string("no netlink socket: ") + std::strerror(errno) +
                       " (a service needs AF_NETLINK in RestrictAddressFamilies)");
    auto const q = ask_for(client, us);
    auto out = ::send(netlink, &q, sizeof q, 0) == static_cast<ssize_t>(sizeof q)
                   ? answer_of(netlink, q, client)
                   : result<uid_t>(unknown(std::strerror(errno)));
    ::close(netlink);
    return out;
}

}  // namespace jitproxy::net
