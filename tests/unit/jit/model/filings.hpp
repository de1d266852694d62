// Which permission was asked for by whom, as the answers tell it: whether the AS may be asked for the same again.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "books.hpp"
#include "commands.hpp"

namespace jitproxy::jit::model {

class filings {
  public:
    explicit filings(books const& as) : as_(as) {}

    // The AS is being asked. Why it should not have been; empty: it may.
    [[nodiscard]] std::string asked(std::string const& key, std::string const& session_id, std::string const& task_id,
                                    std::string const& needs, wall_time now);
    // What the manager was told.
    void answered(std::string const& key, result<request_state> const& answer, fault how, wall_time now);
    void listed(result<std::vector<pending_request>> const& answer);
    void polled(std::string const& request_id, result<request_state> const& answer, wall_time now);
    void exchanged(std::string const& request_id, result<access_token> const& answer);
    void decided(std::string const& request_id, request_status status);
    // Of an earlier life, and taken up again.
    void resumed(std::string const& key, std::string const& session_id, std::string const& task_id,
                 std::string const& needs, request_state const& known, wall_time now);

    void close(std::string const& session_id);
    void forget_all() { all_.clear(); }

  private:
    enum class state : std::uint8_t { in_flight, unclear, known };
    struct filing {
        state is = state::in_flight;
        std::string session_id;
        std::string task_id;
        std::string needs;
        std::string request_id;  // where it is known
        bool looked = false;     // unclear: the AS has shown what is pending since
        bool excused = false;    // unclear: the AS does not show it, or is still at it
        wall_time ends;          // of the wait for a human
    };
    void learn(filing& f, request_state const& news, wall_time now);
    void settle(std::string const& request_id);
    [[nodiscard]] filing* of_request(std::string const& request_id);

    books const& as_;
    std::map<std::string, filing> all_;  // by key: those that are not over
};

}  // namespace jitproxy::jit::model
