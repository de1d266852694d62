// Who an agent is at the authorization server (RFC 6749 section 2.3.1: sent in the form body).
#pragma once
#include <string>

#include "jitproxy/base/secret.hpp"

namespace jitproxy::lumoauth {

struct credentials {
    std::string client_id;
    secret_ptr client_secret;
    std::string scope;  // of the agent token; empty: not sent
};

}  // namespace jitproxy::lumoauth
