// The grants: which scoped token may go where. A token serves the session, origin and needs that it was granted for,
// and there the resources (method and URL) that asked for it; nothing else.
#pragma once
#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "jitproxy/base/clock.hpp"
#include "jitproxy/jit/ports.hpp"
#include "jitproxy/jit/snapshot.hpp"

namespace jitproxy::jit {

struct grant {
    std::string id;
    std::string session_id;
    std::string origin;  // "https://host:port"
    std::string needs;   // canonical authorization_details, one object
    std::string request_id;
    secret_ptr token;
    steady_time usable_until;
    std::deque<std::string> resources;  // resource_key()s, the oldest first
};

class ledger {
  public:
    static constexpr std::size_t max_resources = 256;  // of one grant; the oldest are forgotten

    explicit ledger(seconds expiry_margin) : margin_(expiry_margin) {}

    // Replaces the grant for the same session, origin and needs, if there is one, and serves its resources too.
    grant const& add(std::string session_id, std::string origin, std::string needs, std::string request_id,
                     access_token token, steady_time now);
    // From now on `resource` is served by this grant (and no other). False, and nothing done, where the grant is not
    // there or the resource lies on another origin.
    bool bind(std::string const& grant_id, std::string const& resource);
    // nullptr where none is usable at `now`.
    [[nodiscard]] grant const* find(std::string_view session_id, std::string_view origin, std::string_view needs,
                                    steady_time now) const;
    [[nodiscard]] grant const* find(std::string_view grant_id) const;

    bool drop(std::string_view grant_id);
    void drop_session(std::string_view session_id);
    [[nodiscard]] std::vector<secret_ptr> tokens_of(std::string_view session_id) const;
    // Drops what is not usable any more; the sessions that lost something.
    std::vector<std::string> prune(steady_time now);

    [[nodiscard]] std::size_t live(steady_time now) const;
    [[nodiscard]] std::size_t live(std::string_view session_id, steady_time now) const;
    [[nodiscard]] std::optional<steady_time> next_expiry() const;
    // For a snapshot: what each resource of the session is served by.
    void collect(std::string_view session_id, steady_time now,
                 std::unordered_map<std::string, scoped_bearer, string_hash, std::equal_to<>>& out) const;

  private:
    seconds margin_;
    std::map<std::string, grant, std::less<>> grants_;  // by id
};

}  // namespace jitproxy::jit
