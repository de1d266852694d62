// How a command finds the running daemon.
#pragma once
#include <optional>

#include "jitproxy/app/client_environment.hpp"
#include "jitproxy/app/commands.hpp"
#include "jitproxy/control/client.hpp"

namespace jitproxy::app {

inline constexpr milliseconds answer_time{15'000};

// --control, else $JITPROXY_CONTROL, else the configuration's listen.control, else the usual sockets. Errors: not_found
// where no daemon answers (with what was tried); internal, storage where one may, and this user cannot ask it or should
// not trust it; bad_argument for an address that is none, and where the daemon does not accept the control token.
[[nodiscard]] result<control::client> connect_to_daemon(common_options const& o);

// One call, or the reason why it did not succeed printed and nullopt. `about`: the id that a 404 is to name.
[[nodiscard]] std::optional<json::value> ask_daemon(common_options const& o, std::string_view method,
                                                    std::string const& target, std::string const& body = {},
                                                    milliseconds timeout = answer_time, std::string const& about = {});
// The body of POST /v1/sessions. Errors: bad_argument, and those of read_user_token.
[[nodiscard]] result<json::object> session_order_of(order_options const& order, variable_lookup const& variables);
[[nodiscard]] std::string text_member(json::object const& o, std::string_view name);  // "" where absent or null
[[nodiscard]] environment environment_of(json::object const& session);                // its "env"

}  // namespace jitproxy::app
