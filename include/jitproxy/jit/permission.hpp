// What the data path asks of the task manager, and what it gets.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "jitproxy/base/clock.hpp"
#include "jitproxy/base/json.hpp"
#include "jitproxy/base/secret.hpp"
#include "jitproxy/policy/rules.hpp"

namespace jitproxy::jit {

struct permission_need {
    std::string session_id;
    policy::api_ptr api;
    std::string origin;    // "https://host:port" of the API that answered
    std::string resource;  // resource_key() of the request
    std::string method;
    std::string url;  // without query
    std::vector<json::object> details;
    std::string justification;    // the agent's JIT-Justification, or empty: the API's template
    std::optional<seconds> wait;  // Prefer: wait
    std::string refused_grant;  // a grant that the API did not find enough: not to be handed out for these needs again
};

enum class permission_status : std::uint8_t {
    granted,  // here is the token
    denied,   // the AS or a human said no
    pending,  // still open when the time to wait was over
    expired,  // nobody decided in time
    refused,  // local policy does not let it be asked for
    error,    // the AS could not be asked, or the session is closed
};
[[nodiscard]] std::string_view to_string(permission_status s) noexcept;  // the value of JIT-Request-Status

struct permission_outcome {
    permission_status status = permission_status::error;
    secret_ptr token;        // granted only
    std::string grant_id;    // granted only
    std::string request_id;  // empty where nothing was asked for
    std::string reason;      // for humans, one line
    int retry_after = 0;     // seconds; 0: trying again makes no sense
    bool cached = false;     // granted only: the grant had been there before this need
    // The proxy answers itself, with this error, in place of the API's own 403: as_down, as_inactive.
    std::optional<errc> instead;
};

}  // namespace jitproxy::jit
