// How many client connections there may be: as a whole and in one session. Shared by the workers; asked once a
// connection, never on the way of its bytes.
#pragma once
#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "jitproxy/jit/snapshot.hpp"

namespace jitproxy::proxy {

// Safe on any thread. Lives longer than the places it gave.
class admission {
  public:
    admission(std::size_t most, std::size_t most_in_session) : most_(most), most_in_session_(most_in_session) {}
    admission(admission const&) = delete;
    admission& operator=(admission const&) = delete;

    // Counts from the next connection on; nobody who is in is sent away.
    void set_most(std::size_t most, std::size_t most_in_session);

    // Held while the connection counts; given back when it goes.
    class place {
      public:
        place(place&& other) noexcept;
        place& operator=(place&& other) noexcept;
        ~place();
        // The session that the connection counts in; empty: none.
        [[nodiscard]] std::string const& session_id() const noexcept { return session_id_; }

      private:
        friend class admission;
        explicit place(admission& from) noexcept : from_(&from) {}
        admission* from_;
        std::string session_id_;
    };

    // Nothing: there are as many connections as there may be.
    [[nodiscard]] std::optional<place> enter();
    // The connection serves this session from now on, and counts there instead of where it did. False: the session has
    // as many as it may have; then nothing has changed.
    [[nodiscard]] bool move(place& held, std::string_view session_id);

  private:
    void leave(place& held);
    void leave_session(std::string const& session_id);  // with the lock held

    std::mutex mutex_;
    std::size_t most_;
    std::size_t most_in_session_;
    std::size_t entered_ = 0;
    std::unordered_map<std::string, std::size_t, jit::string_hash, std::equal_to<>> in_session_;
};

}  // namespace jitproxy::proxy
