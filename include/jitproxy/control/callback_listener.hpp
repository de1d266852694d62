// Where the authorization server may say that a permission request is decided (`callback_url`). Whoever says so is a
// stranger: all it brings about is that this request is polled soon. Its own socket, for the control API is no place
// for other machines.
#pragma once
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>

#include "jitproxy/base/clock.hpp"
#include "jitproxy/control/address.hpp"

namespace jitproxy::control {

struct callback_options {
    control::address address;      // TCP
    std::string url;               // how it is reached from outside; empty: http:// and the address
    milliseconds patience{5'000};  // for one whole call
    std::size_t connections = 32;  // at the same time; more are closed
    std::size_t message_limit = 64 * 1024;
};

// Made and used on the control thread.
class callback_listener {
  public:
    using hint_function = std::function<void(std::string const& id)>;

    callback_listener(boost::asio::io_context& io, callback_options options, hint_function hint);
    ~callback_listener();
    callback_listener(callback_listener const&) = delete;
    callback_listener& operator=(callback_listener const&) = delete;

    [[nodiscard]] result<void> start();               // Errors: configuration
    [[nodiscard]] control::address listener() const;  // with the real port
    // The URL that hints at `id`. Unguessable: it holds a secret of this process's life.
    [[nodiscard]] std::string url_of(std::string const& id) const;
    void stop();

  private:
    struct impl;
    std::shared_ptr<impl> impl_;
};

}  // namespace jitproxy::control
