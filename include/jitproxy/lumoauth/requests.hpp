// Builds each request to LumoAuth (protocol.md section 2).
#pragma once
#include "jitproxy/base/error.hpp"
#include "jitproxy/jit/ports.hpp"
#include "jitproxy/lumoauth/credentials.hpp"
#include "jitproxy/lumoauth/location.hpp"
#include "jitproxy/lumoauth/wire.hpp"

namespace jitproxy::lumoauth {

[[nodiscard]] wire_request token_request(location const& at, credentials const& who);
[[nodiscard]] wire_request delegation_request(location const& at, credentials const& who, secret_ptr user_token,
                                              secret_ptr agent_token);
[[nodiscard]] wire_request revoke_request(location const& at, credentials const& who, secret_ptr token);
[[nodiscard]] wire_request create_task_request(location const& at, secret_ptr bearer, jit::task_order const& order);
[[nodiscard]] wire_request permission_request(location const& at, secret_ptr bearer, jit::request_order const& order);
// These two go to the URLs that the server named, or to those built from the request's id. Errors: as_malformed.
[[nodiscard]] result<wire_request> status_request(location const& at, secret_ptr bearer,
                                                  jit::request_state const& known);
[[nodiscard]] result<wire_request> exchange_request(location const& at, secret_ptr bearer,
                                                    jit::request_state const& known);
[[nodiscard]] wire_request complete_request(location const& at, secret_ptr bearer, std::string_view task_id);
[[nodiscard]] wire_request pending_request(location const& at, secret_ptr bearer);
[[nodiscard]] wire_request evaluate_request(location const& at, secret_ptr bearer, std::string_view task_id);
[[nodiscard]] wire_request approve_request(location const& at, secret_ptr bearer, std::string_view request_id,
                                           std::string_view notes);
[[nodiscard]] wire_request deny_request(location const& at, secret_ptr bearer, std::string_view request_id,
                                        std::string_view reason);

}  // namespace jitproxy::lumoauth
