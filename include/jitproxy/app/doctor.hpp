// What `jitproxy doctor` looks at. Each check says what it found and, where that is not good, how to mend it. All of
// them may wait (for the network, for a disk): they are for a command's only thread, never for the daemon's.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "jitproxy/app/commands.hpp"
#include "jitproxy/base/json.hpp"

namespace jitproxy::app {

enum class verdict : std::uint8_t {
    ok,       // as it should be
    warning,  // works, but not for ever or not for everyone
    failure,  // something that the daemon needs does not work
};
[[nodiscard]] std::string_view name_of(verdict v) noexcept;  // as in the JSON

struct finding {
    std::string check;  // "credentials"; stable, several findings may have the same
    verdict status = verdict::ok;
    std::string detail;
    std::string mend;  // empty where the status is ok
};

class findings {
  public:
    void ok(std::string check, std::string detail);
    void warning(std::string check, std::string detail, std::string mend);
    void failure(std::string check, std::string detail, std::string mend);

    [[nodiscard]] std::vector<finding> const& all() const noexcept { return all_; }
    [[nodiscard]] verdict worst() const noexcept;
    [[nodiscard]] std::string text() const;  // for people, a line or two each
    // {"status": "ok", "checks": [{"check", "status", "detail", "mend"}, …]}; mend is null where there is nothing to.
    [[nodiscard]] json::object document() const;

  private:
    std::vector<finding> all_;
};

// The clock by what the server says, its answer to each agent's credentials, and a task from beginning to end.
void examine_authorization_server(findings& f, config const& c, std::vector<agent> const& agents);
// By the way that the daemon would take: its name servers, refused addresses, roots and client certificates.
void examine_apis(findings& f, config const& c);
// State directory, room on the disk, journal, local CA, who may read the secrets.
void examine_state(findings& f, loaded_config const& loaded, common_options const& o);
// The variables that this shell would give an agent, and whether the clients found here would trust the local CA.
void examine_clients(findings& f, config const& c, common_options const& o);
// The daemon, the ports that it listens on or wants to, the audit trail that it writes or would, and a proxy in the
// environment that it does not use.
void examine_daemon(findings& f, config const& c, common_options const& o);

// The audit trail where no daemon runs: may this user write it?
void examine_audit_trail(findings& f, config const& c, variable_lookup const& variables);
// By what a daemon says of it: the member "audit" of its status.
void judge_audit_trail(findings& f, json::object const& said);

// The entry of a NO_PROXY list that lets clients reach the host without the proxy; empty: none does.
[[nodiscard]] std::string_view bypass_of(std::string_view no_proxy, std::string_view host);
// ADDRESS:PORT of a proxy variable's value, without its credentials.
[[nodiscard]] std::string proxy_address(std::string_view url);
// How far the server's clock (its Date, RFC 9110 6.6.1) is from ours, `sent` and `received` being ours around it.
void judge_clock(findings& f, std::string_view date, wall_time sent, wall_time received);

}  // namespace jitproxy::app
