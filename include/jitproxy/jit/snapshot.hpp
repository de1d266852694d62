// What a worker knows of a session: an immutable copy, made on the control thread and sent to every worker. The hot
// path reads its worker's own copy and never waits for the control thread.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "jitproxy/base/clock.hpp"
#include "jitproxy/base/error.hpp"
#include "jitproxy/base/keyed_hash.hpp"
#include "jitproxy/base/secret.hpp"

namespace jitproxy::jit {

struct scoped_bearer {
    std::string grant_id;  // names the grant to the task manager; no secret
    secret_ptr token;
    steady_time usable_until;
};

struct string_hash {  // heterogeneous lookup
    using is_transparent = void;
    std::size_t operator()(std::string_view s) const noexcept { return std::hash<std::string_view>{}(s); }
};

struct session_snapshot {
    std::string session_id;
    secret_ptr proxy_secret;                 // password of the proxy credentials; empty for the automatic session
    std::string secret_hash;                 // in its place, where an earlier life of the process made the session
    std::shared_ptr<keyed_hash const> hash;  // that it is recognised by; may be null
    bool automatic = false;                  // the one for clients without credentials
    bool accepting = true;                   // false in what is published when closing begins
    std::string suspended;                   // why, where the AS has suspended the task
    // Shared by every copy and set when closing begins: seen at once, also by a worker with an older copy. May be null.
    std::shared_ptr<std::atomic<bool> const> ended;
    secret_ptr bearer;                    // the agent's own, or the delegated one
    std::uint64_t bearer_generation = 0;  // tells a refreshed bearer from the one that was refused
    // Grants by resource_key(): "METHOD https://host:port/path?query".
    std::unordered_map<std::string, scoped_bearer, string_hash, std::equal_to<>> grants;

    // Are these its proxy credentials? In constant time.
    [[nodiscard]] bool has_secret(std::string_view given) const;
    // May a request of this session be served now?
    [[nodiscard]] bool accepts() const noexcept {
        return accepting && (!ended || !ended->load(std::memory_order_acquire));
    }
    // What its requests are told when it does not: as_inactive where it is suspended, else session_unknown.
    [[nodiscard]] error refusal() const;
};
using snapshot_ptr = std::shared_ptr<session_snapshot const>;

[[nodiscard]] std::string resource_key(std::string_view method, std::string_view origin, std::string_view path);

// Where snapshots go. Called on the control thread.
class snapshot_sink {
  public:
    virtual ~snapshot_sink() = default;
    // New or changed; `accepting` false is sent before anything of the session is torn down.
    virtual void publish(snapshot_ptr session) = 0;
    // After a snapshot that accepts nothing: what of the session is in flight gets the drain time, and is cut then.
    // `done` is called once nothing is left, from within this call at the earliest.
    virtual void drain(std::string const& session_id, std::function<void()> done) = 0;
    virtual void withdraw(std::string const& session_id) = 0;
};

}  // namespace jitproxy::jit
