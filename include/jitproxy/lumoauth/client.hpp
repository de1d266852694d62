// The authorization server port, spoken over HTTP and JSON.
#pragma once
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "jitproxy/base/clock.hpp"
#include "jitproxy/base/secret.hpp"
#include "jitproxy/jit/ports.hpp"
#include "jitproxy/lumoauth/circuit.hpp"
#include "jitproxy/lumoauth/credentials.hpp"

namespace jitproxy::lumoauth {

struct client_options {
    std::string url;     // https://host[:port][/path]; http only for loopback hosts
    std::string tenant;  // exactly one of tenant and org_id: picks the path style
    std::string org_id;
    // At least one; jit::agent_index is the place here. Secrets and scopes may be changed in place, on the client's
    // thread, and count from the next call on.
    std::shared_ptr<std::vector<credentials>> agents;
    std::string ca_file;                             // PEM, roots besides the system's; may be empty
    milliseconds timeout{std::chrono::seconds{10}};  // one whole call, from looking up the name to the answer's end
    bool allow_plain_http = false;                   // http for other hosts too
    std::size_t connections = 8;                     // open at the same time; further calls wait for their turn
    unsigned attempts = 3;                           // for a token or a revocation, where trouble came quickly
    milliseconds retry_pause{250};                   // before the second of them; longer before the next, with jitter
    lumoauth::circuit::limits circuit = {};
    std::function<void(bool down, std::string const& why)> on_change;  // the circuit opens or closes; may be empty
};

// Throws failure (configuration) where the options cannot be used. The client is used on the thread that runs `io`, and
// calls back there, never from within the call. Calls that are under way when it is destroyed are not called back.
[[nodiscard]] std::unique_ptr<jit::authorization_server> create_client(boost::asio::io_context& io,
                                                                       client_options options);

}  // namespace jitproxy::lumoauth
