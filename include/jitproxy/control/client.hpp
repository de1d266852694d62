// A small synchronous client of the control API: what every command speaks to the daemon with.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "jitproxy/base/clock.hpp"
#include "jitproxy/base/json.hpp"
#include "jitproxy/base/secret.hpp"
#include "jitproxy/control/address.hpp"

namespace jitproxy::control {

struct reply {
    unsigned status = 0;
    std::string content_type;
    std::string body;
    [[nodiscard]] bool ok() const noexcept { return status >= 200 && status < 300; }
    // The answer's JSON. Errors: as_malformed.
    [[nodiscard]] result<json::value> document() const;
    // For a human: a problem's detail, else its title, else the status.
    [[nodiscard]] std::string message() const;
};

class client {
  public:
    static constexpr std::size_t longest_answer = 16UL * 1024 * 1024;

    // Errors: not_found (nobody listens there), internal (cannot be used), each with the address.
    [[nodiscard]] static result<client> connect(address const& where, secret_ptr token, milliseconds timeout);
    client(client&&) noexcept;
    client& operator=(client&&) noexcept;
    ~client();

    // One request and its answer; the connection stays open for the next. Errors: client_timeout, connection_closed,
    // bad_response.
    [[nodiscard]] result<reply> call(std::string_view method, std::string_view target, std::string_view body,
                                     milliseconds timeout);
    // GET /v1/events. Calls back with each event's type and document until it returns false (then ok) or the stream
    // ends (connection_closed). `interrupted` is asked twice a second while nothing comes.
    [[nodiscard]] result<void> events(std::function<bool(std::string_view, json::object const&)> const& on_event,
                                      std::function<bool()> const& interrupted);
    [[nodiscard]] address const& where() const noexcept;

  private:
    struct impl;
    explicit client(std::unique_ptr<impl> i);
    std::unique_ptr<impl> impl_;
};

}  // namespace jitproxy::control
