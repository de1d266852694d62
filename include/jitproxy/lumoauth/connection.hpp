// One connection to the authorization server, plain or TLS. Used by transport only.
#pragma once
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <optional>
#include <string>
#include <vector>

#include "jitproxy/base/clock.hpp"
#include "jitproxy/base/error.hpp"
#include "jitproxy/lumoauth/location.hpp"
#include "jitproxy/lumoauth/wire.hpp"

namespace jitproxy::lumoauth {

// Errors as values: a failed read or write is no exception here.
inline constexpr auto use_tuple = boost::asio::as_tuple(boost::asio::use_awaitable);

// System roots and those in ca_file, TLS 1.2 or newer. Throws failure (configuration).
[[nodiscard]] boost::asio::ssl::context make_tls_context(std::string const& ca_file);

class connection {
  public:
    using addresses = std::vector<boost::asio::ip::address>;
    struct limits {
        std::size_t head;
        std::size_t answer;
    };

    // `tls` null: plain.
    connection(boost::asio::any_io_executor executor, boost::asio::ssl::context* tls);

    // Connects to the first address that answers, verifies that the peer is `at`. Errors: as_unreachable.
    boost::asio::awaitable<result<void>> open(location const& at, addresses const& to, steady_time deadline);
    // Sends one message and reads its answer. Errors: as_unclear, as_malformed.
    boost::asio::awaitable<result<wire_answer>> exchange(location const& at, std::string const& message, limits bounds,
                                                         steady_time deadline);

    // Of the last exchange: a byte of an answer has come.
    [[nodiscard]] bool answered() const noexcept { return answered_; }
    // Of the last exchange: the deadline ended it.
    [[nodiscard]] bool timed_out() const noexcept { return timed_out_; }
    // May carry another exchange. Looks whether the server has closed it meanwhile.
    [[nodiscard]] bool reusable();
    // Makes whatever is under way fail.
    void close() noexcept;

    steady_time rests_since{};

  private:
    // `doing` completes "cannot … host:port".
    error lost(location const& at, boost::system::error_code ec, std::string_view doing, errc code = errc::as_unclear);
    boost::asio::awaitable<result<void>> handshake(location const& at, steady_time deadline);
    boost::beast::tcp_stream tcp_;
    std::optional<boost::asio::ssl::stream<boost::beast::tcp_stream&>> tls_;
    boost::beast::flat_buffer buffer_;
    bool answered_ = false;
    bool timed_out_ = false;
    bool keep_ = false;
};

}  // namespace jitproxy::lumoauth
