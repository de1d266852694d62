// What must hold, kept apart from the task manager: it sees each call, publication, record, answer and text at the
// edges, and what the AS and the journal know. The first breach is kept.
//
//  1  a bearer goes only where it belongs: the agent's or the session's own to its task, never another session's or
//     another agent's
//  2  a scoped token only to the origin and session that asked for it, and only while it and the session live
//  3  no secret is told: in events, records, log lines, lists, reasons
//  4  equal needs at one time are one request at the AS, different needs never share one
//  5  what is open at the AS is in the journal before; nothing is served after closing; nothing is left behind
//  A  every caller is answered once, and not after it has left
//  M  no machine meets an event that it does not expect; the journal takes every record
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "books.hpp"
#include "filings.hpp"
#include "jitproxy/jit/task_manager.hpp"
#include "journal.hpp"
#include "manual_clock.hpp"
#include "shrink.hpp"

namespace jitproxy::jit::model {

// Somebody who waits for an answer of the manager.
struct caller {
    std::string what;
    std::string session_id;
    int life = 0;
    int answers = 0;
    bool left = false;  // cancelled, or cut with its session: it need not be answered, and must not be where cancelled
    bool cancelled = false;
    permission_need need;  // of a permission
    task_manager::ticket ticket = 0;
};
using caller_ptr = std::shared_ptr<caller>;

[[nodiscard]] std::string need_key(std::string const& session_id, std::string const& origin, std::string const& needs);

class reference {
  public:
    reference(jitproxy::test::manual_clock const& clock, model_journal& journal)
        : clock_(clock), journal_(journal), filed(as) {}

    std::optional<violation> found;
    void demand(bool holds, std::string_view invariant, std::string const& detail);

  private:
    jitproxy::test::manual_clock const& clock_;
    model_journal& journal_;

  public:
    books as;
    filings filed;
    int life = 1;                                 // of the process
    std::map<std::string, std::string> user_of;   // session's name → its user's token
    std::map<std::string, agent_index> agent_of;  // likewise; the first where there is none
    std::map<std::string, snapshot_ptr> latest;   // what the workers know, by session
    std::set<std::string> traffic;                // sessions with requests in flight
    std::vector<caller_ptr> callers;              // of this life
    std::map<std::string, int> seen;              // what has happened, for the coverage

    // ---- the AS is called (reference_calls.cpp)
    void creating(task_order const& order, secret_ptr const& bearer);
    std::string asking(request_order const& order, secret_ptr const& bearer);  // the filing's key
    void about_request(char const* call, std::string const& request_id, secret_ptr const& bearer);
    void about_task(char const* call, std::string const& task_id, secret_ptr const& bearer);
    void completing(std::string const& task_id, secret_ptr const& bearer);
    void revoking(agent_index agent, secret_ptr const& token);
    void delegating(agent_index index, secret_ptr const& user, secret_ptr const& agent);
    void listing(secret_ptr const& bearer);
    // ---- and answers
    void told_token(result<access_token> const& answer);
    void told_task(result<task> const& answer);
    void told_evaluation(std::string const& task_id, result<evaluation> const& answer);

    // ---- the manager tells
    void published(snapshot_ptr const& s);
    void withdrawn(std::string const& session_id);
    void text(std::string_view line);  // anything that leaves it in words
    void answered(caller& c, permission_outcome const& outcome);
    void answered(caller& c, error const* failed);  // null: it went well

    // ---- the world
    void asked(permission_need const& need);
    void grant_refused(std::string const& grant_id) { refused_grants_.insert(grant_id); }
    void died();                              // the process
    void check(task_manager const& manager);  // after each step
    void check_journal();
    void check_end(task_manager const& manager);  // everything was closed in this life
    void check_left();                            // nothing is left for another life but what cannot be known

  private:
    [[nodiscard]] bool serves(std::string const& session_id) const;
    [[nodiscard]] agent_index agent_for(std::string const& session_name) const;
    [[nodiscard]] token_book const* known_token(secret_ptr const& token) const;
    // Is it the agent's, or that session's own?
    [[nodiscard]] std::string misplaced(secret_ptr const& bearer, std::string const& session_name, bool for_user,
                                        bool agent_too) const;
    void check_grant(std::string const& session_id, std::string const& task_id, std::string const& resource,
                     scoped_bearer const& b);
    [[nodiscard]] bool origin_fits(request_book& r, std::string const& session_id, std::string const& origin) const;
    void count_answer(caller& c);
    void check_served();
    void check_open_tasks();
    void check_lists(task_manager const& manager);

    std::set<std::string> closed_;                            // sessions that a snapshot has closed in this life
    std::set<std::string> inactive_;                          // tasks that an evaluation called inactive
    std::set<std::string> refused_grants_;                    // not to be given again
    std::map<std::string, std::set<std::string>> resources_;  // by need_key: what asked for it
    std::vector<std::string> proxy_secrets_;
};

}  // namespace jitproxy::jit::model
