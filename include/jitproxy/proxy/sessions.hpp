// A worker's own copy of the sessions: what the control thread published, by id. Read without waiting for anybody.
#pragma once
#include <string>
#include <string_view>
#include <unordered_map>

#include "jitproxy/base/error.hpp"
#include "jitproxy/http/head.hpp"
#include "jitproxy/jit/snapshot.hpp"

namespace jitproxy::proxy {

class session_table {
  public:
    void publish(jit::snapshot_ptr session);
    void withdraw(std::string_view session_id);

    [[nodiscard]] jit::snapshot_ptr find(std::string_view session_id) const;
    // The session of clients without credentials, while it accepts requests; else null.
    [[nodiscard]] jit::snapshot_ptr automatic() const;

    // Whose request is it? The session id of good credentials; empty: a client without any, which `required` forbids.
    // Errors: session_required; session_unknown (wrong secret, closed or closing session; which of them is not told);
    // as_inactive (suspended).
    [[nodiscard]] result<std::string> authenticate(http::request_head const& head, bool required) const;

  private:
    std::unordered_map<std::string, jit::snapshot_ptr, jit::string_hash, std::equal_to<>> sessions_;
    std::string automatic_;
};

}  // namespace jitproxy::proxy
